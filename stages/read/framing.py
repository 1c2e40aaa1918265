"""What a WARC record is, byte for byte: the definition that the reader and the counter each implement on their own.

Source: WARC 1.1 (ISO 28500:2017) for whole files, RFC 1952 for gzip; the rest settles what neither says, namely what
becomes of bytes that are no record. The reader (`records`, `containers`) and the counter (`recount`) share this text
and its constants, and no code.

**Files.** The first bytes name the container. Empty file: no rows. One of `FOREIGN`: one row for the whole file
(`unsupported-format`). `GZIP`: a gzip container. `LZ4` or `ZSTD`: one compressed stream. Anything else: plain bytes.
Whatever holds no single header start ends as one row over the whole file too, because it is one garbage range.

**Stretches.** A container yields stretches of inflated bytes. Plain: one stretch, the file. LZ4, Zstandard: what the
codec yields in reads of `CODEC_READ` bytes until it ends or fails; failure ends the last stretch with a *break* that
reaches to the end of the file. Gzip: members from offset 0 on, joined without regard to record borders. A member is
whole if it inflates to its end with the right CRC-32 and size. At position p where no whole member starts there is a
break [p, q): q is the next offset > p of `GZIP` magic where the `PROBE` bytes from q on inflate to a text that starts
with `WARC/`, or the end of the file. The longest prefix that a broken member inflates to (the output for the greatest
number of its bytes that zlib takes without an error) still belongs to the stretch before the break. A first stretch
that starts with `filedesc:` makes the file an ARC file: one row.

**Anchors.** A gzip member whose text starts with `WARC/` always starts a header: content that runs over an anchor is
content with a wrong length. (The bytes of a member that is cut before its fifth byte make no anchor.)

**Items.** Bytes CR and LF between items are padding. If the first byte of an item is not the first of `WARC/`, the
item is garbage up to the next *header start* or the stretch's end; a header start is `WARC/` after LF, or an anchor.
Otherwise the header block is read: lines up to LF, each without one trailing CR, up to and with the first empty line,
in at most `MAX_HEADER` bytes. It is well formed if the first line is `WARC/<digits>.<digits>`, no other line starts
with `WARC/`, it does not run over an anchor, and it has `Content-Length` fields that all hold the same number of at
most 18 ASCII digits (spaces, tabs, CRs and LFs around it are passed over). Field names match in any letter case and
may have spaces and tabs before the colon; a line that starts with a space or tab continues the field before it; of
equal names the first counts; other lines without a colon are passed over. After the content, of that length, the
*tail* must follow: CR LF CR LF; or at most `MAX_TAIL` CRs and LFs and then `WARC/` or the end of the stretch. Then the
record is good and ends after at most four CRs and LFs of its tail. If the header is malformed, the stretch ends in the
content, an anchor lies in the content, or the tail does not follow, then [item start, next header start or stretch
end) is a corrupt range, and framing goes on there.

**Large records.** A header that declares more content than `max_record_bytes` is passed over unread, so that neither a
bomb nor a lie costs memory. Plain: if its tail follows, it is one record (too large); otherwise a corrupt range as
above. Compressed, where nothing can be read twice: it is passed over up to its declared end, or an anchor or the
stretch's end if they come first; at the declared end with its tail it is a record (too large), otherwise a corrupt
range ends at the point reached. Framing goes on from there.

**Breaks.** A break is one corrupt range. It swallows the last item of the stretch before it if that item's last byte
lies in the broken member (LZ4, Zstandard: always).

**Rows.** Good records of type response, resource or conversion are rows; other good records are counted by type.
Corrupt ranges and breaks are rows.
"""

from __future__ import annotations

GZIP = b"\x1f\x8b\x08"
LZ4 = b"\x04\x22\x4d\x18"
ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60)))
"""Frame magic of Zstandard, and the sixteen of skippable frames (RFC 8878), which carry a dictionary in .warc.zst."""

FOREIGN = (
    b"filedesc:",  # ARC
    b"PK\x03\x04",  # zip, WACZ
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",  # JPEG
    b"%PDF-",
    b"PAR1",
    b"\x7fELF",
)
"""First bytes of formats that are not read: looking for records inside them would find only quotations."""

MAGIC_BYTES = 16
"""Bytes of a file's start that are enough to tell the formats above apart."""

ARC = b"filedesc:"
"""First bytes of an ARC file, plain or inflated."""

MAX_HEADER = 65_536
"""Bytes of a record's header block. The longest URLs seen in crawls are 16-32 KiB."""

MAX_TAIL = 16
"""CRs and LFs after a record that are taken for its end. The standard has four; writers were seen to give none to
six."""

CODEC_READ = 65_536
"""Bytes asked of an LZ4 or Zstandard codec at a time: fixed, so that a broken stream ends at the same byte for all."""

PROBE = 1024
"""Compressed bytes looked at to tell whether a gzip member holds a record."""
