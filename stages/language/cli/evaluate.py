"""`lauter lang evaluate`: how right a model is on labelled texts, as figures and charts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, refuse_existing, show, table_console
from lauter.stages.language.cli.model import MODEL_HELP, LabelsOption, NormaliseOption, load_model, load_support

if TYPE_CHECKING:
    from lauter.stages.language.evaluation.examples import Examples
    from lauter.stages.language.identify import Identifier
    from lauter.stages.language.labels.support import Support

_CONFUSIONS = 12


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Lines of label, tab, text (.tsv, .tsv.zst, .tsv.gz), or a folder of them."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write evaluation.json and charts (SVG) there; must not exist yet."),
    ] = None,
    normalise: NormaliseOption = None,
    labels: LabelsOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Score a model: macro-F1, accuracy, false positives, calibration, by script, level and length, and confusions.

    Columns "known", "clusters" and "macro" are macro-F1 too: over labels that the model has, and with sister languages
    taken as one, by the clusters of its table or the macrolanguages of ISO 639-3.
    """
    from lauter.stages.language.evaluation.examples import read, sets

    if out is not None:
        refuse_existing(out, "an evaluation", "folder")
    try:
        examples = [read(path) for path in sets(data)]
    except OSError as error:
        fail(f"{data} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)
    support = load_support(model, labels)
    identifier = load_model(model, normalise=normalise)
    reports = _reports(identifier, examples, support)
    result = {"model": model, "labels": len(identifier.model_labels), "sets": reports}
    if out is not None:
        try:
            write(out, result)
        except OSError as error:
            fail(f"{out} can't be written: {error.strerror}", FAILED)
    if as_json:
        show(result)
        return
    console = table_console()
    _print(console, reports)
    if out is not None:
        console.print(Text(f"{out}/evaluation.json and charts"), soft_wrap=True)


def write(out: Path, result: Mapping[str, Any]) -> None:
    """Write the figures and the charts of every set into a new folder; the same bytes for the same result."""
    from lauter.stages.language.evaluation.charts import charts, overview

    out.mkdir(parents=True)
    (out / "evaluation.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "overview.svg").write_text(overview(result["sets"]), "utf-8")
    for report in result["sets"]:
        for name, chart in charts(report).items():
            (out / f"{report['set']}-{name}.svg").write_text(chart, "utf-8")


def _reports(
    identifier: Identifier, examples: Sequence[Examples], support: Mapping[str, Support]
) -> list[dict[str, Any]]:
    console = Console(stderr=True, emoji=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        return [_report(identifier, each, support, progress) for each in examples]


def _report(
    identifier: Identifier, examples: Examples, support: Mapping[str, Support], progress: Progress
) -> dict[str, Any]:
    from lauter.stages.language.evaluation.evaluate import evaluate as evaluate_set

    task = progress.add_task(examples.name, total=len(examples.gold))

    def told(done: int) -> None:
        progress.update(task, completed=done)

    return evaluate_set(identifier, examples, support, told)


def _print(console: Console, reports: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("set")
    for column in ("texts", "labels", "accuracy", "macro-F1", "known", "clusters", "macro", "FPR", "ECE"):
        table.add_column(column, justify="right")
    for report in reports:
        whole = report["all"]
        table.add_row(
            Text(report["set"]),
            f"{whole['texts']:,}",
            f"{whole['labels']:,}",
            f"{whole['accuracy']:.4f}",
            f"{whole['macro_f1']:.4f}",
            f"{report['known']['macro_f1']:.4f}",
            f"{report['clusters']['macro_f1']:.4f}",
            f"{report['macrolanguages']['macro_f1']:.4f}",
            f"{whole['false_positive_rate']:.6f}",
            f"{report['ece']:.4f}",
        )
    console.print(table)
    for report in reports:
        if report["by_level"]:
            levels = ", ".join(f"{row['name']} {row['macro_f1']:.3f}" for row in report["by_level"])
            console.print(Text(f"{report['set']}, macro-F1 by support: {levels}"), soft_wrap=True)
        confused = ", ".join(
            f"{row['gold']} as {row['answer']} {row['texts']}" for row in report["confusions"][:_CONFUSIONS]
        )
        if confused:
            console.print(Text(f"{report['set']}, most confused: {confused}", style="dim"), soft_wrap=True)
