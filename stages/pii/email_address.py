"""E-mail addresses, as they stand in running text of any script."""

from __future__ import annotations

import re
from collections.abc import Callable

from lauter.stages.pii.recogniser import Hit, Refine

LOCAL_LENGTH = 64
"""The longest local part (RFC 5321, section 4.5.3.1.1), here in code points."""

_LOCAL = r"[\w!#$%&'*+\-/=?^`{|}~.]"
_LABEL = r"[\w\-]{1,63}"

PATTERN = rf"{_LOCAL}{{1,{LOCAL_LENGTH}}}(?:@|%40){_LABEL}(?:\.{_LABEL}){{1,10}}"
"""Presidio's pattern with every repetition bounded: its own takes quadratic time on a long line of dashes. In a URL
the at sign may be written as %40 (RFC 3986, section 2.1)."""

# Scripts written without spaces: an address in Latin letters ends where they begin.
_UNSPACED = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]"
_LATIN_TAIL = re.compile(rf"(?<={_UNSPACED})[!-~]+\Z")
# Letters of Latin script end at U+024F; a run of others of any length may stand right before the address.
_LATIN_RUN = re.compile(r"(?<=[^\x00-\u024f])[!-~\u00c0-\u024f]+\Z")
_LEADING = re.compile(r"[!#$%&'*+\-/=?^`{|}~.]*")
_SEPARATED = re.compile(r".*(?:[/?&|]|\.\.)", re.DOTALL)
_REPOSITORY_USERS = frozenset({"git", "hg", "svn"})


def refine(is_registrable: Callable[[str], bool]) -> Refine:
    """Cut a match down to the address.

    The head loses what a URL or table cell put before it (`?mail=`, `cell|`), the tail loses labels until a public
    suffix is left (`a@b.org.Then` is an address and a sentence).

    Args:
        is_registrable: whether a host name has a label below a public suffix.
    """

    def cut(hit: Hit) -> tuple[int, int] | None:
        before = hit.before
        local, at, domain = hit.text.rpartition("@" if "@" in hit.text else "%40")
        start = _local_start(local)
        if start == 0 and before and re.match(_LOCAL, before[-1]):
            latin = _LATIN_RUN.search(local)
            if not latin:
                return None  # Longer than a local part may be.
            start = _leading(local, latin.start())
        if start == len(local) or local.endswith("."):
            return None
        if local[start:] in _REPOSITORY_USERS and hit.after.startswith(":"):
            return None  # git@host:path is the address of a repository.
        length = _domain_length(domain, is_registrable)
        return (start, len(local) + len(at) + length) if length else None

    return cut


def _local_start(local: str) -> int:
    start = 0
    if separated := _SEPARATED.match(local):
        start = separated.end()
        if separated[0][-1] in "?&":
            start += local[start:].find("=") + 1
    if tail := _LATIN_TAIL.search(local, start):
        start = tail.start()
    return _leading(local, start)


def _leading(local: str, start: int) -> int:
    leading = _LEADING.match(local, start)
    return leading.end() if leading else start


def _domain_length(domain: str, is_registrable: Callable[[str], bool]) -> int:
    labels = domain.split(".")
    for count in range(len(labels), 1, -1):
        host = ".".join(labels[:count]).rstrip("-_")
        head = host[: len(host) - len(labels[count - 1])]
        latin = re.match(r"[!-~]*", labels[count - 1])
        cut = head + labels[count - 1].partition("_")[0].rstrip("-")
        for candidate in (host, head + latin[0].rstrip("-_") if latin else "", cut):
            if candidate and all(_is_label(label) for label in candidate.split(".")) and is_registrable(candidate):
                return len(candidate)
    return 0


def _is_label(label: str) -> bool:
    return bool(label) and "_" not in label and label[0] != "-" and label[-1] != "-"
