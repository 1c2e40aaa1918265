"""Robots.txt as it is found: encodings, and spellings that no standard knows but a reader understands."""

from __future__ import annotations

import re
from functools import lru_cache

SIZE_LIMIT = 500 * 1024
"""Bytes of a file that are read: the least that RFC 9309 section 2.5 asks for, and what Google reads."""

INVISIBLE = "\ufeff\u200b\u00ef\u00bb\u00bf"
"""Left by editors at the start of a line: byte order mark (a second one, or one encoded twice) and zero-width space."""

WHITE = " \t\v\f"
"""White space around a record: that of RFC 9309 section 2.2, and the two other ASCII characters that Google strips."""

_UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_ROBOTS = re.compile(r"user.?agent|allow|sitemap|^\s*(?:#|\Z)", re.IGNORECASE).search
_DASHES = "\u2010-\u2015\u2212\ufe63\uff0d"
_WIDE_COLON = re.compile("[^:\uff1a\ufe55]*[\uff1a\ufe55]").match
_USER_AGENT = re.compile(rf"user[\s_{_DASHES}-]*agents?\s*:", re.IGNORECASE).match
_URL = re.compile(r"([^:]*:\s*)https?://[^/?#\s]*(.*)", re.IGNORECASE).fullmatch
_ODD_ASCII = "\\\x1c\x1d\x1e\x1f"
# Marks and colons as above, and white space that is none to the standard.
_ODD_CHARACTER = re.compile(
    "[\ufeff\u200b\uff1a\ufe55\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
).search
# For text in lower case: a literal start is found some times faster than one in any case.
_ODD_AGENT = re.compile(
    rf"user(?:[_{_DASHES}]|\s[\s_-]|-[\s_-]|[\s-]?agents"
    r"|-?agent\s*:[ \t]*(?:[^\s#]+[ \t,;]+[^\s#]|[^\r\n#]*[\"'`,;()\u2018-\u201f\u00ab\u00bb]))"
).search
_ODD_RULE = re.compile(r"allow\s*:\s*https?://").search
_AGENT_SPLIT = re.compile("[\\s,;()\\[\\]<>\"'`\u2018-\u201f\u00ab\u00bb]+").split
_LIST_SPLIT = re.compile("[,;\"'`\u2018-\u201f\u00ab\u00bb]+").split


def utf8(body: bytes) -> bytes | None:
    """The file in UTF-8: as it is, or from UTF-16 with or without its mark; None where NUL bytes have no such meaning.

    No text in UTF-8 has a NUL, and every robots.txt in UTF-16 has many, since its records are ASCII.
    """
    codec = _UTF16_MARKS.get(body[:2])
    if codec is None:
        if b"\0" not in body:
            return body
        codec = "utf-16-le" if body[1::2].count(0) > body[::2].count(0) else "utf-16-be"
    text = body.decode(codec, "ignore")
    return None if "\0" in text or not _ROBOTS(text) else text.encode()


def read_text(body: bytes) -> str:
    """The part of a UTF-8 file that counts.

    Left out are a byte order mark (whole or cut, as Google skips it) and a last line that SIZE_LIMIT cuts through.
    """
    head = body[:SIZE_LIMIT]
    if len(body) > SIZE_LIMIT and body[SIZE_LIMIT - 1 : SIZE_LIMIT] not in (b"\n", b"\r"):
        # Half a rule may say more than the whole one: `Disallow: /a` cut to `Disallow: /`.
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    for mark in (b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"):
        if head.startswith(mark):
            head = head[len(mark) :]
            break
    return head.decode("utf-8", "surrogateescape")


def is_odd(text: str) -> bool:
    """Whether a text has anything that `plain_line` or `listed_agents` read in a way of their own."""
    if any(c in text for c in _ODD_ASCII) or text.startswith("\u00ef\u00bb\u00bf"):
        return True
    if not text.isascii() and _ODD_CHARACTER(text):
        return True
    lower = text.lower()
    return _ODD_AGENT(lower) is not None or ("http" in lower and _ODD_RULE(lower) is not None)


def plain_line(line: str) -> str:
    r"""A line as its writer meant it: full-width colons, `User_agents`, absolute URLs and backslashes as paths.

    The URL of a whole site is left alone: who writes one lists other hosts (`Disallow: https://assets.a.example/`).

    >>> plain_line("User_agents: GPTBot"), plain_line("Disallow：https://a.example\\b")
    ('User-agent: GPTBot', 'Disallow:/b')
    """
    line = line.lstrip(INVISIBLE).lstrip()
    wide = _WIDE_COLON(line)
    if wide:
        line = f"{wide[0][:-1]}:{line[wide.end() :]}"
    agent = _USER_AGENT(line)
    if agent:
        return "User-agent:" + line[agent.end() :]
    line = line.replace("\\", "/")
    url = _URL(line)
    if url and "allow" in url[1].lower() and url[2] not in ("", "/"):
        return url[1] + (url[2] if url[2].startswith("/") else "/" + url[2])
    return line


@lru_cache(4096)
def listed_agents(value: str) -> tuple[str, ...]:
    """A declared agent, and every name in it: of a list, in quotes, or in brackets.

    A `*` is a name in a list with commas or in quotes; between spaces it may be anything.

    >>> listed_agents('foo, "gptbot"')
    ('foo, "gptbot"', 'foo', 'gptbot')
    """
    names = [name.strip(":.") for name in _AGENT_SPLIT(value)]
    stars = [name for name in _LIST_SPLIT(value) if name.strip() == "*"]
    return tuple(dict.fromkeys([value, *(name for name in names if name and name.strip("*")), *("*" for _ in stars)]))
