"""Real files, URLs made from them, and what Google's parser and Protego say of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from protego import Protego

from lauter.stages.optout.snapshot.read import read_snapshot

URLS_A_FILE = 50
GENERIC = (
    "/",
    "/index.html",
    "/robots.txt",
    "/a/b/c.html?x=1&y=2",
    "/search?q=a%2Fb",
    "/caf%C3%A9/",
    "/wp-admin/admin-ajax.php",
    "/2024/05/17/news-of-the-day.html",
)
_RULE = re.compile(r"(?im)^\s*(?:dis)?allow\s*:?\s*([/*][^\s#]*)")
# What a crawler asks for is percent-encoded already (RFC 3986): both peers leave it to the caller.
_SAFE = "!$&'()*+,;=:@/?%[]-._~"


def corpora(data: Path) -> list[Path]:
    """The files of real robots.txt in the test data."""
    return [
        *sorted((data / "robots" / "corpus").glob("*.jsonl.gz")),
        data / "warc" / "robots-for-html-hosts.warc.gz",
    ]


def bodies(path: Path) -> Iterator[bytes]:
    """Every distinct robots.txt of a corpus that has one, in order of the file."""
    seen: set[bytes] = set()
    for answer in read_snapshot(str(path), Counter()):
        if answer.body and answer.body not in seen and (answer.status is None or answer.status < 300):
            seen.add(answer.body)
            yield answer.body


def urls_of(text: str, salt: int) -> list[str]:
    """50 targets: the paths of the file's own rules, these changed a little, and generic ones; same salt, same URLs."""
    draw = random.Random(salt)
    found = dict.fromkeys(GENERIC)
    paths = list(dict.fromkeys(_RULE.findall(text)))
    draw.shuffle(paths)
    while len(found) < URLS_A_FILE:
        path = paths[len(found) % len(paths)] if paths else draw.choice(GENERIC)
        filled = re.sub(r"\*+", lambda _: draw.choice(["", "x", "a/b", "1?c=2"]), path.removesuffix("$"))
        found[_changed(filled if filled.startswith("/") else "/" + filled, draw)] = None
    return [quote(target, safe=_SAFE, errors="replace") for target in list(found)[:URLS_A_FILE]]


def _changed(target: str, draw: random.Random) -> str:
    match draw.randrange(8):
        case 0:
            return target + draw.choice(["x", "/", "?a=b", "/index.html", "$", "%2F"])
        case 1:
            return target[: draw.randrange(1, len(target) + 1)]
        case 2:
            return target.swapcase()
        case 3:
            place = draw.randrange(1, len(target) + 1)
            return target[:place] + "".join(f"%{ord(c):02x}" for c in target[place : place + 1] if ord(c) < 128)
        case 4:
            return target.rpartition("/")[0] + "/" + str(draw.randrange(1000))
        case _:
            return target + str(draw.randrange(100)) * draw.randrange(2)


# The first part of a line, or a target, that is not in the query.
_BEFORE_QUERY = re.compile(r"(?:\A|(?<=[\r\n]))[^?\r\n]+")


def _kept_slashes(text: str) -> str:
    """Escaped slashes of a path, escaped again: the wrapper resolves every escape once, Google's own parser none."""
    return _BEFORE_QUERY.sub(lambda found: re.sub("(?i)%2f", "%252F", found[0]), text)


class Peers:
    """The two other readers, with one file before them."""

    def __init__(self, body: bytes) -> None:
        google = pytest.importorskip("robotstxt", reason="pip install fast-robotstxt")
        # Both take text: Google's wrapper none with NUL, Protego none with a byte order mark. Google's parser reads
        # bytes and skips a mark that is cut, too; as text it would be a replacement character.
        body = re.sub(rb"\A\xef(?:\xbb\xbf?)?", b"", body)
        self.text = body.decode("utf-8", "replace").replace("\0", "\ufffd")
        self._google = google.RobotsMatcher()
        self._google_text = _kept_slashes(self.text)
        self._protego = Protego.parse(self.text)

    def answers(self, agent: str, targets: Sequence[str]) -> list[tuple[bool, bool]]:
        """Whether (Google's, Protego) permit each target to an agent."""
        host = "https://a.example"
        return [
            (
                bool(self._google.is_allowed(self._google_text, agent, host + _kept_slashes(target))),
                bool(self._protego.can_fetch(host + target, agent)),
            )
            for target in targets
        ]
