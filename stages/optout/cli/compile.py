"""`lauter optout compile`: snapshots to the index that the stage maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show
from lauter.stages.optout.cli.index_folder import INDEX_JSON

if TYPE_CHECKING:
    from lauter.pipeline.prepare_alone import Prepared
    from lauter.stages.optout.config import OptOutConfig

_NEVER_ZERO = ("records", "origins", "rules")


def compile_index(
    snapshots: Annotated[
        list[str], typer.Argument(metavar="SNAPSHOT…", help="WARC, Parquet, JSONL or plain files, or folders of these.")
    ],
    out: Annotated[
        str, typer.Option(metavar="INDEX", help="The folder to write, for --index of `lauter optout check`.")
    ],
    policy: Annotated[str, typer.Option(metavar="P", help="A policy, by name or file.")] = "default",
    agents: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|FILE",
            help="A list of agents instead of the policy's: one that comes with Lauter, by name, or a YAML file with "
            "`name` and `agents`. Not names of agents.",
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Look at no later answer (the date's last second, UTC)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default: all cores, one for little input.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Compile snapshots of robots.txt, tdmrep.json, ai.txt and RSL documents to one memory-mapped index.

    INDEX/optout/robots.arrow has a row an origin that was asked, INDEX/optout/origins.parquet the same with what was
    said in place of rules; INDEX/index.json says for which policy, with counts and digests.
    """
    from lauter.pipeline.prepare_alone import FolderUnusable, TasksFailed, prepare_folder

    config = _config(snapshots, policy, agents, as_of)
    try:
        prepared = prepare_folder("lauter.stages.optout.stage:OptOut", config, out, workers)
    except FolderUnusable as error:
        fail(str(error), USAGE)
    except TasksFailed as error:
        fail(str(error), FAILED)
    from lauter.stages.optout.cli.legend import LEGEND
    from lauter.stages.optout.config import effective_policy
    from lauter.stages.optout.report import lost_bytes

    data = _described(config, prepared)
    for warning in lost_bytes(data["counts"], effective_policy(config)):
        files = config.snapshot[0] if len(config.snapshot) == 1 else f"one or more of {len(config.snapshot)} files"
        Console(stderr=True, emoji=False).print(
            f"[yellow]warning:[/] {escape(files)}: {escape(warning)}", soft_wrap=True, highlight=False
        )
    prepared.storage.write_json(INDEX_JSON, data)
    if as_json:
        show(data)
        return
    console = Console(emoji=False)
    for name, count in data["counts"].items():
        if count or name in _NEVER_ZERO:
            meaning = LEGEND.get(name, "")
            console.print(f"  {name:<14} {count:>12,}  {meaning}".rstrip(), highlight=False, soft_wrap=True)
    root = prepared.storage.root
    console.print(f"{root}/{data['files'][0]['path']}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"ask it: lauter optout check --index {root} URL…", soft_wrap=True, highlight=False, markup=False)


def _config(snapshots: list[str], policy: str, agents: str | None, as_of: str | None) -> OptOutConfig:
    """The stage's parameters, checked, with the files that were found; leaves with a usage error."""
    from pydantic import ValidationError

    from lauter.stages.optout.config import OptOutConfig
    from lauter.stages.optout.snapshot.read import is_snapshot, snapshot_files
    from lauter.stages.optout.stage import OptOut

    values: dict[str, Any] = {"policy_file" if _is_file(policy) else "policy": policy}
    if agents is not None:
        values["agents_file" if _is_file(agents) else "agents"] = agents
    if as_of is not None:
        values["as_of"] = as_of
    try:
        files = sorted({str(Path(file).absolute()) for path in snapshots for file in snapshot_files(path)})
        unknown = [file for file in files if not is_snapshot(file)]
        if unknown:
            fail(
                f"{unknown[0]}: no snapshot; it is .warc(.gz), .parquet, .jsonl(.gz), HOST.txt or HOST/robots.txt",
                USAGE,
            )
        config = OptOutConfig.model_validate({**values, "snapshot": files})
        OptOut.check_config(config)
    except ValidationError as error:
        fail("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors()), USAGE)
    except (ValueError, OSError) as error:
        more = "; --agents takes one of these, or a YAML file with `name` and `agents`" if "agents" in values else ""
        fail(f"{error}{more if 'list of agents' in str(error) else ''}", USAGE)
    return config


def _is_file(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml")) or Path(name).is_file()


def _described(config: OptOutConfig, prepared: Prepared) -> dict[str, Any]:
    """What the index was made for, what is in it, and the digests of its files."""
    from lauter.pipeline.contract import StageContext
    from lauter.stages.optout.stage import OptOut

    stage = OptOut(config, StageContext())
    return {
        "policy": stage.policy.model_dump(mode="json"),
        "agents": list(stage.agents.names),
        "as_of": config.as_of,
        "counts": dict(prepared.result.info["counts"]),
        "files": [
            {"path": output.path, "size": output.size, "sha256": output.sha256}
            for output in sorted(prepared.result.outputs, key=lambda output: -output.size)
        ],
    }
