"""`lauter try`: one stage on some files, and what it decides, to choose its parameters by."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.compiling import told_of_kernels
from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, table_console

if TYPE_CHECKING:
    from lauter.pipeline.manifest import StageSpec
    from lauter.pipeline.trying.inputs import Inputs
    from lauter.pipeline.trying.trial import Trial


def try_stage(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage by name, or your own as module:attribute.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT…", help="JSONL, Parquet, WARC, WET, HTML or text files, globs; - is JSONL on standard input."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the stage, as YAML; a.b=1 for nested ones."),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="A stage that comes before, with its defaults; may be repeated, in order."),
    ] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A parameter of the reader, as columns.text=body."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="LABEL", help="The language of all records: deu_Latn, or de.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Read no more than N records.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run one stage on files and show what it decides about each record, and what it changed.

    Its decision is that of a build: a soft stage decides from its scores, and one that learns from the whole corpus
    learns from these files. With --json one object a line, in the order of the input: the record's own fields, `text`
    as rewritten, `verdict`, `stage` and `reason`, `rule`, the stage's columns, `natural` for scores that are stored as
    whole numbers, and `spans` (start, end, type, in code points of the text as it was given) of a stage that tells
    them. A record that can't be read has `file`, and of JSON lines `line` and `fault`. A stage that reads a language
    takes it from the record's field `language` or `lang` (deu_Latn, deu, de, de-CH), from --language, or from `--after
    language`; else it is null. A page is an HTML file, a record of a WARC file, or a field `html`. What compares all
    documents can't be tried alone.
    """
    from lauter.pipeline.steps.isolate import StageError
    from lauter.pipeline.stopped import BuildStopped
    from lauter.pipeline.storage import StorageError
    from lauter.pipeline.trying.inputs import Inputs
    from lauter.pipeline.trying.specs import TrialFault, given_columns, label, specs
    from lauter.pipeline.trying.trial import Trial
    from lauter.stages.catalogue import CATALOGUE

    try:
        asked = specs(stage, _values("--set", settings), after or (), CATALOGUE)
        files = Inputs(inputs, CATALOGUE, _values("--read", read), as_pages=_reads_pages(asked[0]), limit=limit)
        columns = given_columns(asked, CATALOGUE, files.without_text())
        with told_of_kernels(), Trial(asked, columns, label(language, CATALOGUE)) as trial:
            _show(trial, files, as_json=as_json)
    except BrokenPipeError:
        # Who reads has left, as `head` does. The interpreter flushes once more and must find a stream that takes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TrialFault, ValueError) as error:
        fail(str(error), USAGE)
    except (StageError, BuildStopped, StorageError, OSError) as error:
        fail(str(error), FAILED)


def _reads_pages(spec: StageSpec) -> bool:
    from lauter.pipeline.trying.specs import reads

    return "payload" in reads(spec)


def _show(trial: Trial, files: Inputs, *, as_json: bool) -> None:
    from lauter.pipeline.trying.shown import as_json as json_line
    from lauter.pipeline.trying.shown import lines

    notes = Console(stderr=True, emoji=False)
    if trial.surveys():
        notes.print(
            Text(f"note: {trial.tried.name} learns from the whole corpus; here that is what these files hold"),
            soft_wrap=True,
        )
    console = table_console()
    ends: Counter[tuple[str, str]] = Counter()
    for number, tried in enumerate(trial.run(files), 1):
        ends[tried.verdict, tried.reason or ""] += 1
        if as_json:
            sys.stdout.buffer.write(json_line(tried).encode() + b"\n")
            continue
        for line in lines(number, tried):
            console.print(line, soft_wrap=True)
    sys.stdout.flush()
    if trial.unknown:
        notes.print(
            Text(
                f"note: {trial.unknown:,} record{'s have' if trial.unknown > 1 else ' has'} no language for"
                f" {trial.tried.name}: give --language, a field `language`, or --after language"
            ),
            soft_wrap=True,
        )
    if not as_json:
        records = sum(ends.values())
        told = ", ".join(
            f"{count:,} {verdict}{f' ({reason})' if reason else ''}"
            for (verdict, reason), count in sorted(ends.items())
        )
        console.print(f"{records:,} records{': ' + told if told else ''}", highlight=False, soft_wrap=True)


def _values(option: str, given: Sequence[str] | None) -> dict[str, Any]:
    """`a.b=1` as {"a": {"b": 1}}; leaves with a usage error for what is no such thing."""
    found: dict[str, Any] = {}
    for each in given or ():
        key, equals, value = each.partition("=")
        if not (key and equals):
            fail(f"{option} {each}: want KEY=VALUE", USAGE)
        try:
            parsed = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:
            fail(f"{option} {each}: no valid YAML: {' '.join(str(error).split())}", USAGE)
        place = found
        *parents, last = key.split(".")
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                fail(f"{option} {each}: {parent} has a value already", USAGE)
            place = inner
        place[last] = parsed
    return found
