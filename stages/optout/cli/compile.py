"""`lauter optout compile`: snapshots to the index that the stage maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show

if TYPE_CHECKING:
    from lauter.pipeline.prepare_alone import Prepared
    from lauter.stages.optout.config import OptOutConfig

INDEX_JSON = "index.json"

_NEVER_ZERO = ("records", "origins", "rules")


def compile_index(
    snapshots: Annotated[
        list[str], typer.Argument(metavar="SNAPSHOT…", help="WARC, Parquet, JSONL or plain files, or folders of these.")
    ],
    out: Annotated[str, typer.Option(metavar="INDEX", help="The folder to write.")],
    policy: Annotated[str, typer.Option(metavar="P", help="A policy, by name or file.")] = "default",
    agents: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="A list of agents instead of the policy's.")
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
    data = _described(config, prepared)
    prepared.storage.write_json(INDEX_JSON, data)
    if as_json:
        show(data)
        return
    console = Console(emoji=False)
    for name, count in data["counts"].items():
        if count or name in _NEVER_ZERO:
            console.print(f"  {name:<12} {count:>12,}", highlight=False)
    console.print(f"{prepared.storage.root}/{data['files'][0]['path']}", soft_wrap=True, highlight=False)


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
        fail(str(error), USAGE)
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
        "files": sorted((output.to_json() for output in prepared.result.outputs), key=lambda item: -item["size"]),
    }
