"""The stage `extract`: from what a reader yields to the text of a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import Field

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.stages.character_references import resolved
from lauter.stages.extract.backends import LOADERS, Backend
from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.rule import EMBEDDED, load
from lauter.stages.extract.cascade import extracted
from lauter.stages.extract.encoding import decode
from lauter.stages.extract.limits import over_limit
from lauter.stages.extract.markup import Markup, scan
from lauter.stages.extract.media_type import kind_of
from lauter.stages.extract.quarantine import Quarantine
from lauter.stages.extract.sandbox import Outcome, Sandbox

_GUARDED = {"timeout": "extract-timeout", "crash": "extract-crash"}
_PAGE = b"<title>t</title><article>" + 3 * b"<p>A sentence, and one more, of which the rule thinks that it is text.</p>"
"""Takes the way of most pages."""
_TITLE_BYTES = 4096
"""A title is cut here; the longest of 4,670 public pages has 445 bytes."""


class ExtractConfig(StageConfig):
    """How text is taken from pages."""

    backend: Backend = "cascade"
    """`cascade` (a learned rule and resiliparse, trafilatura for the few pages that are doubtful), `trafilatura`,
    `trafilatura-precision` (precision before recall, as FineWeb-2 has it), or `resiliparse` (its own rules)."""
    confidence: float = Field(default=0.3, ge=0, le=1)
    """Only for `cascade`: pages of which the rule expects a word F1 below this go to trafilatura, and those of which it
    kept nothing (scripts, and trafilatura reads the article in their JSON: F1 .9). At 0.7 there were 18 more of
    961 pages with truth; its text was better on 4 of them and worse on 12, at 14 to 660 ms of CPU a page."""
    max_html_bytes: int = Field(default=16 << 20, gt=0)
    """Larger HTML payloads end as `html-too-large`."""
    max_nodes: int = Field(default=250_000, gt=0)
    """Pages with more start tags end as `html-too-many-nodes`; the largest of 4,670 public pages has 56,850."""
    max_depth: int = Field(default=256, gt=0, le=32_000)
    """Pages with more elements open at once end as `html-too-deep`. libxml2 stops reading at 256, and resiliparse's
    time grows with the square of the depth (0.4 s at 5,000, 225 s at 100,000)."""
    wall_clock_s: float = Field(default=60.0, gt=0)
    """A page that takes longer ends as `extract-timeout`. Only a guard against hangs: the limits above come first."""
    memory_bytes: int = Field(default=1 << 30, ge=0)
    """Address space of the extracting process; a page that needs more ends as `extract-crash`. 0 sets no limit."""
    max_text_bytes: int = Field(default=16 << 20, gt=0)
    """Documents with more text (bytes of UTF-8) end as `text-too-large`, wherever the text is from: what later stages
    need in memory grows with it, to 0.6 GB for the quality stage at 16 MiB of one-letter words."""
    min_chars: int = Field(default=1, ge=1)
    """Documents with less text (code points, outer white space left out) end as `no-text`."""


class Extract:
    """Map stage: writes `text` and `title` (documents) and `chars` (scores; code points).

    Text that a source already holds stays as it is; plain text is decoded; HTML is measured, then extracted: by the
    cascade's linear passes where they suffice, else in a child process that a bad page may kill.
    """

    name: ClassVar[str] = "extract"
    version: ClassVar[int] = 5
    libraries: ClassVar[tuple[str, ...]] = ("trafilatura", "lxml", "resiliparse")
    Config: ClassVar[type[StageConfig]] = ExtractConfig
    reads: ClassVar[tuple[str, ...]] = ("doc_id", "media_type", "charset", "payload", "text")
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "text", "title")
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "chars")
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("no-text"),
        Reason("unsupported-media-type"),
        Reason("undecodable", "error"),
        Reason("html-too-large", "error"),
        Reason("html-too-many-nodes", "error"),
        Reason("html-too-deep", "error"),
        Reason("extract-failed", "error"),
        Reason("extract-timeout", "error"),
        Reason("extract-crash", "error"),
        Reason("text-too-large", "error"),
    )

    def __init__(self, config: ExtractConfig, context: StageContext, *, loader: str | None = None) -> None:
        """`loader` (`module:function`, returning a function from HTML to text) replaces the configured backend."""
        self._config = config
        self._loader = loader or LOADERS[config.backend]
        self._rule = load(EMBEDDED) if config.backend == "cascade" and loader is None else None
        self._code = {reason.name: code for code, reason in enumerate(self.reasons, start=1)}
        attempt = f"{self.version} {self._loader} {config.wall_clock_s} {config.memory_bytes}"
        self._quarantine = (
            Quarantine(context.quarantine, xxhash.xxh3_64_hexdigest(attempt.encode()), _GUARDED.values())
            if context.quarantine
            else None
        )
        self._sandbox: Sandbox | None = None

    def open(self) -> None:
        """Start the child and compile the kernels. Raises `RuntimeError` if the backend cannot be loaded."""
        self._read_html(_PAGE, 0, _Pages(1))
        self._running()

    def close(self) -> None:
        """End the child. It also ends with this process."""
        if self._sandbox:
            self._sandbox.close()

    @property
    def child_pid(self) -> int | None:
        """Process id of the extracting process, if there is one now."""
        return self._sandbox.pid if self._sandbox else None

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Text, title and length of each row, or the reason why there is none."""
        given = batch.column("text")
        page = _Pages(batch.num_rows)
        for row in np.flatnonzero(np.asarray(given.is_null())).tolist():
            self._read(batch, row, page)
        self._extract(batch, page)
        text = given if given.null_count == 0 else pc.coalesce(given, pa.array(page.text, pa.large_string()))
        chars = pc.utf8_length(text).cast(pa.int32())
        visible = pc.utf8_length(pc.utf8_trim_whitespace(text)).fill_null(0).to_numpy(zero_copy_only=False)
        page.reason[(page.reason == 0) & (visible < self._config.min_chars)] = self._code["no-text"]
        size = pc.binary_length(text).fill_null(0).to_numpy(zero_copy_only=False)
        page.reason[(page.reason == 0) & (size > self._config.max_text_bytes)] = self._code["text-too-large"]
        return Verdict(page.reason, {"text": text, "title": pa.array(page.title, pa.string()), "chars": chars})

    def _read(self, batch: pa.RecordBatch, row: int, page: _Pages) -> None:
        # Decodes and measures one payload: plain text is done then, HTML waits for extraction.
        payload: bytes = batch.column("payload")[row].as_py() or b""
        kind = kind_of(batch.column("media_type")[row].as_py(), payload)
        if kind is None:
            page.reason[row] = self._code["unsupported-media-type"]
        elif kind == "html" and len(payload) > self._config.max_html_bytes:
            page.reason[row] = self._code["html-too-large"]
        elif (decoded := decode(payload, charset=batch.column("charset")[row].as_py(), markup=kind == "html")) is None:
            page.reason[row] = self._code["undecodable"]
        elif kind == "plain":
            if len(decoded.utf8) > self._config.max_text_bytes:
                page.reason[row] = self._code["text-too-large"]
            else:
                page.text[row] = decoded.utf8.decode("utf-8")
        else:
            self._read_html(decoded.utf8, row, page)

    def _read_html(self, html: bytes, row: int, page: _Pages) -> None:
        config = self._config
        if self._rule is None:
            markup, blocks = scan(html, max_depth=config.max_depth), None
        else:
            markup, blocks = cut(html, max_nodes=config.max_nodes, max_depth=config.max_depth)
        if limit := over_limit(markup, max_nodes=config.max_nodes, max_depth=config.max_depth):
            page.reason[row] = self._code[limit]
            return
        page.title[row] = _title(html, markup)
        found: str | bytes = html
        if self._rule is not None and blocks is not None:
            found = extracted(self._rule, html, blocks, confidence=config.confidence)
        if isinstance(found, str):
            page.text[row] = found
        else:
            page.html[row] = found

    def _extract(self, batch: pa.RecordBatch, page: _Pages) -> None:
        doc_ids: dict[int, bytes] = {row: batch.column("doc_id")[row].as_py() for row in page.html}
        if self._quarantine:
            for row, doc_id in doc_ids.items():
                if reason := self._quarantine.reason(doc_id):
                    page.reason[row] = self._code[reason]
                    del page.html[row]
        outcomes: Sequence[Outcome] = self._running().extract(list(page.html.values())) if page.html else ()
        for row, outcome in zip(page.html, outcomes, strict=True):
            if outcome.status == "ok":
                page.text[row] = outcome.text
            elif outcome.status == "failed":
                page.reason[row] = self._code["extract-failed"]
            else:
                page.reason[row] = self._code[_GUARDED[outcome.status]]
                if self._quarantine:
                    self._quarantine.add(doc_ids[row], _GUARDED[outcome.status])

    def _running(self) -> Sandbox:
        if self._sandbox is None:
            config = self._config
            self._sandbox = Sandbox(self._loader, wall_clock_s=config.wall_clock_s, memory_bytes=config.memory_bytes)
        return self._sandbox


class _Pages:
    """The rows of a batch while they are worked on."""

    def __init__(self, rows: int) -> None:
        self.reason = np.zeros(rows, np.uint8)
        self.text: list[str | None] = [None] * rows
        self.title: list[str | None] = [None] * rows
        self.html: dict[int, bytes] = {}


def _title(utf8: bytes, markup: Markup) -> str | None:
    if markup.title is None:
        return None
    start, end = markup.title
    content = utf8[start : min(end, start + _TITLE_BYTES)].decode("utf-8", "ignore")
    # `resolved` may yield a lone surrogate's replacement or NUL, never half a pair.
    return " ".join(resolved(content).replace("\0", "").split()) or None
