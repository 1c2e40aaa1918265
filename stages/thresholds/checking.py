"""Whether a list of stop words works: ordinary running text of the language, from elsewhere, has two of them.

A list can be frequent and useless: of a tokeniser that cuts endings off (Korean particles never stand alone), of one
book ("God", "Kalaallit Nunaat"), of a language whose function words grow onto others. The rule would then drop good
text, and most where there is little of it. So a list is taken where it was seen to work, and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lauter.stages.language.evaluation.examples import read
from lauter.stages.thresholds.frequencies import Folding, count_words

SAMPLE_WORDS = 60
"""Words of a sample, about: a little more than the shortest text that is judged (Gopher: 50)."""
PASSING = 6, 7
"""Share of the samples that must have two stop words. The others may be names, lists and headings."""
FEWEST_SAMPLES = 3
"""Samples below which a text says nothing of a label."""


class Check:
    """Running text by label, cut into samples."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """Cut lines, each a label and a text, into samples. Memory: the distinct words of each sample."""
        self._samples: dict[str, list[frozenset[str]]] = {}
        folding = Folding()
        held: dict[str, Counter[str]] = {}
        for label, text in rows:
            words = held.setdefault(label, Counter())
            words.update(count_words([text], folding))
            if words.total() >= SAMPLE_WORDS:
                self._samples.setdefault(label, []).append(frozenset(words))
                held[label] = Counter()

    @property
    def labels(self) -> frozenset[str]:
        """The labels that have enough samples."""
        return frozenset(label for label, samples in self._samples.items() if len(samples) >= FEWEST_SAMPLES)

    def passes(self, label: str, words: Sequence[str]) -> bool:
        """Whether enough samples of a label have two or more of the words."""
        listed = frozenset(words)
        samples = self._samples.get(label, [])
        good = sum(len(sample & listed) >= 2 for sample in samples)
        return len(samples) >= FEWEST_SAMPLES and good * PASSING[1] >= len(samples) * PASSING[0]


def read_check(path: Path) -> Check:
    """A check from a set of labelled texts. Raises ValueError and OSError as `examples.read` does."""
    return Check(read(path).pairs())
