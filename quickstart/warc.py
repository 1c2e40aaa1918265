"""Writes WARC records byte by byte: small enough to read, and the same bytes on every run."""

from __future__ import annotations

import uuid
import zlib


def record(kind: str, url: str, date: str, content_type: str, content: bytes, identity: str = "") -> bytes:
    """One WARC/1.1 record (ISO 28500:2017) with its closing CR LF CR LF.

    The record id is a version 5 UUID of `identity`, by default of kind, URL and date, so that it never changes.
    """
    name = uuid.uuid5(uuid.NAMESPACE_URL, identity or f"{kind} {url} {date}")
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{name}>",
        "WARC-Date": date,
        "WARC-Target-URI": url,
        "Content-Type": content_type,
        "Content-Length": str(len(content)),
    }
    lines = ["WARC/1.1", *(f"{field}: {value}" for field, value in fields.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n\r\n"


def response(url: str, date: str, message: bytes, identity: str = "") -> bytes:
    """A response record around a whole HTTP message."""
    return record("response", url, date, "application/http; msgtype=response", message, identity)


def info(date: str, file: str) -> bytes:
    """The record that opens a WARC file."""
    fields = f"software: quickstart.build_web\r\nformat: WARC File Format 1.1\r\nfilename: {file}\r\n"
    return record("warcinfo", "", date, "application/warc-fields", fields.encode(), f"warcinfo {file}")


def member(data: bytes) -> bytes:
    """`data` as one gzip member without a time stamp (RFC 1952)."""
    encoder = zlib.compressobj(9, zlib.DEFLATED, 31)
    return encoder.compress(data) + encoder.flush()
