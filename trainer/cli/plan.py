"""`lauter train CONFIG --plan`."""

from __future__ import annotations

from rich.console import Console

from lauter.pipeline.cli.console import USAGE, fail, show, table_console
from lauter.trainer.config.sections import RunSection
from lauter.trainer.planner.plan import Wanted, plan
from lauter.trainer.planner.report import print_plan


def show_plan(section: RunSection, wanted: Wanted, *, as_json: bool) -> None:
    """Print what a run would take; leaves with a usage error where what is asked makes no sense."""
    try:
        found = plan(section, wanted)
    except ValueError as error:
        fail(str(error), USAGE)
    if as_json:
        show(found)
        return
    console: Console = table_console()
    print_plan(console, found)
