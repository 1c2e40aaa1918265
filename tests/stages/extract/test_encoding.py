from __future__ import annotations

import codecs
import json
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lauter.stages.extract.encoding import codec_of, declared_in_page, decode
from tests.stages.extract.pages import warc

RUSSIAN = "<p>Он не знал, что ответить, и долго молчал, глядя в окно на снег.</p>"
KOREAN = "<p>대한민국의 모든 국민은 법 앞에 평등하다. 누구든지 차별을 받지 아니한다.</p>"
JAPANESE = "<p>すべて国民は、法の下に平等であって、差別されない。</p>"
CHINESE = "<p>中华人民共和国公民在法律面前一律平等。国家尊重和保障人权。</p>"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("US-ASCII", "cp1252"),
        ("gb2312", "gb18030"),
        (" 'Shift_JIS' ", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("big5", "big5hkscs"),
        ("tis-620", "cp874"),
        ("utf8", "utf-8"),
        ("iso-8859-9", "cp1254"),
        ("utf-7", None),
        ("none", None),
        ("", None),
        (None, None),
    ],
)
def test_labels_mean_what_browsers_make_of_them(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec
    if codec:
        codecs.lookup(codec)


@pytest.mark.parametrize(
    ("page", "codec"),
    [
        (b'<meta charset="windows-1251">', "cp1251"),
        (b"<META http-equiv=Content-Type content='text/html; charset=EUC-KR'>", "cp949"),
        (b'<?xml version="1.0" encoding="ISO-8859-2"?><html>', "iso8859-2"),
        (b"<!-- <meta charset=big5> --><meta charset=koi8-r>", "koi8-r"),
        (b'<meta charset="utf-16">', "utf-8"),
        (b" " * 1024 + b"<meta charset=koi8-r>", None),
        (b"<p>charset=koi8-r", None),
    ],
)
def test_declarations_in_the_page(page: bytes, codec: str | None) -> None:
    assert declared_in_page(page) == codec


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_beats_every_label(encoding: str) -> None:
    decoded = decode(RUSSIAN.encode(encoding), charset="windows-1252", markup=True)
    assert decoded is not None
    assert decoded.utf8.decode() == RUSSIAN


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding: str) -> None:
    page = "<html><head><title>Plain title</title></head><body>Body text</body></html>"
    for charset in (None, encoding):
        decoded = decode(page.encode(encoding), charset=charset, markup=True)
        assert decoded == (page.encode(), encoding)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (RUSSIAN, "windows-1251"),
        (RUSSIAN, "koi8-r"),
        (KOREAN, "euc-kr"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc-jp"),
        (JAPANESE, "iso-2022-jp"),
        (CHINESE, "gb2312"),
    ],
)
def test_declared_legacy_text(text: str, label: str) -> None:
    payload = text.encode(label)
    meta = f'<meta charset="{label}">'
    by_header = decode(payload, charset=label, markup=False)
    by_meta = decode(meta.encode() + payload, charset=None, markup=True)
    wrong_header = decode(meta.encode() + payload, charset="utf-8", markup=True)
    assert by_header is not None and by_header.utf8.decode() == text
    assert by_meta is not None and by_meta.utf8.decode() == meta + text
    assert wrong_header == by_meta


@pytest.mark.parametrize(
    ("text", "encoding"), [(RUSSIAN, "windows-1251"), (KOREAN, "euc-kr"), (JAPANESE, "shift_jis"), (CHINESE, "gb18030")]
)
def test_undeclared_legacy_text_is_detected(text: str, encoding: str) -> None:
    decoded = decode((text * 3).encode(encoding), charset=None, markup=True)
    assert decoded is not None
    assert decoded.utf8.decode() == text * 3


def test_valid_utf8_wins_over_a_declaration() -> None:
    payload = b'<meta charset="iso-8859-1">' + RUSSIAN.encode()
    assert decode(payload, charset="windows-1252", markup=True) == (payload, "utf-8")


def test_damaged_utf8_stays_utf8() -> None:
    cut = (RUSSIAN * 20).encode()[:501]
    decoded = decode(cut, charset="windows-1251", markup=True)
    assert decoded is not None
    assert decoded.encoding == "utf-8"
    assert decoded.utf8.decode() == cut.decode("utf-8", "replace")


@pytest.mark.parametrize(
    "payload",
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4, b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(range(7, 256))],
)
def test_binary_is_undecodable(payload: bytes) -> None:
    assert decode(payload, charset="utf-8", markup=True) is None


@given(
    st.binary(max_size=300), st.sampled_from([None, "utf-8", "gbk", "utf-16", "iso-2022-jp", "x-user-defined", "\0"])
)
@example(b"\xff\xfe\0\0\0\xd8", None)
@example(b"\x1b$B\xff", "iso-2022-jp")
def test_never_raises_and_always_gives_utf8(payload: bytes, charset: str | None) -> None:
    decoded = decode(payload, charset=charset, markup=True)
    if decoded is not None:
        decoded.utf8.decode("utf-8")
        codecs.lookup(decoded.encoding)
    assert decode(payload, charset=charset, markup=True) == decoded


@given(st.text(max_size=200))
def test_every_text_survives_utf8(text: str) -> None:
    payload = text.encode("utf-8")
    decoded = decode(payload, charset="windows-1252", markup=False)
    if decoded is not None and decoded.encoding == "utf-8":
        assert decoded.utf8.decode() == text.removeprefix("\ufeff")


def test_real_pages() -> None:
    # Every page that is valid UTF-8 stays so; of the others most say what they are, and all are read.
    found = Counter[str]()
    for name in ("mini.warc.gz", "warc/misc-fixtures.warc.gz", "warc/newspaper4k.warc.gz"):
        for page in warc(name):
            decoded = decode(page.payload, charset=None, markup=True)
            if "UTF-32" in page.url:  # without a mark: no encoding of the web
                assert decoded is None
                continue
            assert decoded is not None, page.url
            found[decoded.encoding] += 1
            decoded.utf8.decode()
    assert found["utf-8"] > 400
    assert found["cp1251"] and found["cp949"] and found["cp932"], json.dumps(found)
