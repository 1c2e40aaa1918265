"""From the bytes of a page to UTF-8: what the bytes say comes before what the page or its server says of them.

Order: byte order mark; UTF-16 by its zero bytes; valid UTF-8; UTF-8 with some damage; the charset of the HTTP header;
the page's own `<meta>` or XML declaration; the detector (uchardet, through resiliparse). This differs from the WHATWG
Encoding Standard in one point, on purpose: valid UTF-8 wins over a declaration, because non-ASCII text of another
encoding is almost never valid UTF-8, and 647 of 10,622 collected pages are UTF-8 under a `<meta>` that says otherwise
or nothing. Labels are resolved as the standard does (section 4.2: `iso-8859-1` means windows-1252, `gb2312` gbk).
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SUPERSETS = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-11": "cp874",
}
"""Python's codecs are narrower than the standard's decoders of the same name; these are the ones that fit."""

_PRESCAN_BYTES = 1024
"""How far a declaration is looked for (HTML Standard, section 13.2.3.2)."""
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARATION = re.compile(
    rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>\s]+)|<meta[\s/][^>]*?charset\s*=\s*["']?\s*([^"'>\s;/]+)""",
    re.IGNORECASE,
)

_REPLACEMENT = "\ufffd"
_TOLERATED = 20
"""A declared or detected encoding is taken if fewer than 1 in 20 of its non-ASCII characters fail to decode."""
_BINARY = 10
"""Bytes of which 1 in 10 characters is a control character or undecodable are no text."""
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r\x1b")
_SAMPLE_BYTES = 16_384
"""How much of a page is looked at for that: counting costs 1 ns a byte, and binary formats show at once."""


class Decoded(NamedTuple):
    """A page as UTF-8."""

    utf8: bytes
    """Valid UTF-8 without byte order mark; bytes that had no meaning are U+FFFD."""
    encoding: str
    """The Python codec that read it."""


def codec_of(label: str | None) -> str | None:
    """The Python codec of a charset label by the WHATWG's table, None for an unknown label.

    >>> codec_of("ISO-8859-1"), codec_of("gb2312"), codec_of("utf-7")
    ('cp1252', 'gb18030', None)
    """
    if not label:
        return None
    name = map_encoding_to_html5(label.strip(" \t\r\n\"'"), fallback_utf8=False)
    return _SUPERSETS.get(name, name) if name else None


def declared_in_page(payload: bytes) -> str | None:
    """The codec that the first 1,024 bytes declare; UTF-16 means UTF-8 there, or its ASCII could not be read."""
    match = _DECLARATION.search(_COMMENT.sub(b"", payload[:_PRESCAN_BYTES]))
    if match is None:
        return None
    name = codec_of((match.group(1) or match.group(2)).decode("latin-1"))
    return "utf-8" if name and name.startswith("utf-16") else name


def decode(payload: bytes, *, charset: str | None, markup: bool) -> Decoded | None:
    """Decode a payload; None if it is no text in any encoding. The same bytes and labels give the same answer always.

    `charset` is the label of the HTTP header; `markup` says that the page may declare its own.
    """
    for bom, name in _BOMS:
        if payload.startswith(bom):
            return _checked(_lossy(payload[len(bom) :], name), name)
    header = codec_of(charset)
    wide = _wide(payload, header)
    if wide:
        return _checked(_lossy(payload, wide), wide)
    escapes = b"\x1b" in payload
    if not escapes:
        try:
            payload.decode("utf-8")
            return _checked(payload, "utf-8")
        except UnicodeDecodeError:
            pass
    in_page = declared_in_page(payload) if markup else None
    candidates = [name for name in (header, in_page) if name and not name.startswith("utf-16")]
    if escapes and "iso2022_jp" in candidates:  # the one encoding of the web whose text is all ASCII bytes
        return _checked(_lossy(payload, "iso2022_jp"), "iso2022_jp")
    damaged = payload.decode("utf-8", "replace")
    failed, others = _count(damaged)
    if others > failed or not failed:
        # Text of other encodings decodes to almost nothing but U+FFFD here, so a majority of sound characters means
        # UTF-8 that was cut off or mixed.
        return _checked(damaged.encode(), "utf-8")
    return _legacy(payload, candidates, damaged)


def _legacy(payload: bytes, candidates: list[str], damaged: str) -> Decoded | None:
    best, best_name, fewest = damaged, "utf-8", _count(damaged)[0]
    detected = _detected(payload)
    for name in dict.fromkeys([*candidates, *([detected] if detected else []), "cp1252"]):
        if name.startswith("utf"):
            continue
        text = payload.decode(name, "replace")
        failed, others = _count(text)
        if failed * _TOLERATED < failed + others:
            return _checked(text.encode("utf-8", "replace"), name)
        if failed < fewest:
            best, best_name, fewest = text, name, failed
    return _checked(best.encode("utf-8", "replace"), best_name)


def _detected(payload: bytes) -> str | None:
    # Asked for its own names: "cp949", its word for Korean, is no label of the WHATWG and would come back as UTF-8.
    # Encodings that no browser reads (IBM852 and the like) are guesses from a few bytes and stay out.
    label = detect_encoding(payload, html5_compatible=False)
    return "cp949" if label == "cp949" else codec_of(label)


def _wide(payload: bytes, header: str | None) -> str | None:
    # UTF-16 without a mark: declared by the server, or every second byte of the start is zero, as in Latin markup.
    start = payload[:_PRESCAN_BYTES]
    if b"\0" not in start:
        return None
    if header and header.startswith("utf-16"):
        return header
    pairs = len(start) // 2
    if pairs and start[1::2].count(0) * 4 >= pairs * 3 and start[0::2].count(0) * 4 < pairs:
        return "utf-16-le"
    if pairs and start[0::2].count(0) * 4 >= pairs * 3 and start[1::2].count(0) * 4 < pairs:
        return "utf-16-be"
    return None


def _lossy(payload: bytes, name: str) -> bytes:
    return payload.decode(name, "replace").encode("utf-8", "replace")


def _count(text: str) -> tuple[int, int]:
    # Replacement characters, and other characters beyond ASCII.
    failed = text.count(_REPLACEMENT)
    return failed, len(text) - len(text.encode("ascii", "ignore")) - failed


def _checked(utf8: bytes, name: str) -> Decoded | None:
    sample = utf8[:_SAMPLE_BYTES]
    odd = len(sample) - len(sample.translate(None, _CONTROLS)) + sample.count(_REPLACEMENT.encode())
    if odd and odd * _BINARY > len(sample.decode("utf-8", "ignore")):
        return None
    return Decoded(utf8, name)
