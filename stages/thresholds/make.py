"""Entries of a languages file from a corpus, or from a folder of reference text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import yaml

from lauter.pipeline.contract import StageContext
from lauter.pipeline.storage import Storage
from lauter.stages.language.load import NAMED
from lauter.stages.language.stage import Language
from lauter.stages.languages_file import LanguageEntry
from lauter.stages.quality import Quality, QualityConfig
from lauter.stages.thresholds.checking import Check
from lauter.stages.thresholds.corpus import Corpus
from lauter.stages.thresholds.derived import COLUMNS, ENGLISH, OF_LINES, quality_of
from lauter.stages.thresholds.frequencies import Folding, count_words, shares
from lauter.stages.thresholds.histograms import Histograms
from lauter.stages.thresholds.limits import Method
from lauter.stages.thresholds.lines import counted, labels_of, lines
from lauter.stages.thresholds.stop_words import SHORTEST_TEXT, stop_words


class Made(NamedTuple):
    """What was made: two files' entries, by label, and from what."""

    thresholds: Mapping[str, LanguageEntry]
    words: Mapping[str, LanguageEntry]
    origin: str
    model: str | None = None
    """The language model that gave the scores, where it has a name and the thresholds are of scores."""


class Listing(NamedTuple):
    """How lists of stop words are chosen."""

    least_words: int = 2000
    """Words that a label needs for a list of its own."""
    fallback: Mapping[str, LanguageEntry] = {}
    """Lists for labels that get none from the data."""
    checks: tuple[Check, ...] = ()
    """Sets of running text, on one of which a list must be seen to work: one alone may have a wrong label. None: lists
    are taken as they are."""

    def choose(self, label: str, sources: Mapping[str, Counter[str]]) -> LanguageEntry | None:
        """The first list of a label that will do: of all its sources, of each alone, of `fallback`; or None."""
        lists = []
        if sum(source.total() for source in sources.values()) >= self.least_words:
            apart = [{name: sources[name]} for name in sorted(sources)] if len(sources) > 1 else []
            lists = [stop_words(shares(some)) for some in (sources, *apart)]
        other = self.fallback.get(label)
        for words in (*lists, other.stop_words if other else None):
            passes = not self.checks or any(check.passes(label, words or ()) for check in self.checks)
            if words is not None and passes:
                return LanguageEntry(stop_words=words)
        return None


def from_corpus(storage: Storage, least: int, listing: Listing, method: Method | None, tail: float) -> Made:
    """Thresholds of the language score and of quality, and stop words, of each label with enough documents.

    Args:
        storage: The run folder of a finished corpus.
        least: Documents that a label needs for thresholds.
        listing: How stop words are chosen.
        method: Of `limits.METHODS`, for all thresholds of quality; None: each one's own (`derived.METHOD_OF`).
        tail: Share that the method `tail` drops.

    Raises:
        ValueError: The corpus lacks scores, or English where a method compares with it.
        StorageError: It cannot be read.
    """
    about = storage.read_json("corpus.json")
    corpus = Corpus(storage, least)
    _has_english(corpus.histograms, method, f"the corpus {about['name']}")
    found = {
        label: LanguageEntry(
            documents=corpus.documents[label],
            language_score=score,
            quality=quality_of(corpus.histograms, label, method=method, tail=tail),
        )
        for label, score in corpus.language_scores.items()
    }
    folding = Folding()
    sources = {label: {"corpus": count_words(texts, folding)} for label, texts in corpus.samples()}
    words = _listed(((label, sources.get(label, {})) for label in sorted({*sources, *listing.fallback})), listing)
    return Made(found, words, f"the corpus {about['name']}, lineage {about['lineage']}", _model(storage))


def from_folder(
    folder: Path,
    sources: frozenset[str],
    least: int,
    listing: Listing,
    method: Method | None,
    tail: float,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> Made:
    """Stop words from texts and lists, and thresholds of word lengths from texts: lines have no layout to judge.

    Lines of a label are put together to documents of at least 50 words, of which a label needs `least`. Other
    parameters as in `from_corpus`; `sources`: those that are used, none for all.

    Raises:
        ValueError: A file is not of its form (`lines`), or English is missing.
    """
    labels = labels_of(folder)
    folding = Folding()
    histograms = Histograms(COLUMNS)
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    # A list that nothing can be checked on is not taken, so the words of such a label are not counted.
    checked = {label for check in listing.checks for label in check.labels} or {*labels, *listing.fallback}
    own = frozenset(labels)
    words = _listed(
        ((label, counted(folder, label, sources, folding) if label in own else {}) for label in sorted(checked)),
        listing,
    )
    documents = {}
    for number, label in enumerate(labels):
        progress(number, len(labels))
        texts = _documents(folder, label, sources)
        if len(texts) >= least:
            documents[label] = len(texts)
            column = pa.array([label] * len(texts), pa.string())
            batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string()), "language": column})
            histograms.add(column, stage.apply(batch).columns)
    found = {}
    if documents:
        _has_english(histograms, method, str(folder))
        found = {
            label: LanguageEntry(documents=count, quality=quality_of(histograms, label, OF_LINES, method, tail))
            for label, count in documents.items()
        }
    used = f" of the sources {', '.join(sorted(sources))}" if sources else ""
    return Made(found, words, f"{len(labels):,} labels' lines and lists{used}, SHA-256 over them {_digest(folder)}")


def _model(storage: Storage) -> str | None:
    """The language model of a corpus by its name; None where it has none, as a file has not."""
    locked = yaml.safe_load(storage.read("manifest.lock.yaml"))
    for stage in locked["stages"]:
        if Language.name in stage:
            named = stage[Language.name]["config"]["model"]
            return named if named in NAMED else None
    return None


def _listed(counts: Iterable[tuple[str, Mapping[str, Counter[str]]]], listing: Listing) -> dict[str, LanguageEntry]:
    chosen = ((label, listing.choose(label, sources)) for label, sources in counts)
    return {label: entry for label, entry in chosen if entry is not None}


def _documents(folder: Path, label: str, sources: frozenset[str]) -> list[str]:
    texts: list[str] = []
    held: list[str] = []
    size = 0
    for _, text in lines(folder, label, sources):
        held.append(text)
        # A letter count stands in where there are no spaces: the exact number of words does not matter here.
        size += max(text.count(" ") + 1, len(text) // 12)
        if size >= SHORTEST_TEXT:
            texts.append("\n".join(held))
            held, size = [], 0
    return texts


def _has_english(histograms: Histograms, method: Method | None, where: str) -> None:
    if method != "tail" and histograms.of(ENGLISH, "mean_word_length") is None:
        raise ValueError(
            f"{where} has too few English documents ({ENGLISH}): thresholds were set on English and are carried from "
            "there to other languages; add some, or take --method tail"
        )


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".txt", ".words")):
        with path.open("rb") as stream:
            digest.update(f"{path.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
