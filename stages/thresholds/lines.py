"""Reference text of a folder: `LABEL.txt` with lines of text, `LABEL.words` with frequency lists.

A line of `.txt` is a text, or a source, a tab and a text; a line of `.words` is a source, a word and a count, with tabs
between them. That is the form of what the language model is trained from (`lauter lang train`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lauter.stages.languages_file import LABEL
from lauter.stages.thresholds.frequencies import OTHERS, Folding, count_words

PLAIN = "text"
"""The source of lines that name none."""
RARE = 1e-4
"""Share of a list below which a word is not looked at: it is an eightieth of what a stop word has, and nine entries of
ten are rarer."""


def labels_of(folder: Path) -> list[str]:
    """The labels that a folder has files of, sorted.

    Raises:
        ValueError: There is no such file, or one whose name is no label.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in (".txt", ".words"))
    if not files:
        raise ValueError(f"{folder}: neither a corpus (no corpus.json) nor a folder of LABEL.txt or LABEL.words")
    for path in files:
        if not LABEL.fullmatch(path.stem):
            raise ValueError(f"{path}: its name is no label: deu_Latn.txt has text in German")
    return sorted({path.stem for path in files})


def lines(folder: Path, label: str, sources: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(source, text) of each line of a label's text; all sources where none is named."""
    path = folder / f"{label}.txt"
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            source, tab, text = line.rstrip("\n").partition("\t")
            if not tab:
                source, text = PLAIN, source
            if text and (not sources or source in sources):
                yield source, text


def counted(folder: Path, label: str, sources: frozenset[str], folding: Folding) -> dict[str, Counter[str]]:
    """Source -> words of a label and how often each occurs, in texts and in lists. Memory: one label.

    An entry of a list that is several words is no word, and left out.

    Raises:
        ValueError: A line of a list is not a source, a word and a count; with file and line.
    """
    texts: dict[str, list[str]] = {}
    for source, text in lines(folder, label, sources):
        texts.setdefault(source, []).append(text)
    found = {source: count_words(own, folding) for source, own in texts.items()}
    for source, listed in _lists(folder / f"{label}.words", sources).items():
        # A source with texts and a list is one source. Words that are too rare to matter go uncounted into the total.
        least = sum(listed.values()) * RARE
        own = found.setdefault(source, Counter())
        for word, count in listed.items():
            folded = folding.fold(word) if count >= least else OTHERS
            if folded is not None:
                own[folded] += count
    return found


def _lists(path: Path, sources: frozenset[str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            source, _, rest = line.rstrip("\n").partition("\t")
            if sources and source not in sources:
                continue
            word, _, count = rest.partition("\t")
            if not word or not count.isdecimal():
                raise ValueError(f"{path}:{number}: expected a source, a word and a count, with tabs between them")
            found.setdefault(source, Counter())[word] += int(count)
    return found
