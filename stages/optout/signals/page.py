"""What pages say of their use, as it stands in the crawl record: headers, meta elements, links, JSON-LD."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.optout.signals.attributes import attributes
from lauter.stages.optout.signals.directives import OPT_OUTS, QUOTES, is_agents_directives
from lauter.stages.optout.signals.header import header_signals
from lauter.stages.optout.signals.links import has_relation, written
from lauter.stages.optout.signals.raw import PAGE_SIGNAL, VALUE_LIMIT, PageSignal
from lauter.stages.optout.signals.scan import ANCHOR, JSON_LD, META, Candidates, candidates

ROW_LIMIT = 10_000
LICENCE_LIMIT = 100
"""Different statements of one page that are kept, and licences among them. Of 3,000 public pages none has over 11. The
limits bound what a hostile page costs; licences have one of their own, so that a list of them hides nothing else."""

TAG_LIMIT = 65_536
"""Bytes of a tag that are read; what is longer has lost its end."""

JSON_WINDOW = 4_096
"""Bytes after a `"license"` key in which its value must end."""

_HTML = frozenset({"", "text/html", "application/xhtml+xml", "application/octet-stream", "application/unknown"}) | {
    *("unknown/unknown", "*/*")
}
"""Types that are HTML, or that leave it to the bytes (WHATWG MIME Sniffing section 7.1)."""
_EVERYONE = frozenset({"robots", "x-robots-tag"})
_KEPT_META = frozenset({"tdm-reservation", "tdm-policy", "content-usage", "content-signal"}) | {
    f"{prefix}.{word}" for prefix in ("dc", "dcterms") for word in ("rights", "license", "rights.license")
}
_OPT_OUT = re.compile("|".join(sorted(OPT_OUTS)), re.IGNORECASE).search
_NO_NAME = re.compile(rf"^[\s{QUOTES}]+|[\s{QUOTES}]+$")
_LICENSE_KEY = re.compile(rb'"license"\s*:\s*', re.IGNORECASE)


def page_signals(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The raw statements of a batch of records, in order of rows, headers before the page, in order of the page.

    Columns read: `http_headers` (binary), `payload` (large_binary), `media_type` (string), each with nulls where there
    is none. Returns `PAGE_SIGNAL`. Pages of another type than HTML have only their headers read. A page in UTF-16 is
    known by its byte order mark or its first `<`, positions are bytes of the payload all the same. Equal statements of
    a page are kept once. Never raises for any bytes.
    """
    headers = batch.column("http_headers")
    texts = _Texts(batch.column("payload"), batch.column("media_type"))
    by_row: defaultdict[int, _Kept] = defaultdict(_Kept)
    for row, block in enumerate(headers.to_pylist()):
        if block:
            by_row[row].add(header_signals(block))
    for row, kind, start, end, tag in zip(*(column.tolist() for column in texts.candidates()), strict=True):
        if kind == JSON_LD:
            found = _in_json(texts.data[start:end].tobytes())
            by_row[row].add(
                PageSignal("json-ld", "license", value, texts.position(row, start + at)) for value, at in found
            )
        else:
            text = texts.data[start : min(end, start + TAG_LIMIT)].tobytes().decode("utf-8", "replace")
            by_row[row].add(_in_tag(kind, text, texts.position(row, tag)))
    rows = [(row, *key, position) for row in sorted(by_row) for key, position in by_row[row].positions.items()]
    arrays = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(PAGE_SIGNAL)]
    return pa.RecordBatch.from_arrays(arrays, schema=PAGE_SIGNAL)


class _Texts:
    """The pages of a batch as bytes in which markup is ASCII, and which of them are HTML."""

    def __init__(self, payload: pa.Array, media_type: pa.Array) -> None:
        _, offsets, data = payload.buffers()
        self.data: NDArray[np.uint8] = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        self.offsets: NDArray[np.int64] = np.frombuffer(offsets, np.int64)[payload.offset :][: len(payload) + 1]
        # A null has no bytes, or bytes that are none of a page.
        read = np.array([is_html(one) for one in media_type.to_pylist()], bool)
        self.html: NDArray[np.bool_] = payload.is_valid().to_numpy(zero_copy_only=False) & read
        self._wide: dict[int, str] = {}
        self._cursor = (-1, 0, 0)
        self._recode()

    def position(self, row: int, at: int) -> int:
        """Byte of the payload for a place in the buffer; to be asked in document order."""
        start = int(self.offsets[row])
        codec = self._wide.get(row)
        if codec is None:
            return at - start
        if self._cursor[0] != row:
            self._cursor = (row, start, 0)
        _, last, position = self._cursor
        position += len(self.data[last:at].tobytes().decode("utf-8", "replace").encode(codec, "replace"))
        self._cursor = (row, at, position)
        return position

    def candidates(self) -> Candidates:
        """Where in the buffer statements may stand."""
        return candidates(self.data, self.offsets, self.html)

    def _recode(self) -> None:
        """Put pages in UTF-16 into UTF-8; the buffer is copied only if there are any."""
        for row in np.flatnonzero(self.html).tolist():
            codec = _wide(self.data[self.offsets[row] : self.offsets[row] + 64].tobytes())
            if codec:
                self._wide[row] = codec
        if not self._wide:
            return
        parts = []
        for row in range(len(self.offsets) - 1):
            part = self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()
            codec = self._wide.get(row)
            parts.append(part.decode(codec, "replace").encode() if codec else part)
        self.data = np.frombuffer(b"".join(parts), np.uint8)
        self.offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)


@lru_cache(1024)
def is_html(media_type: str | None) -> bool:
    """Whether pages of this type are read.

    >>> is_html("Text/HTML; charset=utf-8"), is_html(None), is_html("application/pdf")
    (True, True, False)
    """
    return (media_type or "").partition(";")[0].strip().lower() in _HTML


def _wide(head: bytes) -> str | None:
    """The codec of a page in UTF-16, by its mark or by the zero beside its first `<`."""
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    first = head.find(b"<")
    if first < 0:
        return None
    if first % 2 == 0 and head[first + 1 : first + 2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if first % 2 == 1 and head[first - 1] == 0 else None


class _Kept:
    """The statements of one page, equal ones once."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, str, str], int] = {}
        self._licences = 0

    def add(self, found: Iterable[PageSignal]) -> None:
        for place, name, value, position in found:
            key = (place, name, value[:VALUE_LIMIT])
            licence = name == "license"
            if key in self.positions or len(self.positions) >= ROW_LIMIT:
                continue
            if licence and self._licences >= LICENCE_LIMIT:
                continue
            self._licences += licence
            self.positions[key] = position


def _in_tag(kind: int, text: str, position: int) -> Iterator[PageSignal]:
    given = attributes(text)
    if kind == META:
        name = _NO_NAME.sub("", given.get("name") or given.get("http-equiv") or given.get("property") or "").lower()
        content = given.get("content", "").strip()
        if name in _KEPT_META or (name in _EVERYONE and _OPT_OUT(content)) or is_agents_directives(name, content):
            yield PageSignal("meta", name[:VALUE_LIMIT], content, position)
    elif has_relation(given.get("rel", ""), "license"):
        place = "anchor" if kind == ANCHOR else "link"
        value = written(given.get("href", "").strip(), given.get("type", "").strip())
        yield PageSignal(place, "license", value, position)


def _in_json(script: bytes) -> Iterator[tuple[str, int]]:
    """Values of `license` keys of a JSON-LD script, which need not be whole, and the bytes where the keys start."""
    decoder = json.JSONDecoder(strict=False)
    for key in islice(_LICENSE_KEY.finditer(script), LICENCE_LIMIT):
        window = script[key.end() : key.end() + JSON_WINDOW].decode("utf-8", "replace")
        try:
            value, _ = decoder.raw_decode(window)
        except (ValueError, RecursionError):
            continue
        for one in value if isinstance(value, list) else [value]:
            named = next((one[k] for k in ("@id", "url", "name") if one.get(k)), "") if isinstance(one, dict) else one
            if isinstance(named, str) and named.strip():
                # An escape may be half a surrogate pair (`"\ud800"`), which has no UTF-8.
                yield named.strip().encode("utf-8", "replace").decode(), key.start()
