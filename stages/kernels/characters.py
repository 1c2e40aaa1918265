"""What a character is: letter, mark, digit, punctuation, white space, and whether its script writes spaces.

The properties are written out here, not taken from `unicodedata`, because each Python release carries another version
of Unicode: the same text must give the same words, hashes and scores on every machine. Classes are those of Unicode
17.0, lower-case mappings those of Unicode 14.0.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

SEPARATOR = 1
"""White space, and the marks that stand between words instead: tsheg (U+0F0B, U+0F0C), Ethiopic wordspace (U+1361),
zero width space (U+200B)."""
LETTER = 2
"""General category L."""
MARK = 4
"""General category M, and the joiners U+200C and U+200D: they belong to the character before them."""
PUNCTUATION = 8
"""General categories P, S and Cc, without white space."""
UNSPACED = 16
"""Letters and numbers (L, Nl, No) of scripts that put no space between words: Han, Hiragana, Katakana, Bopomofo, Yi,
Tangut, Nushu, Khitan, Thai, Lao, Khmer, Myanmar, Tai Le, New Tai Lue, Tai Tham, Tai Viet, Ahom, Javanese, Balinese."""
DIGIT = 32
"""General category Nd."""
TERMINAL = 64
"""Property Sentence_Terminal (UAX #44)."""
WHITE_SPACE = 128
"""Property White_Space (UAX #44)."""

Integer: TypeAlias = int | np.int64
"""A machine integer: inside kernels both are one type."""

REPLACEMENT = 0xFFFD
"""The character that `decode` gives for a byte that is not UTF-8."""

# Run lengths over U+0000..U+10FFFF; each letter names the class of its run, and no number means one character.
_CODES = {
    "a": 0,
    "b": SEPARATOR,
    "c": LETTER,
    "d": MARK,
    "e": PUNCTUATION,
    "f": PUNCTUATION | SEPARATOR,
    "g": UNSPACED,
    "h": UNSPACED | LETTER,
    "i": DIGIT,
    "j": PUNCTUATION | TERMINAL,
    "k": WHITE_SPACE | SEPARATOR,
}
_RUNS = (
    "9e5k18ekj12eje10i5eje26c6e26c10ek26ek9ec2ea4e2aec3eace3ae23ce31ce458c4e12c14e5c7ecec17e112d5ce2c2a4cec4a2ece3c"
    "aca20ca83ce139ce7d166ca38ca2c6e41cje2c3ea45dede2de2de3d6a27c4a4c2e17a10e11dea3j43c21d10i4e2cd99cjc7dae6d2c2de"
    "4d2c10i3c2ec3j11e2acd30c27d2a89c11dc14a10i33c9d2c3ejc2ad2e22c4dc9dc3dc5d2a7ejej3e2ja25c3d2aea11c5a24ce7c7a9d"
    "42c24da33d54c3dc18dc7d10c2d2j10ie16c3da8c2a2c2a22ca7cac3a4c2adc7d2a2d2a3dc8ad4a2ca3c2d2a10i2c2e6a2eced2a3da6c"
    "4a2c2a22ca7ca2ca2ca2c2ada5d4a2d2a3d3ad7a4cac7a10i2d3cde10a3da9ca3ca22ca7ca2ca5c2adc8da3da3d2ac15a2c2d2a10i2e7a"
    "c6da3da8c2a2c2a22ca7ca2ca5c2adc7d2a2d2a3d5a5d4a2ca3c2d2a10iec16adca6c3a3ca4c3a2caca2c3a2c3a3c3a12c4a5d3a3da4d"
    "2ac6ad14a10i3a8e5a5d8ca3ca23ca16c2adc7da3da4d7a2da3ca2c2a2c2d2a10i7ae7aec3de8ca3ca23ca10ca5c2adc7da3da4d7a2d5a"
    "3ca2c2d2a10ia2cd12a4d9ca3ca41c2dc7da3da4dce4a3cd7a3c2d2a10i9ae6ca3da18c3a24ca9cac2a7c3ad4a6dada8d6a10i2a2de12a"
    "48hd2h7d4ae7h8de10i2e37a2haha5ha24haha10hd2h9dh2a5haha7da10i2a4h32ac10e2f11e2d6e10i10aededed4e2d8ca36c4a20de2d"
    "5c11da36da8ed6ea13e37a43h20dh10i2j4e6h4d4h3dh3d2h7d3h4d13h12dhd10i4d2e38cac5ac2a43ce333ca4c2a7caca4c2a41ca4c2a"
    "33ca4c2a7caca4c2a15ca57ca4c2a67c2a3defj4e2j23a16c10e6a86c2a6c2ae620cej17ck26c2e3a75c3e3a8c7a18c4d9a19c3d2j9a"
    "18c2d12a13ca3ca2d12a52h32d2jeh4ehd2a10i6a10g6a3ej5eje3dad10i6a89c7a5c2d34cdc5a70c10a31ca12d4a12d4ae3a2j10i30h"
    "2a5h11a44h4a26h6a10ig3a34e23c5d2a2e53h10da29d2ad10i6a10i6a7eh4j2e2a65d15a5d47h17d8ha2j10i2j2e2j11e9d9e3j3d30c"
    "13d2c10i44c14d8a4e36c20d3a2j3e10i3a3c10i36c2j11c5a43c2a3c8e8a3de21d4cd6cd2c3dc5a192c64d278c2a6c2a38c2a6c2a8cac"
    "acaca31c2a53ca7cec3e3ca7c3e4c2a6ca3e13c3e2a3ca7c2ea11kb2d2a20ej3e2k5ak12e2j9e3j21ek17ac8a5ec10a5e17c37e11a33d"
    "15a2ec4ec2e10cec3e5c6ececece4ce11c2e4c5e5c4ece51a2c5a2e4a666e22a11e81a78e22a630e30a992e2a138e229c6e4c3d2c5a3je"
    "a2e38cac5ac2a56c7ace14ad23c9a7ca7ca7ca7ca7ca7ca7ca7ca32d46ejc12ej22e2j9e2a2j2e28a26ea89e12a214e26a16ekej2e2hg"
    "25e9g6de5h2e3g2h3ea86h2a2d2e3he90he4h5a43ha94ca2e4a10e32h38e9ae16h31e11a30e8ae15a32e10a39e15a320e6592h64e"
    "22157h3a55e9a46cej269ce2j16c10i2c20a47c4de10de31c2d70c10a2dej3ej8a23e9c2e103c2e83c4ac14a17cd3cd4cd23c5d4ed9a4e"
    "6a52c2e2j8a2d50c18d8a2j10i6a18d6c3ece2cd10i28c8dej23c13d11ae29c3a4d47h14d7e2j4eac10i4a2e5hd10h10i5ha41c14d9a3c"
    "d8c2d2a10i2ae3j23h3eh3d50hdh3d2h2d5h2dhdh24a3h2e11c5d2j3c2d10a6c2a6c2a6c9a7ca7ca43ce14c2e2c2a115c8dj2d2a10i6a"
    "11172c12a23c4a49c8452a366h2a106h38a7c12a5c5acd10ce13ca5caca2ca2ca108c33e363c18e64c2e54c8e32a12c4e16d2ej2e2j3e"
    "6a16d34eja2e2j15ea4e4a5ca135c4aj12eje10i5eje26c6e26c6ej4e58h31c3a6c2a6c2a6c2a3c3a7ea7e13a2e2a12ca26ca19ca2ca"
    "15c2a14c34a123c5a3e52a9e57a17e2a3ea13e3ae47a45ed130a29c3a49c15ad31a32c13a20ca8c6a38c5d5a30cae36c4a8ce47a158c2a"
    "10i6a36c4a36c4a40c8a52c11ae11ca15ca7ca2ca11ca15ca7ca2c3a52c12a311c9a22c10a8c24a6ca42ca14c64a6c2aca44ca2c3ac2a"
    "23cae8a23c2e7a31c65a19ca2c10a22c9ae26c5ae26c38a56c6a2c64ac3da2d5a4d4ca3ca29c2a3d4ad16a6e2je7a29c2ae29c35a8ce"
    "28c2d9a7e9a54c3a7e22c10a19c13a18c7a4e99a73c55a51c13a51c13a36c4d8a10i6a10i28c3a5de23c8a2e240a42ca2de2a2c16a6ca"
    "2e5d9e22ca16d29c10ac8a22c11d4a5j22a18c4d4j38a21c27a23c9a3d53c15d2j5e24a10id2c2dc9a4d45c11d2ea4jd13a25c7a10i6a"
    "3d36c14da10ie3jc2dc8a35cd2ec9a3d48c14d4c2j2e4dj2d10icece2j32a18ca25c12d2je2jed2cd62a7caca4ca15ca10cj6a47c12d5a"
    "10i6a4da8c2a2c2a22ca7ca2ca5ca2dc7d2a2d2a3d2ac6ad5a5c2d2a7d3a5d11a10cac2aca38cac9dad2ada4da5dcdc2ja2e8a2d29a53c"
    "18d4c2j3e10i2eaed3c30a48c20d2cec8a10i166a47c7d2a9de2j5e15j4c2d34a48c17d2jec11a10i6a13e19a43c13dce6a10i6a20i28a"
    "27h2a15d4a10i2g3je7h185a44c15de100a64c10i21a8c2ac2a8ca2ca24c6da2d2a4dcdc2djej9a10i70a8c2a39c7d2a7dcecd27ac10d"
    "40c7dc4d3e2j3ed8ac11d46c16de2jc5e13a73c7a10ec85a8d88a33ce14a10i6a9ca37c8da8dc2j3e10a10i22a2e30c2a22da14d73a7ca"
    "2ca38c6d3ada2da7dcd8a10i6a6ca2ca32c5da2da5dc7a10i6a44c4a10i6adc238a19c4d2j7a2dcd13ca34c7d3a5d2j11e10id85ac36a"
    "29e13ae922c214a5e11a196c2636a97c2e13a1072c16ad6c15d10a3995c5a583c6841a30c18d10i1734a569c7a31ca10i4a2j79ca10i6a"
    "30c2a5dj10a48c7d2j7e4cje10a10i9a21c5a19c432a45ce2j10i198a64c23aej2e5a25c2a25c44a75c4adc55d7a4d13c64a2hehd11a2d"
    "2h3g9a7387h36a34h95a115h13a914c14a51c7709a4ha7ha2ha297h9ah29a3h2ah14a5h7a396h2308a107c5a13c3a9c7a10c2ae2dj"
    "3936a240e10i3e3a436e6a23ea3e8a33e2a46d2a23d9a116e60a246e10a39e2d60e5d3e6d8a8d2e7d30e4d148e3de10a3d8e2d2ed32e2d"
    "126a87e169a85ca71ca2c2ac2a2c2a4ca12caca7ca65ca4c2a8ca7ca28ca4ca5cac3a7ca341ca25ce25ce31ce25ce31ce25ce31ce25ce"
    "31ce25ce8c2a50i512e55d4e50d8ed14ed3ej3e15a5da15d80a29e995a130c14a7c54a51c7da17d2a7da2da5d5a62c33ad112a45c3a7d"
    "7c2a10i4ace320a30cd17a44c4d10i5ae464a28c4d10i214a30c2dc10i4ae192a31ca3cd2cd7c2d5cd8a2c224a7ca4ca2ca15ca197c11a"
    "7d41a68c7dc4a10i4a2e844ae3ae125ae209a4ca27ca2cac2aca10ca4cacac6ac4acacaca3ca2cac2acacacacaca2cac2a4ca7ca4ca4ca"
    "ca10ca17c5a3ca5ca17c52a2e270a44e4a100e12a15e2a15ea15ea37e23a162e55a29e13a44e4a9e7a2e14a6e154a986e2a17e3a13e3a"
    "220e4a12e4a28e4a56e8a10e6a40e8a30e2a12e4a2e14a9e39a344e8a14e2a13e3a71eae3a18ea13e3a12e5a147ea92e10ie1029a"
    "42720h32a4383ha5774h2a7473h15a622h2466a542h1506a4939h5a8490h39814a11328c656576a240d196112a"
)

# Simple lower-case mappings: first code point in hexadecimal, distance in decimal, then *count and /step of a run.
_LOWER_RUNS = (
    "41+32*26 c0+32*23 d8+32*7 100+1*24/2 130-199 132+1*3/2 139+1*8/2 14a+1*23/2 178-121 179+1*3/2 181+210 "
    "182+1*2/2 186+206 187+1 189+205*2 18b+1 18e+79 18f+202 190+203 191+1 193+205 194+207 196+211 197+209 198+1 "
    "19c+211 19d+213 19f+214 1a0+1*3/2 1a6+218 1a7+1 1a9+218 1ac+1 1ae+218 1af+1 1b1+217*2 1b3+1*2/2 1b7+219 1b8+1 "
    "1bc+1 1c4+2 1c5+1 1c7+2 1c8+1 1ca+2 1cb+1*9/2 1de+1*9/2 1f1+2 1f2+1*2/2 1f6-97 1f7-56 1f8+1*20/2 220-130 "
    "222+1*9/2 23a+10795 23b+1 23d-163 23e+10792 241+1 243-195 244+69 245+71 246+1*5/2 370+1*2/2 376+1 37f+116 "
    "386+38 388+37*3 38c+64 38e+63*2 391+32*17 3a3+32*9 3cf+8 3d8+1*12/2 3f4-60 3f7+1 3f9-7 3fa+1 3fd-130*3 "
    "400+80*16 410+32*32 460+1*17/2 48a+1*27/2 4c0+15 4c1+1*7/2 4d0+1*48/2 531+48*38 10a0+7264*38 10c7+7264 "
    "10cd+7264 13a0+38864*80 13f0+8*6 1c90-3008*43 1cbd-3008*3 1e00+1*75/2 1e9e-7615 1ea0+1*48/2 1f08-8*8 1f18-8*6 "
    "1f28-8*8 1f38-8*8 1f48-8*6 1f59-8*4/2 1f68-8*8 1f88-8*8 1f98-8*8 1fa8-8*8 1fb8-8*2 1fba-74*2 1fbc-9 1fc8-86*4 "
    "1fcc-9 1fd8-8*2 1fda-100*2 1fe8-8*2 1fea-112*2 1fec-7 1ff8-128*2 1ffa-126*2 1ffc-9 2126-7517 212a-8383 "
    "212b-8262 2132+28 2160+16*16 2183+1 24b6+26*26 2c00+48*48 2c60+1 2c62-10743 2c63-3814 2c64-10727 2c67+1*3/2 "
    "2c6d-10780 2c6e-10749 2c6f-10783 2c70-10782 2c72+1 2c75+1 2c7e-10815*2 2c80+1*50/2 2ceb+1*2/2 2cf2+1 "
    "a640+1*23/2 a680+1*14/2 a722+1*7/2 a732+1*31/2 a779+1*2/2 a77d-35332 a77e+1*5/2 a78b+1 a78d-42280 a790+1*2/2 "
    "a796+1*10/2 a7aa-42308 a7ab-42319 a7ac-42315 a7ad-42305 a7ae-42308 a7b0-42258 a7b1-42282 a7b2-42261 a7b3+928 "
    "a7b4+1*8/2 a7c4-48 a7c5-42307 a7c6-35384 a7c7+1*2/2 a7d0+1 a7d6+1*2/2 a7f5+1 ff21+32*26 10400+40*40 "
    "104b0+40*36 10570+39*11 1057c+39*15 1058c+39*7 10594+39*2 10c80+64*51 118a0+32*32 16e40+32*32 1e900+34*34 "
)

_CODE_POINTS = 0x110000
_PAGE = 256


def expand_classes() -> NDArray[np.uint8]:
    """The class bits of every code point, shape (0x110000,)."""
    runs = [(int(length or 1), _CODES[code]) for length, code in re.findall(r"(\d*)([a-z])", _RUNS)]
    lengths, codes = zip(*runs, strict=True)
    return np.repeat(np.array(codes, np.uint8), lengths)


def expand_lower() -> NDArray[np.int32]:
    """What to add to a code point to lower its case, shape (0x110000,)."""
    distance = np.zeros(_CODE_POINTS, np.int32)
    for first, delta, count, step in re.findall(r"([0-9a-f]+)([+-]\d+)(?:\*(\d+))?(?:/(\d+))?", _LOWER_RUNS):
        start, stride = int(first, 16), int(step or 1)
        distance[start : start + stride * int(count or 1) : stride] = int(delta)
    return distance


def _paged(table: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    # Two stages: 1.1 million code points share 153 pages of classes and 24 of case, which stay in the CPU's cache.
    # Pages are numbered as they appear, so that table[c] is right for c < 256 without the first stage.
    pages: dict[bytes, int] = {}
    index = [pages.setdefault(page.tobytes(), len(pages)) for page in table.reshape(-1, _PAGE)]
    return np.array(index, np.uint8), np.frombuffer(b"".join(pages), table.dtype)


_CLASS_PAGE, _CLASS = _paged(expand_classes())
_LOWER_PAGE, _LOWER = _paged(expand_lower())

ASCII_CLASS = _CLASS[:128].astype(np.int64)
"""Class bits of ASCII, dtype int64. Loops look ASCII up here: a call costs more than the whole step (50 MB/s of text
with `decode` and `character_class`, 300 MB/s without)."""


@kernel
def decode(data: NDArray[np.uint8], position: Integer, end: Integer) -> tuple[Integer, int]:
    """The code point at `position` of UTF-8 text that ends before `end`, and its width in bytes.

    A byte that starts no complete sequence gives (REPLACEMENT, 1). Overlong forms are not looked for: Arrow text is
    valid UTF-8, and the check of bounds alone keeps every read inside the text.
    """
    lead = np.int64(data[position])
    if lead < 0x80:
        return lead, 1
    if 0xC2 <= lead < 0xE0 and position + 1 < end and data[position + 1] & 0xC0 == 0x80:
        return (lead & 0x1F) << 6 | np.int64(data[position + 1] & 0x3F), 2
    if 0xE0 <= lead < 0xF0 and position + 2 < end:
        second, third = np.int64(data[position + 1]), np.int64(data[position + 2])
        if second & 0xC0 == 0x80 and third & 0xC0 == 0x80:
            return (lead & 0x0F) << 12 | (second & 0x3F) << 6 | (third & 0x3F), 3
    if 0xF0 <= lead < 0xF5 and position + 3 < end:
        second, third, fourth = np.int64(data[position + 1]), np.int64(data[position + 2]), np.int64(data[position + 3])
        if second & 0xC0 == 0x80 and third & 0xC0 == 0x80 and fourth & 0xC0 == 0x80:
            code = (lead & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | (fourth & 0x3F)
            if code < 0x110000:
                return code, 4
    return REPLACEMENT, 1


@kernel
def character_class(code: Integer) -> Integer:
    """The class bits of a code point below 0x110000."""
    if code < 256:
        return np.int64(_CLASS[code])
    return np.int64(_CLASS[np.int64(_CLASS_PAGE[code >> 8]) << 8 | code & 255])


@kernel
def one_of(code: Integer, codes: NDArray[np.int64]) -> bool:
    """Whether a code point is among some."""
    for other in codes:  # noqa: SIM110 - numba has no generator expressions
        if code == other:
            return True
    return False


@kernel
def lower(code: Integer) -> Integer:
    """The simple lower-case mapping of a code point below 0x110000."""
    if code < 256:
        return np.int64(code + _LOWER[code])
    return np.int64(code + _LOWER[np.int64(_LOWER_PAGE[code >> 8]) << 8 | code & 255])
