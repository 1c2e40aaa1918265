"""Scores a trained model label by label, and writes the table of labels that is shipped with it.

Columns: `label`; `level` and `scored` (`labels.support`); `threshold`, the probability from which the answer of a line
keeps its precision, where the label is weak with its sisters counted as right; `document`, the probability from which a
document is taken to be in it; `cluster` (`clusters`); `tier` of the training data: A running text or counted words, B a
list of at least 1,000 word types, C at least 300, D fewer; `lines` of running text and word `types` that were trained
on; then of each test its F1 and its number of lines, empty where it has none of the label.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.evaluation.examples import Examples
from lauter.stages.language.evaluation.scores import calibration_error, reliability
from lauter.stages.language.identify import Identifier
from lauter.stages.language.pieces import whole
from lauter.stages.language.training.clusters import find_clusters
from lauter.stages.language.training.held_out import TEXT, WORDS
from lauter.stages.language.training.material import Material

HELD = ("lines", "words")
"""Names of the sets that training itself keeps out."""
COUNTED = ("unilex", "wordfreq")
"""Sources whose counts come from running text."""
_RUNNING = 300
"""Lines of running text that make tier A."""
_TYPES = (("B", 1000), ("C", 300))

_PRECISION = 0.95
"""What the threshold of a well supported label must keep."""
_RECALL, _LINES = 0.5, 10
"""What a well supported label keeps of its lines at its threshold, and lines that this rests on."""
_FLOORS = {"well": 0.5, "weak": 0.5, "words": 0.9, "untested": 0.9}
"""Least threshold of each level."""
_THIN = 0.9
"""Least threshold of a label of tier C or D, whatever its tests say: a page of a language that is on every other page
must not become one in a language that few pages are in."""
_DOCUMENT = 0.93
"""Least score of a document. Of lines in 100 languages that a model was trained without, one in seven has it."""
_THIN_DOCUMENT = 0.97
"""Of a document of a label with thin evidence, so that a page of a large language does not become one."""
_LARGE, _LARGE_DOCUMENT = "wordfreq", 0.6
"""Of a document of a label that this source has: 41 languages with corpora of many kinds, in which there is so much
text that few pages said to be in them are in one that the model does not know."""
_FAVOURED = 0.5
"""Of a label that the recipe favours: of its texts there are a thousand times as many on the web as of its sisters."""
_ANSWERS = 10
"""Answers in each half of the lines from which a threshold is chosen on one half and judged on the other."""
_STEPS = (*(step / 100 for step in range(50, 100, 5)), 0.97, 0.98, 0.99)
_CEILING = 0.95
"""Threshold of a label with which no probability gives the precision."""


class Scored(NamedTuple):
    """Labelled texts, and what a model answers."""

    name: str
    is_running: bool
    """Whether they are running text; else lines of word types that are kept out of training."""
    fits: int
    """Clusters are made from the confusions of each line (1), of every other line (2), or of none (0)."""
    gold: Sequence[str]
    answers: Sequence[str]
    probabilities: NDArray[np.float64]
    """Shape (n,)."""

    def f1(self) -> dict[str, float]:
        """F1 of each label that the test has."""
        right, wrong, lines = Counter[str](), Counter[str](), Counter(self.gold)
        for gold, answer in zip(self.gold, self.answers, strict=True):
            (right if gold == answer else wrong)[answer] += 1
        return {label: 2 * right[label] / (lines[label] + right[label] + wrong[label]) for label in lines}


def answer(
    identifier: Identifier, data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.float64]]:
    """The label of each text, and its probability, shape (n,)."""
    judgement = identifier.judge(whole(data, offsets), k=1, min_letters=1)
    return [identifier.names[place] for place in judgement.labels[:, 0]], judgement.probabilities[:, 0]


class Set(NamedTuple):
    """Labelled texts, before they are answered."""

    is_running: bool
    fits: int
    """As of `Scored`."""
    texts: Examples

    def scored(self, identifier: Identifier) -> Scored:
        """Them with a model's answers."""
        answers, probabilities = answer(identifier, self.texts.data, self.texts.offsets)
        return Scored(self.texts.name, self.is_running, self.fits, self.texts.gold, answers, probabilities)


def held_sets(material: Material) -> list[Set]:
    """The lines that training kept out, as sets of the names `HELD`."""
    found = []
    for name, kind in zip(HELD, (TEXT, WORDS), strict=True):
        held = [line for line in material.held if line.kind == kind]
        texts = [line.text.encode() for line in held]
        offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
        gold, data = [line.label for line in held], np.frombuffer(b"".join(texts), np.uint8)
        found.append(Set(kind == TEXT, 1, Examples(name, gold, data, offsets)))
    return found


def write_table(path: Path, material: Material, tests: Sequence[Scored]) -> Mapping[str, str]:
    """Write the table; returns the clusters, label -> name."""
    clusters = find_clusters(pair for test in tests if test.fits for pair in zip(test.gold, test.answers, strict=True))
    scores = {test.name: (test.f1(), Counter(test.gold)) for test in tests}
    thresholds = _thresholds([test for test in tests if test.is_running], clusters)
    head = ["label", "level", "scored", "threshold", "document", "cluster", "tier", "lines", "types"]
    head += [f"{kind}_{name}" for name in scores for kind in ("f1", "n")]
    rows = ["\t".join(head)]
    for place, label in enumerate(material.labels):
        evidence = material.evidence[place]
        running = sum(count for source, count in evidence.items() if source in material.running)
        tier = _tier(evidence, running, int(material.types[place]))
        level, scored, threshold = _level(label, tier, tests, scores, thresholds)
        if level == "weak" and label in material.favoured:
            threshold = _FLOORS[level]  # its sisters' lines are as many in the tests, and few on the web
        document = _FAVOURED if label in material.favoured else _document(level, tier, evidence)
        row = [label, level, scored, f"{threshold:.2f}", f"{document:.2f}", clusters.get(label, ""), tier]
        row += [str(running), str(material.types[place])]
        for f1, lines in scores.values():
            row += [f"{f1[label]:.3f}", str(lines[label])] if label in f1 else ["", ""]
        rows.append("\t".join(row))
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return clusters


def _document(level: str, tier: str, evidence: Mapping[str, int]) -> float:
    """The least score of a document in a label that is not favoured."""
    if tier in "CD" or level not in ("well", "weak"):
        return _THIN_DOCUMENT
    return _LARGE_DOCUMENT if _LARGE in evidence else _DOCUMENT


def _tier(evidence: Mapping[str, int], running: int, types: int) -> str:
    if running >= _RUNNING or any(source in COUNTED for source in evidence):
        return "A"
    return next((tier for tier, least in _TYPES if types >= least), "D")


def figures(test: Scored, clusters: Mapping[str, str]) -> Mapping[str, float | int]:
    """What is said of a model by one test: shares of 1, rounded to four places.

    `rolled_up_macro_f1` takes the labels of a cluster as one. Where the clusters were made from every other line, it is
    that of the other lines; where they were made from all, it says how much is confused within clusters, no more.
    """
    right = np.array([gold == answered for gold, answered in zip(test.gold, test.answers, strict=True)])
    f1 = test.f1()
    rest = slice(1, None, 2) if test.fits == 2 else slice(None)
    rolled = test._replace(
        gold=[clusters.get(label, label) for label in test.gold[rest]],
        answers=[clusters.get(label, label) for label in test.answers[rest]],
    ).f1()
    return {
        "lines": len(test.gold),
        "labels": len(f1),
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(float(np.mean(list(f1.values()))), 4),
        "rolled_up_labels": len(rolled),
        "rolled_up_macro_f1": round(float(np.mean(list(rolled.values()))), 4),
        "calibration_error": round(calibration_error(reliability(right, test.probabilities)), 4),
    }


class _Threshold(NamedTuple):
    """Of one label, over the lines of running text of all tests."""

    value: float | None
    """Least probability that gives the precision on one half of the lines, every other one, if it gives it on the other
    half too; where one has few answers, the least that gives it on both. None: none does."""
    recall: float
    """At `value`."""
    with_sisters: float
    """The same as `value` where an answer with a sister of the cluster is right too; the ceiling if there is none."""


def _thresholds(tests: Sequence[Scored], clusters: Mapping[str, str]) -> Mapping[str, _Threshold]:
    """The threshold of each label."""
    answered: dict[str, list[tuple[int, bool, bool, float]]] = defaultdict(list)
    lines: Counter[str] = Counter()
    for test in tests:
        lines.update(test.gold)
        values = test.probabilities.tolist()
        for place, (gold, label, value) in enumerate(zip(test.gold, test.answers, values, strict=True)):
            is_sister = clusters.get(gold, gold) == clusters.get(label, label)
            answered[label].append((place % 2, gold == label, is_sister, value))
    found = {}
    for label in lines:
        rows = np.array(answered[label]).reshape(-1, 4)
        value = _value(rows)
        close = next((step for step in _STEPS if _precision(rows, 2, step) >= _PRECISION), _CEILING)
        kept = 0.0 if value is None else rows[rows[:, 3] >= value, 1].sum()
        found[label] = _Threshold(value, float(kept) / lines[label], close)
    return found


def _value(rows: NDArray[np.float64]) -> float | None:
    """`_Threshold.value`."""
    chosen, judged = rows[rows[:, 0] == 0], rows[rows[:, 0] == 1]
    if min(len(chosen), len(judged)) < _ANSWERS:
        return next((step for step in _STEPS if _precision(rows, 1, step) >= _PRECISION), None)
    for step in _STEPS:
        taken = chosen[chosen[:, 3] >= step, 1]
        if len(taken) and taken.mean() >= _PRECISION:
            kept = judged[judged[:, 3] >= step, 1]
            return step if len(kept) and kept.mean() >= _PRECISION else None
    return None


def _precision(rows: NDArray[np.float64], column: int, least: float) -> float:
    """The lower of the two halves' shares of answers with at least a probability that are right by a column."""
    taken = rows[rows[:, 3] >= least]
    halves = [taken[taken[:, 0] == half, column] for half in (0, 1)]
    return float(min(half.mean() for half in halves)) if all(map(len, halves)) else 0.0


def _level(
    label: str,
    tier: str,
    tests: Sequence[Scored],
    scores: Mapping[str, tuple[Mapping[str, float], Mapping[str, int]]],
    thresholds: Mapping[str, _Threshold],
) -> tuple[str, str, float]:
    """Level of support, what the score rests on, and the threshold."""
    least = _THIN if tier in "CD" else 0.0
    running = [test.name for test in tests if test.is_running and label in scores[test.name][0]]
    if not running:
        has_words = any(label in scores[test.name][0] for test in tests)
        level = "words" if has_words else "untested"
        return level, "word-types" if has_words else "none", max(_FLOORS[level], least)
    lines = sum(scores[name][1][label] for name in running)
    threshold = thresholds[label]
    is_well = tier in "AB" and lines >= _LINES and threshold.recall >= _RECALL
    level = "well" if is_well else "weak"
    value = threshold.value if is_well and threshold.value is not None else threshold.with_sisters
    return level, "running-text", max(_FLOORS[level], least, value)
