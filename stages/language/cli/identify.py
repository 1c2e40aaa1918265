"""`lauter lang identify`: what language a file is in, as the stage would say, or each of its paragraphs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lauter.pipeline import schema
from lauter.pipeline.cli.compiling import told_of_kernels
from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show, table_console
from lauter.stages.language.cli.model import MODEL_HELP, NormaliseOption, load_model, load_support

if TYPE_CHECKING:
    from lauter.stages.language.identify import Identifier, Judgement
    from lauter.stages.language.labels.support import Support
    from lauter.stages.language.stage import LanguageConfig

_STANDARD_INPUT = "-"
# Paragraphs that are judged at a time: their probabilities of 2,000 labels are 16 MB.
_PARAGRAPHS = 2048
# Code points of a paragraph that are shown beside its label.
_SHOWN = 48


class _Texts(NamedTuple):
    """Texts as the identifier takes them."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def identify(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Text in UTF-8; - is standard input.")],
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "embedded",
    top: Annotated[int, typer.Option(min=1, max=20, metavar="N", help="Languages that are named.")] = 3,
    normalise: NormaliseOption = None,
    *,
    lines: Annotated[
        bool, typer.Option("--lines", help="Say it of each paragraph too; the file's are its votes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what language a text is in: label, name, probability, runners-up, and whether part of it is in another.

    JSON has `support`, how well the model knows the label, and `least_score`, below which a build drops the document
    where no manifest says otherwise (null for what is in no language). `second_by_lines` is what a build with
    `lines: true` would find besides.
    """
    from lauter.stages.language.stage import LanguageConfig

    texts = {name: _read(name) for name in files}
    identifier = load_model(model, normalise=normalise)
    support = load_support(model, None)
    config = LanguageConfig()
    results = []
    with told_of_kernels():
        for name, text in texts.items():
            found = _document(identifier, text, config, support, top, by_lines=lines)
            paragraphs = list(_paragraphs(identifier, text, config)) if lines else []
            results.append({"file": name, **found, **({"lines": paragraphs} if lines else {})})
    if as_json:
        show(results)
        return
    console = table_console()
    for result in results:
        _print(console, result)


def _read(name: str) -> bytes:
    try:
        found = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        fail(f"{name} can't be read: {error.strerror}", USAGE)
    try:
        found.decode("utf-8")
    except UnicodeDecodeError as error:
        place = "standard input" if name == _STANDARD_INPUT else name
        mend = "convert it (`iconv -f LATIN1 -t UTF-8`) and ask again"
        fail(f"{place} is not UTF-8 at byte {error.start}: {mend}", FAILED)
    return found


def _texts(texts: Sequence[bytes]) -> _Texts:
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    offsets.flags.writeable = False
    return _Texts(np.frombuffer(b"".join(texts), np.uint8), offsets)


def _document(
    identifier: Identifier,
    text: bytes,
    config: LanguageConfig,
    support: Mapping[str, Support],
    top: int,
    *,
    by_lines: bool,
) -> dict[str, Any]:
    """What the stage finds, with the `top` best labels, and the other language that the lines show where it sees none.

    A text of one piece (`LanguageConfig.piece_chars`) is in one language to the stage, unless it judges lines.
    """
    from lauter.stages.language.labels import is_unidentified
    from lauter.stages.language.labels.registry import describe, macrolanguage_of
    from lauter.stages.language.least_score import of_table
    from lauter.stages.language.pieces import lines, pieces

    units = pieces(*_texts([text]), config.piece_chars)
    voting = identifier.judge(lines(units), top, config.min_letters, by_lines=True)
    found = voting if by_lines else identifier.judge(units, top, config.min_letters)
    best = _labels(identifier, found, 0)
    # Of lines a probability is the mean of those that voted for the label: those of several labels make no sum.
    codes = [each["label"][:3] for each in (best[:1] if by_lines else best)]
    family = macrolanguage_of(codes[0]) or codes[0]
    sisters = [each for each, code in zip(best, codes, strict=False) if (macrolanguage_of(code) or code) == family]
    second = _second(identifier, found)
    known = support.get(best[0]["label"])
    return {
        **best[0],
        "support": known.level if known else None,
        "least_score": None if is_unidentified(best[0]["label"]) else of_table(known) / schema.RATIO_SCALE,
        "script": describe(best[0]["label"]).script,
        "others": best[1:],
        # Which of several sisters it is may be open while their macrolanguage is not.
        "macrolanguage": {
            "code": family,
            "name": describe(f"{family}_").name,
            "probability": sum(each["probability"] for each in sisters),
        }
        if len(sisters) > 1
        else None,
        "second": second,
        "second_by_lines": _second(identifier, voting) if second is None else None,
        "other_script": float(found.other_script[0]),
    }


def _second(identifier: Identifier, found: Judgement) -> dict[str, Any] | None:
    """The language that a part of the text is in besides."""
    from lauter.stages.language.labels.registry import describe

    if found.second[0] < 0:
        return None
    label = identifier.names[found.second[0]]
    return {"label": label, "name": describe(label).name, "share": float(found.share[0])}


def _paragraphs(identifier: Identifier, text: bytes, config: LanguageConfig) -> Iterator[dict[str, Any]]:
    """Each line that has something on it, judged alone."""
    from lauter.stages.language.pieces import whole

    numbered = [(number, line) for number, line in enumerate(text.split(b"\n"), 1) if line.strip()]
    for start in range(0, len(numbered), _PARAGRAPHS):
        some = numbered[start : start + _PARAGRAPHS]
        found = identifier.judge(whole(*_texts([line for _, line in some])), 1, config.min_letters)
        for row, (number, line) in enumerate(some):
            shown = line.decode()[:_SHOWN].strip()
            yield {"line": number, **_labels(identifier, found, row)[0], "text": shown}


def _labels(identifier: Identifier, found: Judgement, row: int) -> list[dict[str, Any]]:
    """The labels of a text, best first; the probability of `und_` is none."""
    from lauter.stages.language.labels.registry import describe

    best = []
    for label, probability in zip(found.labels[row].tolist(), found.probabilities[row].tolist(), strict=True):
        if label >= 0:
            name = identifier.names[label]
            is_unknown = name.startswith("und_")
            best.append(
                {"label": name, "name": describe(name).name, "probability": None if is_unknown else probability}
            )
    return best


def _print(console: Console, result: Mapping[str, Any]) -> None:
    from lauter.stages.language.labels.support import LEVEL_WORDS
    from lauter.stages.language.least_score import quantised

    head = Text.assemble((result["file"], "dim"), "  ", (result["name"], "bold"), f"  {result['label']}")
    if result["probability"] is not None:
        head.append(f"  {result['probability']:.4f}")
    if result["support"] is not None:
        level = result["support"]
        head.append(f"  {LEVEL_WORDS[level]}", style="green" if level == "well" else "yellow")
    if result["least_score"] is None:
        head.append("  a build drops it", style="red")
    elif quantised(result["probability"]) < quantised(result["least_score"]):
        head.append(f"  a build drops it below {result['least_score']:.2f}", style="red")
    console.print(head, soft_wrap=True)
    others = ", ".join(f"{other['name']} ({other['label']}) {other['probability']:.4f}" for other in result["others"])
    if others:
        console.print(Text(f"  then {others}", style="dim"), soft_wrap=True)
    if result["macrolanguage"]:
        found = result["macrolanguage"]
        console.print(
            Text(f"  together as {found['name']} ({found['code']}) {found['probability']:.4f}", style="dim"),
            soft_wrap=True,
        )
    if result["second"]:
        second = result["second"]
        console.print(
            Text(f"  part in another language: {second['share']:.0%} {second['name']} ({second['label']})"),
            soft_wrap=True,
        )
    if result["second_by_lines"]:
        second = result["second_by_lines"]
        console.print(
            Text(
                f"  some lines in another language: {second['share']:.0%} {second['name']} ({second['label']});"
                " a build sees it with `lines: true`, --lines shows each"
            ),
            soft_wrap=True,
        )
    if result["other_script"] >= 0.005:
        console.print(Text(f"  letters of another script: {result['other_script']:.1%}"), soft_wrap=True)
    if result.get("lines"):
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("line", justify="right", min_width=4)
        table.add_column("label", no_wrap=True, min_width=8)
        table.add_column("language", no_wrap=True, overflow="ellipsis", max_width=24)
        table.add_column("prob.", justify="right", min_width=5)
        table.add_column("text", no_wrap=True, style="dim", overflow="ellipsis")
        for line in result["lines"]:
            probability = "–" if line["probability"] is None else f"{line['probability']:.2f}"
            table.add_row(str(line["line"]), line["label"], Text(line["name"]), probability, Text(line["text"]))
        console.print(table)
