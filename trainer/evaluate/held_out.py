"""Which documents of a corpus a model may be measured on, and whether it has been trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lauter.trainer.config.sections import CorpusSection, DataSection
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.stream import Stream
from lauter.trainer.evaluate.subject import Subject
from lauter.trainer.huggingface.tokenizer import TokenizerError, pieces

Seen = Literal["held out", "trained on", "another corpus"]


_SHOWN = 5


class EvaluationError(ValueError):
    """What was asked can't be measured; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The last shards of every stream of one corpus."""

    streams: Sequence[Stream]
    languages: Sequence[str]
    told: dict[str, Any]
    """What a result says: `corpus`, `root`, `shards` a stream, and `seen`."""


def held_out(subject: Subject, path: str, shards: int | None) -> HeldOut:
    """Of a run folder of `lauter build`, checked.

    Where the model was trained on this very corpus, by its root, the shards that its run held out are taken, and others
    are told as trained on. Of another corpus it is the last shard of each stream, which may hold what it was trained on
    all the same.

    Args:
        subject: the model.
        path: the corpus.
        shards: the last so many of each stream, whatever was held out.

    Raises:
        DataError: the corpus can't be read.
        EvaluationError: its ids are another tokenizer's.
    """
    corpus = open_corpora(DataSection(corpora=(CorpusSection(path=path),)))
    wrong = _other_ids(subject, corpus.tokenizer.digest, corpus.tokenizer.files["tokenizer.json"])
    if wrong:
        raise EvaluationError(f"{path}: its tokenizer is another than the model's:\n  " + "\n  ".join(wrong))
    said = corpus.provenance[0]
    was_read = said["root"] in set(_roots(subject.meta.get("data")))
    kept = int((subject.meta.get("config") or {}).get("data", {}).get("hold_out_shards", 0)) if was_read else 0
    count = shards if shards is not None else kept or 1
    seen: Seen = "another corpus" if not was_read else "held out" if count <= kept else "trained on"
    told = {"corpus": said["corpus"], "root": said["root"], "shards": count, "seen": seen}
    return HeldOut([stream.last(count) for stream in corpus.streams.values()], corpus.languages, told)


def _other_ids(subject: Subject, digest: str, tokenizer_json: bytes) -> list[str]:
    """What of the corpus's text the model would read as something else; control tokens are not compared."""
    if subject.meta["tokenizer"].get("digest") == digest:
        return []
    try:
        here, there = pieces(subject.tokenizer_files["tokenizer.json"]), pieces(tokenizer_json)
    except TokenizerError as error:
        return [f"they can't be compared: {error}"]
    controls = subject.tokenizer.controls
    different = [index for index, piece in sorted(there.items()) if index not in controls and here.get(index) != piece]
    told = [f"id {index} is {there[index]!r} in the corpus, in the model {here.get(index)!r}" for index in different]
    return [*told[:_SHOWN], *([f"{len(different):,} ids differ in all"] if len(different) > _SHOWN else [])]


def _roots(data: object) -> Iterator[str]:
    """Roots of all corpora that stand anywhere in `meta.data`: of each state that was read, of parents too."""
    if isinstance(data, Mapping):
        if isinstance(data.get("root"), str):
            yield data["root"]
        for value in data.values():
            yield from _roots(value)
    elif isinstance(data, list):
        for value in data:
            yield from _roots(value)
