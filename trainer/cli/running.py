"""A run under the command line: what it ends with, as codes and words. Under torchrun every rank comes here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from lauter.pipeline.cli.console import FAILED, INTERRUPTED, USAGE, show
from lauter.trainer.checkpoint.error import CheckpointError, explain
from lauter.trainer.cli.ranks import fail_rank, first
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.loop.errors import ConfigError, RunFailed
from lauter.trainer.loop.report import Outcome


@contextmanager
def faults_told(folder: Path) -> Iterator[None]:
    """Errors of a run in this folder become messages and exit codes: 2 for what was asked for, 1 for what failed."""
    try:
        yield
    except (ConfigError, UnfitError) as error:
        fail_rank(str(error), USAGE)
    except (CheckpointError, DataError, RunFailed) as error:
        fail_rank(str(error), FAILED)
    except OSError as error:
        fail_rank(explain(error) if error.filename else f"{folder}: {explain(error)}", FAILED)


def console_of(*, as_json: bool) -> Console:
    """Where a run tells how it gets on: not where its JSON is to stand."""
    return Console(stderr=as_json, emoji=False)


def end(outcome: Outcome, *, as_json: bool) -> None:
    """Show the outcome as JSON where that is asked for, and leave with the code of Ctrl-C where it stopped the run."""
    if as_json and first():
        show(outcome.to_json())
    if outcome.stopped_by == "SIGINT":
        raise typer.Exit(INTERRUPTED)
