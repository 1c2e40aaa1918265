"""Input that means harm, or was broken on its way: pages and texts of many families, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

Random = random.Random

_TAGS = """
div p span a b i table tr td th ul ol li h1 h2 pre code blockquote article main nav footer form input select option
iframe object svg path math mi mrow semantics annotation template noscript script style title meta link base font
center frameset frame details summary video audio picture source br hr img x-custom o:p
"""
_WORDS = """
the and of river morning walk water stone house der die und Straße über schön le la été garçon и вода хорошо το νερό
日本語 東京 ภาษาไทย ที่ नमस्ते है مرحبا שלום 한국어 x9f0 == {} 0x7f §4 1.2.3.4 2001:db8::1 +41446681800 & < > " ' \\ /
DE89370400440532013000 jane.doe@example.org 4111111111111111 https://a.example/?q=1#x ; -- […] • – ... !? %d {{x}}
"""
TAGS, WORDS = _TAGS.split(), _WORDS.split()
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\u180e\u115f\u3164"
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
MARKS = "\u0300\u0301\u0308\u0330\u0489\u20dd\u0e31\u0e49\u093c\u05b0\u064b"
SPACES = " \t\r\n\v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u3000"
CONTROLS = "".join(map(chr, [*range(1, 32), *range(127, 160)])) + "\ufffe\uffff\ufffd\U0001ffff\U0010ffff\ue000"
BOMBS = (
    "a@", "@a.", "a.", "1.", "1:", "::", "1 ", "(0)", "+", "-", "/", "//", "http://", "name [at] ", " dot ", "(", "[",
    "{", "A", "0", "=", "Aa0", "AKIA", "-----BEGIN ", "eyJ", "sk_live_", "xox", "GB82 ", "4111 ", "e\u0301", "\u200d😀",
    "あ", "ก", "ا", "…", "!", "\n", "\n\n", "- ", "| ", "#", "$", "\\", "\\begin{", "&amp;", "<", ">", "ﷺ", "\u0085",
)  # fmt: skip
"""What is repeated to make an expression that backs up try everything twice."""


def _words(rng: Random, count: int) -> str:
    return " ".join(rng.choices(WORDS, k=count))


def _prose(rng: Random, size: int) -> str:
    return "\n".join(_words(rng, rng.randint(1, 20)) for _ in range(max(1, size // 100)))


def _characters(rng: Random, size: int) -> str:
    """Any code points, those that are no characters and halves of surrogate pairs among them."""
    return "".join(
        chr(rng.choice((rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x110000))))
        for _ in range(size // 3)
    )


def _sprinkled(marks: str) -> Callable[[Random, int], str]:
    def make(rng: Random, size: int) -> str:
        return "".join(letter + rng.choice(marks) * rng.randint(0, 3) for letter in _prose(rng, size // 2))

    return make


def _bomb(rng: Random, size: int) -> str:
    unit = rng.choice(BOMBS) + rng.choice(("", "", rng.choice(BOMBS)))
    return unit * (size // len(unit) + 1) + rng.choice(("", "!", "x", " end", "@", "\n"))


def _line(rng: Random, size: int) -> str:
    return rng.choice(("x", "ab ", "é", "字", "a\u0301", "0")) * (size // 2)


def _repeated(rng: Random, size: int) -> str:
    passage = _words(rng, rng.randint(1, 30)) + rng.choice((" ", ".\n", "\n\n"))
    return passage * (size // len(passage) + 1)


def _blank(rng: Random, size: int) -> str:
    return "".join(rng.choices(SPACES, k=rng.randint(1, max(1, size // 8))))


def _zalgo(rng: Random, size: int) -> str:
    return "".join(
        letter + "".join(rng.choices(MARKS, k=rng.randint(0, 60))) for letter in _words(rng, max(1, size // 400))
    )


def _halves(rng: Random, size: int) -> str:
    """Lone surrogates among words; JSON can spell them and UTF-8 cannot."""
    return "".join(
        rng.choice((chr(rng.randrange(0xD800, 0xE000)), word, "\ud83d", "\ude00"))
        for word in _words(rng, size // 6).split(" ")
    )


TEXTS: Mapping[str, Callable[[Random, int], str]] = {
    "prose": _prose,
    "characters": _characters,
    "invisible": _sprinkled(INVISIBLE),
    "bidi": _sprinkled(BIDI),
    "marks": _sprinkled(MARKS),
    "spaces": _sprinkled(SPACES),
    "controls": _sprinkled(CONTROLS),
    "bomb": _bomb,
    "line": _line,
    "repeated": _repeated,
    "blank": _blank,
    "zalgo": _zalgo,
    "halves": _halves,
}
"""Families of texts: of each a text of about so many code points."""


def _bytes(rng: Random, size: int) -> bytes:
    return rng.randbytes(size)


def _framed(rng: Random, size: int) -> bytes:
    return b"<html><body><p>" + rng.randbytes(size) + b"</body>"


def _tag(rng: Random) -> str:
    name = rng.choice(TAGS)
    attributes = "".join(
        f" {rng.choice(WORDS)}={rng.choice(('', chr(34), chr(39)))}{rng.choice(WORDS)}"
        for _ in range(rng.randint(0, 3))
    )
    return rng.choice((f"<{name}{attributes}>", f"</{name}>", f"<{name}{attributes}/>", f"<{name}", f"< {name}>"))


def _soup(rng: Random, size: int) -> bytes:
    parts = (
        rng.choice(
            (
                _tag(rng),
                _words(rng, 4),
                "<!--",
                "-->",
                "<![CDATA[",
                "]]>",
                "<!DOCTYPE x [",
                "<?php ",
                "&#xD800;",
                "&#0;",
                "&nope;",
            )
        )
        for _ in range(size // 20)
    )
    return "".join(parts).encode()


def _deep(rng: Random, size: int) -> bytes:
    tags = rng.choices(TAGS, k=rng.randint(1, 3))
    depth = size // (2 + sum(map(len, tags)))
    return ("".join(f"<{tag}>" for tag in tags) * depth + _words(rng, 50) + rng.choice(("", "</div>" * depth))).encode()


def _attributes(rng: Random, size: int) -> bytes:
    value = rng.choice(("x", "&quot;", "https://a.example/", "\n", "<b>", "é")) * (size // 4)
    many = " ".join(f"a{number}={number}" for number in range(size // 8))
    name = rng.choice(("title", "style", "class", "href", "data-x"))
    return f"<p {name}='{value}' {rng.choice((many, ''))}>{_words(rng, 60)}</p>".encode()


def _entities(rng: Random, size: int) -> bytes:
    unit = rng.choice(("&amp;", "&#x202e;", "&#xd800;", "&#1114112;", "&#", "&lt;p&gt;", "&NotEqualTilde;", "&ampamp"))
    return f"<p>{unit * (size // len(unit))}</p>".encode()


def _opened(rng: Random, size: int) -> bytes:
    """Something that is never closed, and everything after it."""
    start = rng.choice(
        (
            "<!--",
            "<script>",
            "<style>",
            "<textarea>",
            "<title>",
            "<plaintext>",
            "<p title='",
            "<table>",
            "<select>",
            "<svg>",
            "<math>",
            "<noscript>",
        )
    )
    return f"<p>{_words(rng, 20)}{start}{_prose(rng, size)}".encode("utf-8", "surrogatepass")


def _encoded(rng: Random, size: int) -> bytes:
    codec = rng.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "shift_jis", "euc-kr", "koi8-r", "utf-7", "cp1252"))
    says = rng.choice(("utf-8", "utf-16", "shift_jis", "x-unknown", "iso-8859-1", "utf-7", codec))
    return f"<meta charset={says}><p>{_prose(rng, size)}".encode(codec, "replace")


def _of_text(rng: Random, size: int) -> bytes:
    text = TEXTS[rng.choice(tuple(TEXTS))](rng, size)
    return f"<html><title>{text[:40]}</title><body><article><h1>{text[:60]}</h1><p>{text}</p></article>".encode(
        "utf-8", "surrogatepass"
    )


def _damaged(rng: Random, size: int) -> bytes:
    page = bytearray(_of_text(rng, size))
    for _ in range(rng.randint(1, 1 + len(page) // 50)):
        page[rng.randrange(len(page))] = rng.randrange(256)
    return bytes(page[: rng.randint(1, len(page))])


PAGES: Mapping[str, Callable[[Random, int], bytes]] = {
    "bytes": _bytes,
    "framed": _framed,
    "soup": _soup,
    "deep": _deep,
    "attributes": _attributes,
    "entities": _entities,
    "opened": _opened,
    "encoded": _encoded,
    "text": _of_text,
    "damaged": _damaged,
}
"""Families of pages: of each a page of about so many bytes."""


GIANT = 50_000_000


def giants() -> Iterator[tuple[str, str | bytes]]:
    """(name, text or page) of 50 MB each, one after another: single lines, and what nests or repeats without an end."""
    for unit in ("x", "ab ", "é", "字", "e\u0301", "1 ", "a@", "1.", "\n", "name [at] ", "\u202e"):
        yield f"line of {unit!r}", unit * (GIANT // len(unit.encode()))
    for start, unit in (
        ("", "<div>"),
        ("<p title='", "x"),
        ("<p>", "&amp;"),
        ("", "<p>word "),
        ("<!--", "-"),
        ("<p ", "a=1 "),
    ):
        yield f"page of {unit!r}", (start + unit * (GIANT // len(unit))).encode()
    yield "page of bytes", random.Random(0).randbytes(GIANT)


def sizes(rng: Random) -> int:
    """Code points or bytes of an input: most are short, one in fifty has 40,000."""
    return (
        rng.choice((rng.randint(0, 60), rng.randint(60, 1000), rng.randint(60, 1000), rng.randint(1000, 4000)))
        if rng.randrange(50)
        else 40_000
    )


def texts(seed: int, count: int) -> list[tuple[str, str]]:
    """(family, text) of so many texts."""
    rng, names = Random(f"text {seed}"), tuple(TEXTS)
    return [(name := names[number % len(names)], TEXTS[name](rng, sizes(rng))) for number in range(count)]


def pages(seed: int, count: int) -> list[tuple[str, bytes]]:
    """(family, page) of so many pages."""
    rng, names = Random(f"page {seed}"), tuple(PAGES)
    return [(name := names[number % len(names)], PAGES[name](rng, sizes(rng))) for number in range(count)]
