"""A tiny pipeline that keeps the whole contract: lines in, bytes out. The engine is tested without a web page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from lauter.pipeline import identity, schema
from lauter.pipeline.comparing import YES, Limits, Preference, Signed
from lauter.pipeline.contract import (
    FileCount,
    FilePath,
    ReadBatch,
    Reason,
    StageConfig,
    StageContext,
    Verdict,
)
from lauter.pipeline.manifest import Catalogue

HERE = "tests.pipeline.small_stages"
CATALOGUE = Catalogue(
    readers={"lines": f"{HERE}:LineReader"},
    stages={
        "words": f"{HERE}:Words",
        "length": f"{HERE}:Length",
        "boom": f"{HERE}:Boom",
        "shut": f"{HERE}:Shut",
        "lookup": f"{HERE}:Lookup",
    },
    barriers={"same-text": f"{HERE}:SameText"},
    encoder=f"{HERE}:Bytes",
)

BATCH_LINES = 7


class LineReaderConfig(StageConfig):
    """How to read lines."""

    comment: str = "#"


class LineReader:
    """`id<TAB>text` lines; a line without a tab is broken, a comment is no record."""

    name: ClassVar[str] = "lines"
    version: ClassVar[int] = 1
    provides_text: ClassVar[bool] = True
    Config: ClassVar[type[StageConfig]] = LineReaderConfig
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("broken-line", "error"), Reason("empty", "dropped"))

    def __init__(self, config: LineReaderConfig, source: str) -> None:
        self._comment, self._source = config.comment, source

    def check(self, stream: BinaryIO) -> None:
        pass

    def _lines(self, stream: BinaryIO) -> list[tuple[int, str]]:
        found, offset = [], 0
        for line in stream.read().split(b"\n"):
            if line and not line.startswith(self._comment.encode()):
                found.append((offset, line.decode("utf-8", "replace")))
            offset += len(line) + 1
        return found

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        lines = self._lines(stream)
        for start in range(0, len(lines), BATCH_LINES):
            some = lines[start : start + BATCH_LINES]
            reason = np.zeros(len(some), np.uint8)
            rows: list[dict[str, Any]] = []
            for index, (offset, line) in enumerate(some):
                name, tab, text = line.partition("\t")
                end = offset + len(line)
                reason[index] = 1 if not tab else 2 if not text else 0
                doc_id = (
                    identity.native_id(self._source, name)
                    if tab
                    else identity.range_id(self._source, file, offset, end)
                )
                rows.append(
                    {
                        "doc_id": doc_id,
                        "file": file,
                        "offset": offset,
                        "length": len(line),
                        "url": f"https://{name}.example/",
                        "text": text or None,
                    }
                )
            yield ReadBatch(pa.RecordBatch.from_pylist(rows, schema=schema.RECORD), Verdict(reason))

    def count(self, stream: BinaryIO) -> FileCount:
        comment = self._comment.encode()
        lines = [line for line in stream.read().splitlines() if line and not line.startswith(comment)]
        broken = sum(b"\t" not in line for line in lines)
        return FileCount(len(lines) - broken, broken)


class NoConfig(StageConfig):
    """No parameters."""


class Words:
    """Rewrites text to lower case and counts words; text that says `forbidden` is dropped at once."""

    name: ClassVar[str] = "words"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "text")
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "words", "chars")
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("forbidden"),)

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        text = [value.lower() for value in batch.column("text").to_pylist()]
        bad = np.array(["forbidden" in value for value in text], np.uint8)
        rule = [{"agent": "tester", "signal": "word", "line": 1, "text": "forbidden"} if b else None for b in bad]
        return Verdict(
            bad,
            {
                "text": pa.array(text, pa.large_string()),
                "words": pa.array([len(value.split()) for value in text], pa.int32()),
                "chars": pa.array([len(value) for value in text], pa.int32()),
            },
            pa.array(rule, schema.RULE),
        )


class LengthConfig(StageConfig):
    """How many words are enough."""

    min_words: int = 2


class Length:
    """A soft decision on the word count."""

    name: ClassVar[str] = "length"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = LengthConfig
    reads: ClassVar[tuple[str, ...]] = ("words",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("too-few-words"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"min_words"})

    def __init__(self, config: LengthConfig, context: StageContext) -> None:
        self._min_words = config.min_words

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        return Verdict(np.zeros(batch.num_rows, np.uint8))

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        return Verdict((scores.column("words").to_numpy() < self._min_words).astype(np.uint8))


class Boom:
    """Raises on text that says `boom`."""

    name: ClassVar[str] = "boom"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        if any("boom" in value for value in batch.column("text").to_pylist()):
            raise ValueError("boom")
        return Verdict(np.zeros(batch.num_rows, np.uint8))


class Shut:
    """Has no model to open."""

    name: ClassVar[str] = "shut"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        raise ValueError("the model is not on this machine: fetch it")

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        return Verdict(np.zeros(batch.num_rows, np.uint8))


class LookupConfig(StageConfig):
    """Ids that may not be used."""

    blocked: FilePath


class Lookup:
    """Drops URLs on a list that is compiled once."""

    name: ClassVar[str] = "lookup"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = LookupConfig
    reads: ClassVar[tuple[str, ...]] = ("url",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "origin_id")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("blocked"),)

    def __init__(self, config: LookupConfig, context: StageContext) -> None:
        self._path, self._artefacts = config.blocked, context.artefacts
        self._blocked: set[str] = set()

    def prepare(self, out: str) -> Mapping[str, int]:
        lines = sorted(Path(self._path).read_text().split())
        (Path(out) / "blocked.txt").write_text("\n".join(lines))
        return {"blocked": len(lines)}

    def open(self) -> None:
        assert self._artefacts is not None
        self._blocked = set((Path(self._artefacts) / "blocked.txt").read_text().split())

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        urls = batch.column("url").to_pylist()
        return Verdict(
            np.array([url in self._blocked for url in urls], np.uint8),
            {"origin_id": pa.array([xxhash.xxh3_64_intdigest(url) for url in urls], pa.uint64())},
        )


class SameText:
    """Documents with the same text up to the word `copy` are copies."""

    name: ClassVar[str] = "same-text"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    sketches: ClassVar[pa.Schema] = pa.schema([pa.field("length", pa.uint32())])
    identities: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def sign(self, batch: pa.RecordBatch) -> Signed:
        texts = batch.column("text").to_pylist()
        keys = [xxhash.xxh3_64_intdigest(text.split(" copy")[0]) for text in texts]
        return Signed(
            item=np.array([xxhash.xxh3_64_intdigest(text) for text in texts], np.uint64),
            sketches=pa.RecordBatch.from_arrays([pa.array(map(len, texts), pa.uint32())], schema=self.sketches),
            row=np.arange(len(texts)),
            key=np.array(keys, np.uint64),
            identities=np.empty((len(texts), 0), np.uint64),
        )

    def pairs(self, key: NDArray[np.uint64], item: NDArray[np.uint64]) -> NDArray[np.uint64]:
        pairs = [
            (int(a), int(b))
            for number in np.unique(key)
            for a, b in itertools.combinations(sorted(item[key == number].tolist()), 2)
        ]
        return np.array(pairs, np.uint64).reshape(-1, 2)

    def judge(self, left: pa.RecordBatch, right: pa.RecordBatch) -> NDArray[np.uint8]:
        return np.full(left.num_rows, YES, np.uint8)

    def evidence(self, batch: pa.RecordBatch) -> pa.ListArray:
        raise NotImplementedError("no pair is open")

    def compare(self, left: pa.ListArray, right: pa.ListArray) -> NDArray[np.bool_]:
        raise NotImplementedError("no pair is open")

    @classmethod
    def prefers(cls, config: NoConfig) -> tuple[Preference, ...]:
        return (Preference("priority", "ascending"), Preference("fetched_at", "ascending"))

    @classmethod
    def limits(cls, config: NoConfig) -> Limits:
        return Limits()


class Bytes:
    """One token a byte, between 256 and 257."""

    name: ClassVar[str] = "bytes"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def encode(self, text: pa.LargeStringArray, spans: pa.ListArray | None) -> pa.ListArray:
        return pa.array([[256, *value.encode(), 257] for value in text.to_pylist()], pa.list_(pa.uint32()))

    def files(self) -> Mapping[str, bytes]:
        return {"tokenizer.json": b"{}"}
