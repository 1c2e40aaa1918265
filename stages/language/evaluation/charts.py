"""The charts of an evaluation, one SVG each: what `evaluate` found, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lauter.stages.language.evaluation.svg import Sheet, Tone
from lauter.stages.language.labels.support import LEVEL_WORDS, LEVELS

LEVEL_TONES: Mapping[str, Tone] = {"well": "good", "weak": "warn", "words": "other", "untested": "bad"}
"""The colour of each level of support; a label of another model has that of ink."""

_CONFUSED = 28
_SCRIPTS = 24
_ROW = 22


def charts(report: Mapping[str, Any]) -> dict[str, str]:
    """The charts of one set by name: `labels`, `calibration`, `lengths`, `scripts`, `confusions`."""
    drawn: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "labels": label_tail,
        "calibration": calibration,
        "lengths": lengths,
        "scripts": scripts,
        "confusions": confusion_matrix,
    }
    return {name: draw(report) for name, draw in drawn.items()}


def overview(reports: Sequence[Mapping[str, Any]]) -> str:
    """Macro-F1 of every set, and what it is with sister languages rolled up."""
    sheet = Sheet(720, 74 + 34 * len(reports), "Macro-F1 by set, and with sister languages rolled up")
    left, width = 190, 440
    for place, report in enumerate(reports):
        y = 46 + 34 * place
        alone, together = report["all"]["macro_f1"], report["clusters"]["macro_f1"]
        sheet.write(16, y + 14, report["set"])
        sheet.box(left, y, width, 20, "faint")
        sheet.box(left, y, width * together, 20, "band", tip=f"rolled up {together:.3f}")
        sheet.box(left, y, width * alone, 20, "good", tip=f"{alone:.3f}")
        sheet.write(left + width + 12, y + 14, f"{alone:.3f}")
        sheet.write(left + width + 54, y + 14, f"{together:.3f}", "soft")
    return sheet.text()


def label_tail(report: Mapping[str, Any]) -> str:
    """F1 of every label that has a text, best first, in the colour of its level."""
    rows = sorted((row for row in report["labels"] if row["texts"]), key=lambda row: (-row["f1"], row["label"]))
    sheet = Sheet(880, 330, f"F1 of {len(rows)} labels, {report['set']}")
    left, top, width, height = 52, 48, 800, 220
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = top + height * (1 - share)
        sheet.path([(left, y), (left + width, y)], "line")
        sheet.write(left - 8, y + 4, f"{share:.2f}", "soft", "end")
    step = width / max(len(rows), 1)
    for place, row in enumerate(rows):
        tone = LEVEL_TONES.get(row.get("level", ""), "soft")
        tall = max(height * row["f1"], 1)
        tip = f"{row['label']} F1 {row['f1']:.2f}, {row['texts']} texts"
        sheet.box(left + place * step, top + height - tall, max(step, 0.4), tall, tone, tip=tip)
    shown = [level for level in LEVELS if any(row.get("level") == level for row in rows)]
    x = float(left)
    for level in shown:
        count = sum(row.get("level") == level for row in rows)
        words = f"{LEVEL_WORDS[level]} ({count})"
        sheet.box(x, top + height + 24, 10, 10, LEVEL_TONES[level])
        sheet.write(x + 16, top + height + 33, words, "soft")
        x += 40 + 6.6 * len(words)
    best = sum(row["f1"] >= 0.9 for row in rows)
    sheet.write(left + width, top + height + 52, f"{best} labels at 0.9 or above", "soft", "end")
    return sheet.text()


def calibration(report: Mapping[str, Any]) -> str:
    """How often answers of a probability are right: on the diagonal, as often as they say."""
    sheet = Sheet(460, 470, f"Calibration, {report['set']}: error {report['ece']:.3f}")
    left, top, side = 56, 48, 360
    for share in (0, 0.25, 0.5, 0.75, 1):
        y, x = top + side * (1 - share), left + side * share
        sheet.path([(left, y), (left + side, y)], "line")
        sheet.write(left - 8, y + 4, f"{share:.2f}", "soft", "end")
        sheet.write(x, top + side + 18, f"{share:.2f}", "soft", "middle")
    sheet.path([(left, top + side), (left + side, top)], "soft")
    most = max((found["texts"] for found in report["reliability"]), default=1)
    points = []
    for found in report["reliability"]:
        x, y = left + side * found["probability"], top + side * (1 - found["accuracy"])
        points.append((x, y))
        wide = side * (found["high"] - found["low"]) - 2
        tall = 70 * found["texts"] / most
        sheet.box(left + side * found["low"] + 1, top + side - tall, wide, tall, "band", 0.7)
    sheet.path(points, "good", 2)
    for (x, y), found in zip(points, report["reliability"], strict=True):
        sheet.dot(
            x, y, 3.5, "good", f"{found['texts']} texts: says {found['probability']:.2f}, is {found['accuracy']:.2f}"
        )
    sheet.write(left + side / 2, top + side + 40, "probability of the answer (bars: texts)", "soft", "middle")
    return sheet.text()


def lengths(report: Mapping[str, Any]) -> str:
    """Accuracy by length of the text."""

    def name(row: Mapping[str, Any]) -> str:
        if row["to"] is None:
            return f"{row['from']} and more"
        return f"under {row['to']}" if not row["from"] else f"{row['from']} to {row['to'] - 1}"

    rows = [(name(row), row["accuracy"], row["texts"]) for row in report["by_length"]]
    return _bars(f"Accuracy by code points of a text, {report['set']}", rows)


def scripts(report: Mapping[str, Any]) -> str:
    """Accuracy by script, the scripts with most texts first."""
    rows = [(row["name"], row["accuracy"], row["texts"]) for row in report["by_script"][:_SCRIPTS]]
    return _bars(f"Accuracy by script, {report['set']}", rows)


def _bars(title: str, rows: Sequence[tuple[str, float, int]]) -> str:
    sheet = Sheet(640, 60 + _ROW * len(rows), title)
    left, width = 120, 330
    for place, (name, share, texts) in enumerate(rows):
        y = 44 + _ROW * place
        sheet.write(left - 10, y + 12, name, "ink", "end")
        sheet.box(left, y, width, _ROW - 8, "faint")
        sheet.box(left, y, width * share, _ROW - 8, "good")
        sheet.write(left + width + 12, y + 12, f"{share:.3f}")
        sheet.write(left + width + 66, y + 12, f"{texts:,} texts", "soft")
    return sheet.text()


def confusion_matrix(report: Mapping[str, Any]) -> str:
    """The labels that are taken for another most often: a row for what a text is, a column for the answer."""
    texts = {row["label"]: row["texts"] for row in report["labels"]}
    names: list[str] = []
    for found in report["confusions"]:
        names += [name for name in (found["gold"], found["answer"]) if name not in names]
        if len(names) >= _CONFUSED:
            break
    names = sorted(names[:_CONFUSED], key=lambda name: (name[4:], name))
    right = {row["label"]: round(row["recall"] * row["texts"]) for row in report["labels"]}
    cells = {(found["gold"], found["answer"]): found["texts"] for found in report["confusions"]}
    left, top, side = 100, 120, 20
    sheet = Sheet(left + side * len(names) + 40, top + side * len(names) + 40, f"Most confused labels, {report['set']}")
    for place, name in enumerate(names):
        sheet.write(left - 8, top + side * place + 14, name, "ink", "end")
        sheet.upright(left + side * place + 14, top - 8, name)
    for row, gold in enumerate(names):
        for column, answer in enumerate(names):
            count = right.get(gold, 0) if gold == answer else cells.get((gold, answer), 0)
            x, y = left + side * column, top + side * row
            sheet.box(x, y, side - 1, side - 1, "faint")
            if count:
                share = count / max(texts.get(gold, 0), 1)
                tip = f"{gold} answered {answer}: {count} of {texts.get(gold, 0)}"
                sheet.box(x, y, side - 1, side - 1, "good" if gold == answer else "bad", max(share, 0.08), tip)
    return sheet.text()
