"""Groups of sister languages that a model does not tell apart: the cluster map that is published with it.

Two labels of one script are sisters when held-out lines of one are often answered with the other, and the two are of
one macrolanguage (ISO 639-3), or at least of one family and so often that the model is no better than a guess among
neighbours. Groups are the connected components. What a map is then measured on must not be what it was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from lauter.stages.language.labels.registry import families, macrolanguage_of

WITHIN_MACROLANGUAGE = 0.05
WITHIN_FAMILY = 0.20
"""Share of the lines of a label that are answered with the other, from which the two are sisters."""
LEAST = 2
"""Lines that this is at least: one line is chance."""


def find_clusters(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Label -> name of its cluster, for the labels that are in one.

    A cluster is called by its macrolanguage and script (`que_Latn`) if all its labels are of one, else by its label
    that has most lines, the first of several.

    Args:
        pairs: Of each held-out line its label and the answer.
    """
    confused = Counter(pairs)
    lines: Counter[str] = Counter()
    for (gold, _), count in confused.items():
        lines[gold] += count
    parent = {label: label for pair in confused for label in pair}

    def root(label: str) -> str:
        while parent[label] != label:
            parent[label] = label = parent[parent[label]]
        return label

    for (gold, answer), count in sorted(confused.items()):
        if gold != answer and count >= LEAST and count >= _least_share(gold, answer) * lines[gold]:
            parent[max(root(gold), root(answer))] = min(root(gold), root(answer))
    groups: dict[str, list[str]] = {}
    for label in sorted(parent):
        groups.setdefault(root(label), []).append(label)
    clusters: dict[str, str] = {}
    for members in groups.values():
        if len(members) > 1:
            above = {macrolanguage_of(label[:3]) for label in members}
            macrolanguage = above.pop() if len(above) == 1 else None
            most = max(members, key=lambda label: lines[label])
            clusters |= dict.fromkeys(members, f"{macrolanguage}{most[3:]}" if macrolanguage else most)
    return clusters


def _least_share(one: str, other: str) -> float:
    """From which share of confusions two labels are sisters; above 1 where they never are."""
    if one[3:] != other[3:]:
        return 2.0
    macrolanguage = macrolanguage_of(one[:3])
    if macrolanguage is not None and macrolanguage == macrolanguage_of(other[:3]):
        return WITHIN_MACROLANGUAGE
    family = families().get(one[:3])
    return WITHIN_FAMILY if family not in (None, "Isolate") and family == families().get(other[:3]) else 2.0
