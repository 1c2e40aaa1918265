"""What a manifest says of `dedup`: which documents are copies, which copy stays, and what a build stops at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from lauter.pipeline.comparing import Limits, Preference
from lauter.pipeline.contract import CorpusPath, StageConfig

Share = Annotated[float, Field(ge=0, le=1)]

_NAMED = {
    "source": Preference("priority", "ascending"),
    "oldest": Preference("fetched_at", "ascending"),
    "newest": Preference("fetched_at", "descending"),
    "longest": Preference("chars", "descending"),
}


class MinHashConfig(StageConfig):
    """Near duplicates: MinHash over runs of words, banded. Defaults are FineWeb's (arXiv 2406.17557, Deduplication).

    Two documents of Jaccard similarity J meet with probability 1 - (1 - J**rows)**bands: with the defaults 0.56 at
    J = 0.7, 0.92 at 0.8, 0.9996 at 0.9. Those that meet are copies if their similarity is at least `threshold`.
    """

    bands: int = Field(default=14, ge=1, le=256)
    """Keys per document; each costs 16 bytes of disk."""
    rows: int = Field(default=8, ge=1, le=64)
    """Permutations per key."""
    ngram_words: int = Field(default=5, ge=1, le=64)
    """Words per shingle."""
    min_words: int = Field(default=5, ge=1)
    """A document with fewer words, or fewer than `ngram_words`, is only compared exactly."""
    fold_digits: bool = True
    """Read every decimal digit as 0, so that a date or a counter makes no difference. A document of which more than
    half of the words are numbers is read as it is: there they are what tells one timetable from another."""
    seed: int = Field(default=0, ge=0, lt=2**64)
    """Draws the permutations. It is not the seed of the run: signatures of an older crawl must stay comparable."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """The least Jaccard similarity of two copies, measured on their sets of shingles where sketches leave a doubt."""


class BestScore(StageConfig):
    """The document with the best value in a score column that a stage has written."""

    score: str = Field(min_length=1)
    """Name of the column, e.g. `language_score`."""
    best: Literal["highest", "lowest"]
    """Which end of the scale is better."""


def _kind(value: object) -> str:
    return "name" if isinstance(value, str) else "score"


Choice = Annotated[
    Annotated[Literal["source", "oldest", "newest", "longest"], Tag("name")] | Annotated[BestScore, Tag("score")],
    Discriminator(_kind),
]


class DedupConfig(StageConfig):
    """Which documents count as copies, and which of several copies is kept."""

    exact: tuple[Literal["text", "url", "payload"], ...] = Field(default=("text",), strict=False)
    """What two documents may share to be copies, whatever else differs: `text` but for white space, `url` in its normal
    form, `payload` to the byte, where sources have any. Normal form: http = https, host in lower case, as IDNA labels
    and without a dot behind it, an empty path as /; no default port, user name, fragment or white space around. Every
    other difference counts: letter case of the path, a slash at its end, query parameters."""
    minhash: MinHashConfig | None = MinHashConfig()
    """Join near duplicates; null for exact ones only."""
    per_language: bool = False
    """Compare only documents of the same `language` (no language counts as one)."""
    per_source: bool = False
    """Compare only documents of the same source."""
    against: tuple[CorpusPath, ...] = Field(default=(), strict=False)
    """Run folders of older corpora. What they have kept stays, and a document of this corpus that is a copy of it is
    dropped: their signatures are read, and their texts only where a sketch leaves a doubt."""
    prefer: tuple[Choice, ...] = Field(default=("source", "oldest"), strict=False)
    """Which copy is kept: the first entry that tells two documents apart decides, and after all of them the smaller
    doc_id. `source`: the one that stands first in the manifest; `oldest`, `newest`: by date; `longest`: by code points
    of text; `{score: NAME, best: highest}` or `lowest`: by a score column. A document without a value comes last."""
    removed: tuple[Share, Share] = Field(default=(0.0, 1.0), strict=False)
    """Least and most share of the documents, of those that nothing else objects to, that may be copies. Outside of it
    the build stops: more often a fault of the set-up than of the pages."""
    largest_cluster: Share = 1.0
    """The share of all documents that are compared which one connected group of copies may hold; above it the build
    stops, before it needs memory for the group. It counts documents that later go for other reasons, too."""
    largest_cluster_documents: int = Field(default=10_000_000, ge=1)
    """Documents that one such group may hold, whatever share that is: a task holds it whole, about 350 bytes each."""
    method: Literal["components", "smaller-neighbour"] = "components"
    """How one of several copies is chosen. `components`: among all that are connected, a document stays unless it is a
    copy of one that stays; 5 bytes in one process for each different text that has a copy. `smaller-neighbour`, above
    8 billion of those: without a graph, a document goes if any copy of it is preferred, even one that goes itself."""

    @model_validator(mode="after")
    def _compares_something(self) -> DedupConfig:
        if not self.exact and self.minhash is None:
            raise ValueError("dedup has nothing to do: set `exact` or `minhash`")
        return self

    @model_validator(mode="after")
    def _band_is_not_empty(self) -> DedupConfig:
        if self.removed[0] > self.removed[1]:
            raise ValueError(f"`removed` is [least, most], and {self.removed[0]} is more than {self.removed[1]}")
        return self

    @model_validator(mode="after")
    def _prefers_each_column_once(self) -> DedupConfig:
        columns = [preference.column for preference in self.preferences()]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise ValueError(f"`prefer` asks for {twice[0]!r} twice: the second time nothing is left to decide")
        return self

    def preferences(self) -> tuple[Preference, ...]:
        """`prefer` as columns and orders; the engine puts doc_id behind them."""
        return tuple(_preference(choice) for choice in self.prefer)

    def limits(self) -> Limits:
        """`removed`, `largest_cluster` and `largest_cluster_documents`."""
        return Limits(self.removed, self.largest_cluster, self.largest_cluster_documents)


def _preference(choice: BestScore | str) -> Preference:
    if isinstance(choice, BestScore):
        return Preference(choice.score, "descending" if choice.best == "highest" else "ascending")
    return _NAMED[choice]
