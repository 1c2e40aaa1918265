"""Groups of sister languages that a model does not tell apart: the cluster map that is published with it.

Two labels of one script are sisters when ISO 639-3 has them under one macrolanguage, whether the model confuses them or
not; or when they are of one family, and held-out lines of one are often answered with the other. Groups are the
connected components. What a map is then measured on must not be what it was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from lauter.stages.language.labels.registry import families, macrolanguage_of

WITHIN_FAMILY = 0.15
"""Share of the lines of a label that are answered with another of its family, from which the two are sisters. With 0.2
the map has 150 groups instead of 180, and macro-F1 of the Declaration of Human Rights with sisters as one is 0.908
instead of 0.913; with 0.1 it has 197, and 0.915."""
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

    sisters = [
        (gold, answer)
        for (gold, answer), count in sorted(confused.items())
        if count >= LEAST and count >= WITHIN_FAMILY * lines[gold] and _of_one_family(gold, answer)
    ]
    under: dict[tuple[str, str], str] = {}
    for label in sorted(parent):
        macrolanguage = macrolanguage_of(label[:3])
        if macrolanguage is not None:
            sisters.append((under.setdefault((macrolanguage, label[3:]), label), label))
    for one, other in sisters:
        parent[max(root(one), root(other))] = min(root(one), root(other))
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


def _of_one_family(one: str, other: str) -> bool:
    """Whether two labels of one script are of one family."""
    family = families().get(one[:3])
    return one[3:] == other[3:] and family not in (None, "Isolate") and family == families().get(other[:3])
