"""All commands: the engine's own, and those that stages and trainer bring."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lauter import __version__
from lauter.pipeline.cli import audit, build, inspect, takedown, try_stage


def _mounted() -> dict[str, str]:
    from lauter.stages.catalogue import CATALOGUE
    from lauter.trainer.commands import COMMANDS

    return {**CATALOGUE.commands, **COMMANDS}


class _Commands(TyperGroup):
    """The engine's own commands, and those of stages and trainer, whose modules are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - click's context
        """All names, in the order of the help."""
        return [*super().list_commands(ctx), *_mounted()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - click's context and command
        """A command of the engine, or one that is mounted."""
        target = _mounted().get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = target.partition(":")
        command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        command.name = cmd_name  # As the table calls it: the help lists commands by their own names.
        return command


app = typer.Typer(
    cls=_Commands,
    help="Build, prove and inspect compliant pretraining corpora.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    build.build,
    build.plan,
    build.stages,
    inspect.status,
    inspect.report,
    inspect.explain,
    audit.audit,
    takedown.takedown,
    takedown.filter_output,
):
    app.command()(command)
app.command("try")(try_stage.try_stage)


def _version(value: bool) -> None:  # noqa: FBT001 - typer hands an option's value over so
    if value:
        sys.stdout.write(f"lauter {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # noqa: FBT002 - an option's default
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Build, prove and inspect compliant pretraining corpora."""
