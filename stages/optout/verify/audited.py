"""What an audit verifies with: the parameters of the build, or a snapshot or policy of the auditor's in their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_policy


def audited(config: OptOutConfig, options: Mapping[str, Any]) -> OptOutConfig:
    """A corpus's own config, with `snapshot` (paths) or `policy` (name or file) of the auditor's in its place.

    Another policy takes the place of the manifest's whole choice, single fields and lists of hosts included. Raises
    ValueError for a policy that is unknown or cannot be read.
    """
    policy, snapshot = options.get("policy"), options.get("snapshot")
    kept = config.model_dump(exclude_unset=True)
    if policy is not None:
        kept = {name: kept[name] for name in ("snapshot", "as_of") if name in kept}
        named = "policy_file" if _is_file(policy) else "policy"
        if named == "policy_file" and not Path(policy).is_file():
            raise ValueError(f"{policy} is not there")
        kept[named] = policy
    if snapshot is not None:
        kept.pop("as_of", None)
        kept["snapshot"] = snapshot
    found = OptOutConfig.model_validate(kept)
    if policy is not None:
        effective_agents(found, effective_policy(found))
    return found


def _is_file(policy: str) -> bool:
    return policy.lower().endswith((".yaml", ".yml")) or Path(policy).is_file()
