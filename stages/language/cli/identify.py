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
from lauter.pipeline.cli.console import USAGE, JsonOption, fail, show
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
    """Say what language a text is in: label, name, probability, runners-up, and whether part of it is in another."""
    from lauter.stages.language.stage import LanguageConfig

    texts = {name: _read(name) for name in files}
    identifier = load_model(model, normalise=normalise)
    support = load_support(model, None)
    config = LanguageConfig()
    results = []
    for name, text in texts.items():
        found = _document(identifier, text, config, top, by_lines=lines)
        paragraphs = list(_paragraphs(identifier, text, config)) if lines else []
        results.append({"file": name, **found, **({"lines": paragraphs} if lines else {})})
    if as_json:
        show(results)
        return
    console = Console(emoji=False)
    for result in results:
        _print(console, result, support)


def _read(name: str) -> bytes:
    try:
        found = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        fail(f"{name} can't be read: {error.strerror}", USAGE)
    # Bytes that are no UTF-8 are judged as what a reader would see.
    return found.decode("utf-8", "replace").encode()


def _texts(texts: Sequence[bytes]) -> _Texts:
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    offsets.flags.writeable = False
    return _Texts(np.frombuffer(b"".join(texts), np.uint8), offsets)


def _document(
    identifier: Identifier, text: bytes, config: LanguageConfig, top: int, *, by_lines: bool
) -> dict[str, Any]:
    """What the stage finds, with the `top` best labels."""
    from lauter.stages.language.labels.registry import describe, macrolanguage_of
    from lauter.stages.language.pieces import lines, pieces

    units = pieces(*_texts([text]), config.piece_chars)
    found = identifier.judge(lines(units) if by_lines else units, top, config.min_letters, by_lines=by_lines)
    best = _labels(identifier, found, 0)
    # Of lines a probability is the mean of those that voted for the label: those of several labels make no sum.
    codes = [each["label"][:3] for each in (best[:1] if by_lines else best)]
    family = macrolanguage_of(codes[0]) or codes[0]
    sisters = [each for each, code in zip(best, codes, strict=False) if (macrolanguage_of(code) or code) == family]
    second = identifier.names[found.second[0]] if found.second[0] >= 0 else None
    return {
        **best[0],
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
        "second": second and {"label": second, "name": describe(second).name, "share": float(found.share[0])},
        "other_script": float(found.other_script[0]),
    }


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


def _print(console: Console, result: Mapping[str, Any], support: Mapping[str, Support]) -> None:
    from lauter.stages.language.labels.support import LEVEL_WORDS
    from lauter.stages.language.least_score import of_table, quantised

    head = Text.assemble((result["file"], "dim"), "  ", (result["name"], "bold"), f"  {result['label']}")
    if result["probability"] is not None:
        head.append(f"  {result['probability']:.4f}")
    if result["label"] in support:
        known = support[result["label"]]
        head.append(f"  {LEVEL_WORDS[known.level]}", style="green" if known.level == "well" else "yellow")
        least = of_table(known)
        if result["probability"] is not None and quantised(result["probability"]) < least:
            head.append(f"  a build drops it below {least / schema.RATIO_SCALE:.2f}", style="red")
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
