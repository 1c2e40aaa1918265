"""RSL 1.0 licence documents (Really Simple Licensing, rslstandard.org/rsl): may this content train a model?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from lauter.stages.optout.robots.rules import TEXT_LIMIT
from lauter.stages.optout.signals.lines import evidence
from lauter.stages.optout.signals.statement import Says, Statement

SIZE_LIMIT = 1 << 20
"""Bytes that are read; a document is some hundred bytes, catalogues of a site some hundred KB."""

_TRAINING = frozenset({"all", "ai-all", "ai-train", "train-ai", "train-genai"})
"""Usage tokens that include training: of RSL 1.0 and of its draft, which took them from aipref."""
_FREE = frozenset({"free", "attribution", "contribution"})
"""Payment types that ask for no licence to be bought."""
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_TOKENS = re.compile(r"[\s,;]+")


class _Refused(Exception):
    """A document type: entities are not expanded, and no licence needs them."""


@dataclass
class _Licence:
    """What one `license` element grants and forbids."""

    permits: set[str] = field(default_factory=set)
    prohibits: set[str] = field(default_factory=set)
    payment: bool = False


@dataclass
class _Content:
    """One `content` element; `start` and `end` are its bytes, without the end tag; 0 where it holds another."""

    path: str
    line: int
    start: int
    server: bool
    end: int = 0
    licences: list[_Licence] = field(default_factory=list)


class _Reader:
    """Handlers of the XML parser: content elements in document order."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.contents: list[_Content] = []
        self.rsl = False
        self._parser = parser
        self._list: set[str] | None = None
        self._text: list[str] = []

    def refuse(self, *_: object) -> None:
        """A DOCTYPE ends the reading before any entity is declared."""
        raise _Refused

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        given = {_local(key): value for key, value in attributes.items()}
        if name == "rsl":
            self.rsl = True
        elif name == "content":
            at, line = self._parser.CurrentByteIndex, self._parser.CurrentLineNumber
            self.contents.append(_Content(_path(given.get("url", "/")), line, at, "server" in given))
        elif not self.contents:
            return
        elif name == "license":
            self.contents[-1].licences.append(_Licence())
        elif self.contents[-1].licences:
            licence = self.contents[-1].licences[-1]
            if name in ("permits", "prohibits") and given.get("type", "usage").strip().lower() == "usage":
                self._list = licence.permits if name == "permits" else licence.prohibits
                self._text = []
            elif name == "payment":
                licence.payment |= given.get("type", "").strip().lower() not in _FREE

    def text(self, data: str) -> None:
        if self._list is not None:
            self._text.append(data)

    def end(self, name: str) -> None:
        if self._list is not None and _local(name) in ("permits", "prohibits"):
            self._list.update(token for token in _TOKENS.split("".join(self._text).lower()) if token)
            self._list = None
        if self.contents and _local(name) == "content":
            self.contents[-1].end = self._parser.CurrentByteIndex


def rsl_statements(body: bytes) -> tuple[Statement, ...] | None:
    """A statement a `content` element, in document order; None where the body is no RSL that can be read whole.

    `deny`: any licence prohibits training, or they list permitted uses and training is not among them. `allow`: a
    licence permits training and asks neither for payment nor for a licence server. `note`: only for payment, or by a
    server's consent: an offer, neither permission nor prohibition. A URL with a host stands for its path. Raises
    nothing.
    """
    if len(body) > SIZE_LIMIT:
        return None
    body = body.lstrip(b" \t\r\n")  # before an XML declaration it is an error, and a habit of templates
    parser = expat.ParserCreate(namespace_separator=" ")
    reader = _Reader(parser)
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)  # noqa: FBT003  # positional only
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        return None
    if not reader.rsl:
        return None
    found = []
    for content in reader.contents:
        says = _says(content)
        if says:
            words = (
                body[content.start : content.end or content.start + TEXT_LIMIT]
                .decode("utf-8", "replace")
                .replace("\0", "")
            )
            found.append(Statement("rsl", says, content.path, (), content.line, evidence(" ".join(words.split()))))
    return tuple(found)


def _says(content: _Content) -> Says | None:
    if any(licence.prohibits & _TRAINING for licence in content.licences):
        return "deny"
    training = [licence for licence in content.licences if licence.permits & _TRAINING]
    if training:
        return "note" if content.server or all(licence.payment for licence in training) else "allow"
    return "deny" if any(licence.permits for licence in content.licences) else None


def _local(name: str) -> str:
    return name.rpartition(" ")[2].lower()


def _path(url: str) -> str:
    path = _ORIGIN.sub("", url.strip(), count=1)
    return path if path.startswith(("/", "*")) else "/" + path
