"""A report on a model: its scores on sets of labelled texts, whole and by script, level, length and threshold.

Sister languages that a text does not tell apart can be *rolled up*: gold label and answer both count as their group.
Two kinds of group are reported: the clusters of the embedded model's table, and the macrolanguages of ISO 639-3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.evaluation import scores
from lauter.stages.language.evaluation.examples import Examples
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels.registry import macrolanguage_of, resolve
from lauter.stages.language.labels.support import LEVELS, Support
from lauter.stages.language.pieces import whole

BATCH = 4096
"""Texts that are identified at a time."""

LENGTHS = (30, 60, 120, 500)
"""Borders between lengths in code points. Below 30 a text is a title; 120 and more is a paragraph."""

THRESHOLDS = (0.3, 0.5, 0.7, 0.9)
"""Probabilities from which answers are taken, for the table of what a threshold costs. FineWeb-2's lie in 0.3 .. 0.9
(arXiv:2506.20920)."""

CONFUSIONS = 200
"""Confusions that are listed."""


class _Answered(NamedTuple):
    """A set and its answers, n texts."""

    labels: list[str]
    """Those of the model, then gold labels that it does not have."""
    known: int
    """How many of them are the model's."""
    gold: NDArray[np.int32]
    answers: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Groups:
    """A partition of labels."""

    of: NDArray[np.int32]
    """Shape (labels,): the group of each label."""
    count: int


def evaluate(
    identifier: Identifier,
    examples: Examples,
    support: Mapping[str, Support],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """The report of one set as plain JSON data.

    Args:
        identifier: What is evaluated.
        examples: The set. A label that the model calls by another code (`pes_Arab` for `fas_Arab`) is taken as the
            model's, after `registry.resolve`.
        support: What is known of the model's labels; may be empty.
        progress: Told how many texts are done.

    Returns:
        `all`, `known` (only texts whose label the model has), `clusters`, `macrolanguages` (`scores.Scores` each);
        `ece` and its bins; tables by script, level, length, threshold and label, where `answered_thin` counts the texts
        that are taken for a label with thin evidence, sure enough for its threshold; the most frequent confusions.
    """
    found = _answer(identifier, examples, progress)
    count = len(found.labels)
    whole = scores.tally(found.gold, found.answers, count)
    is_known = np.arange(count) < found.known
    bins = scores.reliability(found.gold == found.answers, found.probabilities)
    levels = np.array([support[label].level if label in support else "" for label in found.labels])
    scripts = np.array([label[4:] for label in found.labels])
    return {
        "set": examples.name,
        "all": scores.summarise(whole)._asdict(),
        "known": scores.summarise(whole, is_known)._asdict(),
        "unknown_labels": found.labels[found.known :],
        "clusters": _rolled_up(found, lambda label: support[label].cluster if label in support else ""),
        "macrolanguages": _rolled_up(found, _macrolanguage),
        "ece": scores.calibration_error(bins),
        "reliability": [each._asdict() for each in bins],
        "by_script": _by(whole, scripts, sorted(set(scripts.tolist()))),
        "by_level": _by(whole, levels, [level for level in LEVELS if level in levels]),
        "by_length": _by_length(found),
        "by_threshold": _by_threshold(found, support),
        "confusions": [
            {"gold": found.labels[gold], "answer": found.labels[answer], "texts": texts}
            for gold, answer, texts in scores.confusions(found.gold, found.answers, count, CONFUSIONS)
        ],
        "labels": _by_label(found, whole, support),
    }


def _answer(identifier: Identifier, examples: Examples, progress: Callable[[int], None]) -> _Answered:
    labels = list(identifier.names)
    places = {label: place for place, label in enumerate(labels)}
    known: dict[str, set[str]] = {}
    for label in labels:
        known.setdefault(label[4:], set()).add(label[:3])
    for label in sorted(set(examples.gold) - set(places)):
        code = resolve(label[:3], known.get(label[4:], set()))
        if code is None:
            labels.append(label)
            places[label] = len(labels) - 1
        else:
            places[label] = places[f"{code}_{label[4:]}"]
    is_unknown = np.array([label.startswith("und_") for label in identifier.names])
    answers, probabilities = [], []
    done = 0
    for data, offsets in examples.batches(BATCH):
        found = identifier.judge(whole(data, offsets), 1, 1)
        answers.append(np.where(is_unknown[found.labels[:, 0]], np.int32(-1), found.labels[:, 0]))
        probabilities.append(found.probabilities[:, 0])
        done += len(offsets) - 1
        progress(done)
    return _Answered(
        labels,
        len(identifier.names),
        np.array([places[label] for label in examples.gold], np.int32),
        np.concatenate(answers).astype(np.int32),
        np.concatenate(probabilities).astype(np.float64),
        examples.lengths(),
    )


def _macrolanguage(label: str) -> str:
    found = macrolanguage_of(label[:3])
    return f"{found or label[:3]}_{label[4:]}"


def _rolled_up(found: _Answered, group: Callable[[str], str]) -> dict[str, Any]:
    names = [group(label) or label for label in found.labels]
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    of = np.array([places[name] for name in names], np.int32)
    answers = np.where(found.answers >= 0, of[found.answers], np.int32(-1))
    return scores.summarise(scores.tally(of[found.gold], answers, len(places)))._asdict()


def _by(whole: scores.Tally, groups: NDArray[np.str_], names: Sequence[str]) -> list[dict[str, Any]]:
    rows = [{"name": name, **scores.summarise(whole, groups == name)._asdict()} for name in names]
    return sorted((row for row in rows if row["texts"]), key=lambda row: (-row["texts"], row["name"]))


def _by_length(found: _Answered) -> list[dict[str, Any]]:
    rows = []
    for low, high in zip((0, *LENGTHS), (*LENGTHS, None), strict=True):
        chosen = (found.lengths >= low) & (True if high is None else found.lengths < high)
        if chosen.any():
            counts = scores.tally(found.gold[chosen], found.answers[chosen], len(found.labels))
            rows.append({"from": low, "to": high, **scores.summarise(counts)._asdict()})
    return rows


def _by_threshold(found: _Answered, support: Mapping[str, Support]) -> list[dict[str, Any]]:
    """What is accepted and how much of it is right, from one probability on, and from each label's own (`own`)."""
    own = np.array([support[label].threshold if label in support else 0.0 for label in found.labels])
    rows: list[tuple[float | str, NDArray[np.bool_]]] = [(least, found.probabilities >= least) for least in THRESHOLDS]
    if support:
        rows.append(("own", found.probabilities >= own[found.answers]))
    table = []
    for least, is_sure in rows:
        accepted = np.where(is_sure, found.answers, np.int32(-1))
        summary = scores.summarise(scores.tally(found.gold, accepted, len(found.labels)))
        count = int((accepted >= 0).sum())
        table.append(
            {
                "threshold": least,
                "accepted": count / len(accepted),
                "precision": float((accepted == found.gold).sum() / count) if count else 0.0,
                "macro_f1": summary.macro_f1,
                "false_positive_rate": summary.false_positive_rate,
            }
        )
    return table


def _by_label(found: _Answered, whole: scores.Tally, support: Mapping[str, Support]) -> list[dict[str, Any]]:
    precision, recall, f1, rate = whole.precision(), whole.recall(), whole.f1(), whole.false_positive_rate()
    own = np.array([support[label].threshold if label in support else 0.0 for label in found.labels])
    taken = np.where(found.probabilities >= own[found.answers], found.answers, np.int32(-1))
    sure = scores.tally(found.gold, taken, len(found.labels))
    is_thin = np.array([label in support and support[label].is_thin for label in found.labels])
    thin = np.bincount(found.gold[(taken >= 0) & is_thin[taken] & (taken != found.gold)], minlength=len(found.labels))
    above = sure.precision()
    rows = []
    for place in np.nonzero(whole.texts + whole.wrong)[0]:
        label = found.labels[place]
        row = {
            "label": label,
            "texts": int(whole.texts[place]),
            "precision": float(precision[place]),
            "recall": float(recall[place]),
            "f1": float(f1[place]),
            "false_positive_rate": float(rate[place]),
        }
        if label in support:
            row |= {
                "level": support[label].level,
                "cluster": support[label].cluster,
                "threshold": support[label].threshold,
                "accepted": int(sure.right[place] + sure.wrong[place]),
                "precision_above_threshold": float(above[place]),
                "answered_thin": int(thin[place]),
            }
        rows.append(row)
    return sorted(rows, key=lambda row: row["label"])
