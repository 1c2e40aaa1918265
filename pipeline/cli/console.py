"""What all commands share: exit codes, arguments, and how a failure or JSON is shown."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli import FAILED, INTERRUPTED, USAGE, VIOLATION
from lauter.pipeline.storage import Storage, StorageError

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "VIOLATION",
    "FolderArgument",
    "JsonOption",
    "ManifestArgument",
    "fail",
    "hex_root",
    "refuse_existing",
    "root_of",
    "show",
    "table_console",
]

PIPED_COLUMNS = 1 << 12
"""Columns of a table that no terminal shows: more than any has, so that `grep` and files get whole rows."""

ManifestArgument = Annotated[str, typer.Argument(metavar="MANIFEST", help="The YAML manifest.")]
FolderArgument = Annotated[str, typer.Argument(metavar="DIR", help="The run folder (local path or s3://).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong on standard error and leave with a code."""
    Console(stderr=True, emoji=False).print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    raise typer.Exit(code)


def refuse_existing(path: Path, what: str, new: str) -> None:
    """Leave with a usage error where a path is there already: `what` is never overwritten, so name a `new` one."""
    if path.exists():
        fail(f"{path} is there already: {what} is never overwritten; name a new {new}", USAGE)


def hex_root(root: str | None) -> str | None:
    """A root as `--root` takes it, in lower case; leaves with a usage error where it is none."""
    if root is None:
        return None
    found = root.strip().lower()
    if re.fullmatch("[0-9a-f]{64}", found) is None:
        fail(f"--root takes 64 hex digits, not {root!r}", USAGE)
    return found


def show(data: object) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n")


def table_console() -> Console:
    """A console on standard output whose tables are as wide as they need where it is no terminal (or `COLUMNS` says).

    rich takes 80 columns for a pipe and cuts what does not fit.
    """
    console = Console(emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(emoji=False, width=PIPED_COLUMNS)
    return console


def root_of(out: str) -> str:
    """The run folder as its storage names it; leaves with a usage error where it cannot be one."""
    try:
        return Storage(out).root
    except StorageError as error:
        fail(str(error), USAGE)
