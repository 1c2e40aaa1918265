"""The map stage `pii`: replaces personal data in `text` by placeholders and says where they stand; and in `title` too.

`normalise` comes first: it takes out the characters that cannot be seen. A word joiner (U+2060), soft hyphen or zero
width space inside an address or number hides it from this stage, and a stage that changes the text afterwards moves
what the spans point to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.kernels.words import text_buffers
from lauter.stages.pii.config import PiiConfig
from lauter.stages.pii.finding import find
from lauter.stages.pii.own import Own, find_own, from_file, from_model
from lauter.stages.pii.place import Place, place, places
from lauter.stages.pii.recogniser import Recogniser
from lauter.stages.pii.recognisers import recognisers
from lauter.stages.pii.report import pii_report
from lauter.stages.pii.spans import Match, code_points, resolve, rewrite, stand_in
from lauter.stages.pii.surrogates import Surrogates
from lauter.stages.pii.turns import apart, moved, of_documents

_UNCHECKED, _TOO_DENSE, _NO_TEXT = 1, 2, 3  # places in `reasons`, from 1


class Pii:
    """Finds e-mail and IP addresses, numbers of accounts, cards, telephones and persons, wallets, and secrets.

    `pii_spans` are ranges in `text` alone; `pii_count` and `pii_types` count what was found in the title too. A batch
    need not have a `title`: the column is then null.
    """

    name: ClassVar[str] = "pii"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("presidio-analyzer", "phonenumbers", "python-stdnum", "tldextract")
    Config: ClassVar[type[StageConfig]] = PiiConfig
    reads: ClassVar[tuple[str, ...]] = ("doc_id", "url", "text")
    reads_if_written: ClassVar[tuple[str, ...]] = ("language", "title", "path")
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "text", "title", "pii_spans")
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "pii_count", "pii_types", "chars")
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("pii-unchecked"),
        Reason("pii-too-dense"),
        Reason("no-text", "error"),
    )
    moves_marks: ClassVar[bool] = True
    decision_fields: ClassVar[frozenset[str]] = frozenset({"max_spans_per_1000_chars"})

    @classmethod
    def check_config(cls, config: PiiConfig) -> None:
        """Load what the manifest brings, before any work.

        Raises:
            ValueError: a file cannot be used.
        """
        _own(config)

    def __init__(self, config: PiiConfig, context: StageContext) -> None:
        self._config = config
        self._seed = context.seed
        self._text: list[Recogniser] = []
        self._code: list[Recogniser] = []
        self._own: list[Own] = []

    def open(self) -> None:
        """Build the recognisers; imports Presidio and with it spaCy (seconds).

        Raises:
            ValueError: a region has no numbering plan, or a file of the manifest cannot be used.
        """
        self._text, self._code = (
            recognisers(
                entities,
                ids_need_context=self._config.ids_need_context,
                public_ips_only=self._config.public_ips_only,
                phone_regions=self._config.phone_regions,
                phones_by_place=self._config.phones_by_place,
            )
            for entities in (self._config.entities, self._config.code_entities)
        )
        self._own = _own(self._config)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Text and title with placeholders, the spans in the text, and how many there are in both.

        A null text stays null and ends as the error `no-text`; a null title stays null.
        """
        column = batch.column("text")
        missing = column.is_null().to_numpy(zero_copy_only=False)
        seen = _Seen(places(batch), _is_code(batch), self._surrogates(batch))
        marks = batch.column("marks") if "marks" in batch.schema.names else None
        text, spans, count, unchecked, marks = self._cleaned(column, seen, marks)
        removed = [spans]
        titled = "title" in batch.schema.names
        title = batch.column("title") if titled else pa.nulls(batch.num_rows, pa.string())
        if title.null_count < len(title):
            title, others, more, beyond, _ = self._cleaned(title, seen, None)
            removed.append(others)
            count += more
            unchecked |= beyond
        chars = pc.utf8_length(text).cast(pa.int32())
        columns = {
            "text": text,
            "title": title.cast(pa.string()),
            "pii_spans": spans,
            "pii_count": pa.array(count, pa.int32()),
            "pii_types": _by_type(removed, batch.num_rows),
            "chars": pc.fill_null(chars, 0),
        }
        if marks is not None:
            columns["marks"] = marks
        return Verdict(np.select([missing, unchecked], [_NO_TEXT, _UNCHECKED], 0).astype(np.uint8), columns)

    def _surrogates(self, batch: pa.RecordBatch) -> Surrogates | None:
        if self._config.replacement == "placeholder":
            return None
        return Surrogates(self._seed, batch.column("doc_id").to_pylist())

    def _cleaned(self, column: pa.Array, seen: _Seen, marks: pa.ListArray | None) -> _Cleaned:
        given = column.cast(pa.large_string())
        filled = pc.fill_null(given, "") if given.null_count else given
        offsets, data = text_buffers(filled)
        matches, unchecked = self._found(data, offsets, seen.places, seen.code)
        own = of_documents(marks, matches) if marks is not None else {}
        matches = apart(matches, data, offsets, own) if own else matches
        replaced = stand_in if seen.surrogates is None else seen.surrogates.of(data)
        text, spans = rewrite(filled, data, offsets, matches, replaced)
        if marks is not None:
            marks = moved(marks, own, matches, spans, data, offsets)
        if unchecked.any():
            text = pc.if_else(pa.array(unchecked), pa.scalar("", pa.large_string()), text)
        if given.null_count:
            text = pc.if_else(given.is_null(), pa.scalar(None, pa.large_string()), text)
        return _Cleaned(text, spans, np.diff(spans.offsets.to_numpy()), unchecked, marks)

    def _found(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], where: list[Place], code: NDArray[np.bool_]
    ) -> tuple[list[Match], NDArray[np.bool_]]:
        """Resolved matches of a column, and its documents that have too many places to look at."""
        limit = self._config.max_candidates_per_document
        matches: list[Match] = []
        unchecked = np.zeros(code.size, np.bool_)
        for chosen, rows in ((self._text, ~code), (self._code, code)):
            if rows.any():
                found, beyond = find(data, offsets, chosen, limit, where, rows)
                matches += found
                unchecked |= beyond
        if code.any():
            matches.sort()
        if self._own:
            matches = resolve(matches + find_own(data, offsets, self._own, where, ~code & ~unchecked))
        return matches, unchecked

    def spans_of(self, row: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        """Personal data in a record's `text`, as (start, end, type) in code points of it, in order.

        As far as the record has them, `language` (a label as the stage `language` writes it) and `url` say whose
        national numbers are meant, and a `path` that it is code.
        """
        raw = row["text"].encode("utf-8", "surrogatepass")
        data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)], np.int64)
        where = place(row.get("language"), row.get("url"))
        matches, _ = self._found(data, offsets, [where], np.array([row.get("path") is not None]))
        return [(code_points(data[: m.start]), code_points(data[: m.end]), m.type) for m in matches]

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what is mostly placeholders, if `max_spans_per_1000_chars` is set."""
        limit = self._config.max_spans_per_1000_chars
        if limit is None:
            return Verdict(np.zeros(scores.num_rows, np.uint8))
        count = _int64(scores.column("pii_count"))
        chars = _int64(scores.column("chars"))
        dense = count * 1000 > limit * chars
        rule = pa.array(
            [
                {"signal": "pii_count", "text": f"{n} spans in {m} code points, more than {limit} per 1000"}
                if hit
                else None
                for hit, n, m in zip(dense.tolist(), count.tolist(), chars.tolist(), strict=True)
            ],
            schema.RULE,
        )
        return Verdict(np.where(dense, _TOO_DENSE, 0).astype(np.uint8), {}, rule)

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: PiiConfig) -> ReportSection:
        """What was looked for, and how many documents were dropped."""
        return pii_report(summary, config)


class _Seen(NamedTuple):
    """What is known of the n rows of a batch besides their texts."""

    places: list[Place]
    code: NDArray[np.bool_]
    surrogates: Surrogates | None


def _own(config: PiiConfig) -> list[Own]:
    files = [own for path in config.recognisers for own in from_file(path, config.least_score)]
    return files + [from_model(path) for path in config.names]


def _is_code(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    if "path" not in batch.schema.names:
        return np.zeros(batch.num_rows, np.bool_)
    return np.asarray(batch.column("path").is_valid().to_numpy(zero_copy_only=False), np.bool_)


class _Cleaned(NamedTuple):
    """A column with placeholders, their spans and number, which rows were not checked (and are empty), and marks."""

    text: pa.LargeStringArray
    spans: pa.ListArray
    found: NDArray[np.int32]
    unchecked: NDArray[np.bool_]
    marks: pa.ListArray | None


def _by_type(removed: list[pa.ListArray], rows: int) -> pa.ListArray:
    """How many of each type were removed from each of n rows, in order of type."""
    counts: list[Counter[str]] = [Counter() for _ in range(rows)]
    for spans in removed:
        owners = np.repeat(np.arange(rows), np.diff(spans.offsets.to_numpy()))
        for row, kind in zip(owners.tolist(), pc.struct_field(spans.values, "type").to_pylist(), strict=True):
            counts[row][kind] += 1
    found = [[{"type": kind, "count": count} for kind, count in sorted(row.items())] for row in counts]
    return pa.array(found, schema.SCORE.field("pii_types").type)


def _int64(column: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return numbers
