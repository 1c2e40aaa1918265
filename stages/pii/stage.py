"""The map stage `pii`: replaces personal data in `text` by placeholders and says where they stand; and in `title` too.

`normalise` comes first: it takes out the characters that cannot be seen. A word joiner (U+2060), soft hyphen or zero
width space inside an address or number hides it from this stage, and a stage that changes the text afterwards moves
what the spans point to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.kernels.words import text_buffers
from lauter.stages.pii.finding import find
from lauter.stages.pii.recogniser import Recogniser
from lauter.stages.pii.recognisers import check, recognisers
from lauter.stages.pii.report import pii_report
from lauter.stages.pii.spans import code_points, rewrite

_UNCHECKED, _TOO_DENSE, _NO_TEXT = 1, 2, 3  # places in `reasons`, from 1


class PiiConfig(StageConfig):
    """What is taken for personal data."""

    entities: tuple[str, ...] = Field(default=("email", "ip", "iban", "card", "crypto", "phone"), strict=False)
    """What is looked for: these six, and the national ids of `national_id.FORMATS` (all become `<id-pii>`). Without
    national ids by default: most are bare digits that one number in ten or eleven passes by chance."""
    public_ips_only: bool = True
    """Leave private, loopback, documentation and reserved addresses: they are the same in every network and name no
    one, and tutorials are full of them."""
    phone_regions: tuple[str, ...] = Field(default=(), strict=False)
    """Regions (ISO 3166-1 alpha-2) whose national telephone numbers are looked for. Numbers with a country code (+41 …)
    are always found where `phone` is among the entities. None by default: read by eye, 171 of 171 numbers with country
    code in 52 MB of real pages were telephone numbers, but only about nine in ten of those without."""
    max_candidates_per_document: int = Field(default=100_000, ge=1)
    """Places to look at in one text or title. A document with more of them is dropped (`pii-unchecked`): it cannot be
    cleaned in bounded time, and an unclean one must not pass."""
    max_spans_per_1000_chars: int | None = Field(default=None, ge=0)
    """Drop a document with more placeholders, those of its title included, than this per 1,000 code points of its text
    (`pii-too-dense`); off by default."""

    @field_validator("entities")
    @classmethod
    def _known(cls, entities: tuple[str, ...]) -> tuple[str, ...]:
        check(entities)
        return entities


class Pii:
    """Finds e-mail and IP addresses, IBANs, card, wallet, telephone and national id numbers.

    `pii_spans` are ranges in `text` alone; `pii_count` counts what was found in the title too. A batch need not have a
    `title`: the column is then null.
    """

    name: ClassVar[str] = "pii"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("presidio-analyzer", "phonenumbers", "python-stdnum", "tldextract")
    Config: ClassVar[type[StageConfig]] = PiiConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "text", "title", "pii_spans")
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "pii_count", "chars")
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("pii-unchecked"),
        Reason("pii-too-dense"),
        Reason("no-text", "error"),
    )
    decision_fields: ClassVar[frozenset[str]] = frozenset({"max_spans_per_1000_chars"})

    def __init__(self, config: PiiConfig, context: StageContext) -> None:
        self._config = config
        self._recognisers: list[Recogniser] = []

    def open(self) -> None:
        """Build the recognisers; imports Presidio and with it spaCy (seconds).

        Raises:
            ValueError: a region has no numbering plan.
        """
        self._recognisers = recognisers(
            self._config.entities,
            public_ips_only=self._config.public_ips_only,
            phone_regions=self._config.phone_regions,
        )

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Text and title with placeholders, the spans in the text, and how many there are in both.

        A null text stays null and ends as the error `no-text`; a null title stays null.
        """
        column = batch.column("text")
        missing = column.is_null().to_numpy(zero_copy_only=False)
        text, spans, count, unchecked = self._cleaned(column)
        titled = "title" in batch.schema.names
        title = batch.column("title") if titled else pa.nulls(batch.num_rows, pa.string())
        if title.null_count < len(title):
            title, _, more, beyond = self._cleaned(title)
            count += more
            unchecked |= beyond
        chars = pc.utf8_length(text).cast(pa.int32())
        return Verdict(
            np.select([missing, unchecked], [_NO_TEXT, _UNCHECKED], 0).astype(np.uint8),
            {
                "text": text,
                "title": title.cast(pa.string()),
                "pii_spans": spans,
                "pii_count": pa.array(count, pa.int32()),
                "chars": pc.fill_null(chars, 0),
            },
        )

    def _cleaned(self, column: pa.Array) -> _Cleaned:
        given = column.cast(pa.large_string())
        filled = pc.fill_null(given, "") if given.null_count else given
        offsets, data = text_buffers(filled)
        matches, unchecked = find(data, offsets, self._recognisers, self._config.max_candidates_per_document)
        text, spans = rewrite(filled, data, offsets, matches)
        if unchecked.any():
            text = pc.if_else(pa.array(unchecked), pa.scalar("", pa.large_string()), text)
        if given.null_count:
            text = pc.if_else(given.is_null(), pa.scalar(None, pa.large_string()), text)
        return _Cleaned(text, spans, np.diff(spans.offsets.to_numpy()), unchecked)

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Personal data in one text, as (start, end, type) in code points of this text, in order."""
        raw = text.encode("utf-8", "surrogatepass")
        data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)], np.int64)
        matches, _ = find(data, offsets, self._recognisers, self._config.max_candidates_per_document)
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
        return pii_report(summary, config.entities)


class _Cleaned(NamedTuple):
    """A column with placeholders, their spans and number, and which rows were not checked (and are empty)."""

    text: pa.LargeStringArray
    spans: pa.ListArray
    found: NDArray[np.int32]
    unchecked: NDArray[np.bool_]


def _int64(column: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return numbers
