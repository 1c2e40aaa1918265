"""All signals but Allow and Disallow, read a second time by short rules: what denies here must have been denied."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from lauter.stages.optout.policy import Policy
from lauter.stages.optout.signals.words import patterns
from lauter.stages.optout.verify.robots import Preference, RobotsFile, matches, normal_form, product_token

_USAGE_KEYS = {"train-ai": "content-usage", "ai": "content-usage-draft", "genai": "content-usage-draft"}
# RFC 9651 section 3.2, of which this reader knows members that are tokens, with parameters that are tokens or numbers.
_MEMBER = re.compile(
    r"([a-z*][a-z0-9_.*-]*)(?:=([A-Za-z*][\w.*/-]*))?(?:; *[a-z*][a-z0-9_.*-]*(?:=[\w.*-]+)?)*"
).fullmatch
_COMMA = re.compile(r"[ \t]*,[ \t]*").split
_SIGNAL = re.compile(r"(?:^|,)\s*ai-train\s*=\s*(yes|no)\s*(?=,|$)", re.IGNORECASE).findall
_TRAINING = frozenset({"train-ai", "ai-train", "ai-all", "all"})
_SCOPE = re.compile(r"[A-Za-z][\w.+ -]*").fullmatch
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_FILE_BYTES = 1 << 20
"""Bytes of a tdmrep.json or an RSL document above which it is not read (`signals.tdmrep`, `signals.rsl`)."""


class Reserved(NamedTuple):
    """A reservation that covers a target."""

    signal: str
    text: str
    line: int | None = None


class Scoped(NamedTuple):
    """A statement about the targets that a pattern matches."""

    signal: str
    denies: bool
    pattern: bytes
    text: str
    line: int | None


def of_robots(file: RobotsFile, policy: Policy) -> list[Scoped]:
    """Content-Usage and Content-Signal lines said to everyone or to an agent that the policy asks for by name."""
    if file.odd:
        return []
    found = []
    for line in file.preferences:
        if not line.agents or "*" in line.agents or not file.asked.keys().isdisjoint(line.agents):
            found += [item for item in _of_line(line) if policy.drops(item.signal)]
    return found


def _of_line(line: Preference) -> Iterator[Scoped]:
    path, _, rest = line.value.partition(" ") if line.value.startswith("/") else ("/", "", line.value)
    pattern = normal_form(path.encode("utf-8", "surrogateescape"), pattern=True)
    if line.field == "content-usage":
        for key, denies in usage(rest).items():
            yield Scoped(_USAGE_KEYS[key], denies, pattern, line.text, line.number)
    elif line.field == "content-signal":
        values = {value.lower() for value in _SIGNAL(rest)}
        if values:
            yield Scoped("content-signal", "no" in values, pattern, line.text, line.number)


def usage(value: str) -> dict[str, bool]:
    """Key -> whether it denies, of the members of a Content-Usage value that speak of training; the last counts."""
    found: dict[str, bool] = {}
    for member in _COMMA(value.strip(" ")):
        parsed = _MEMBER(member)
        if parsed is None:
            return {}  # RFC 9651 section 4.2: a dictionary that cannot be parsed says nothing.
        if parsed[1] in _USAGE_KEYS:
            found.pop(parsed[1], None)
            if parsed[2] in ("y", "n"):
                found[parsed[1]] = parsed[2] == "n"
    return found


def longest(statements: Sequence[Scoped], target: bytes) -> Reserved | None:
    """The reservation of a target: of each signal the longest matching path counts, of equal ones the denial."""
    best: dict[str, tuple[int, bool, Scoped]] = {}
    for item in statements:
        if matches(item.pattern, target):
            rank = (len(item.pattern), item.denies, item)
            if item.signal not in best or rank[:2] > best[item.signal][:2]:
                best[item.signal] = rank
    for signal, (_, denies, item) in best.items():
        if denies:
            return Reserved(signal, item.text, item.line)
    return None


class Located(NamedTuple):
    """What a file says of the targets that a pattern matches: the first that matches counts."""

    pattern: bytes
    reserved: Reserved | None


def first(statements: Sequence[Located], target: bytes) -> Reserved | None:
    """The reservation of a target in a tdmrep.json or an RSL document."""
    for pattern, reserved in statements:
        if matches(pattern, target):
            return reserved
    return None


def of_tdmrep(body: bytes) -> list[Located]:
    """The locations of a tdmrep.json, in order (TDMRep section 6.1)."""
    if len(body) > _FILE_BYTES:
        return []
    try:
        entries = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return []
    found = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict):
            where, value = entry.get("location", "/"), entry.get("tdm-reservation")
            reserves = value in (1, "1") and value is not True
            text = Reserved("tdmrep", json.dumps(entry)[:500]) if reserves else None
            found.append(Located(_pattern(where if isinstance(where, str) else "/"), text))
    return found


def of_rsl(body: bytes) -> list[Located]:
    """The content elements of an RSL document, in order: whether a licence in it prohibits training."""
    if len(body) > _FILE_BYTES or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return []
    try:
        root = ElementTree.fromstring(body.lstrip(b" \t\r\n"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return []
    elements = list(root.iter())
    contents = [element for element in elements if _name(element.tag) == "content"]
    # Elements within each other are read in ways of their own, and are in no document that is published.
    if not any(_name(element.tag) == "rsl" for element in elements) or any(
        _name(inner.tag) == "content" for content in contents for inner in content.iter() if inner is not content
    ):
        return []
    found = []
    for content in contents:
        given = {_name(name): value for name, value in content.items()}
        words = {word for licence in content.iter() if _name(licence.tag) == "license" for word in _prohibited(licence)}
        said = Reserved("rsl", f"prohibits {' '.join(sorted(words))}") if words & _TRAINING else None
        found.append(Located(_pattern(given.get("url", "/")), said))
    return found


def _prohibited(licence: ElementTree.Element) -> Iterator[str]:
    for rule in licence.iter():
        if _name(rule.tag) == "prohibits" and rule.get("type", "usage") == "usage":
            yield from re.split(r"[\s,]+", (rule.text or "").strip().lower())


def _pattern(where: str) -> bytes:
    """A location, of which an origin is left out, as a path pattern."""
    path = _ORIGIN.sub("", where.strip(), count=1)
    return normal_form((path if path.startswith(("/", "*")) else "/" + path).encode("utf-8", "replace"), pattern=True)


def of_ai_txt(file: RobotsFile) -> Reserved | None:
    """The reservation of an ai.txt: everything is refused to an agent of the policy, and nothing allowed to anyone."""
    rules = [(names, line) for names, lines in file.groups for line in lines]
    if file.odd or any(field == "allow" for _, (field, *_) in rules):
        return None
    for names, (_, value, number, text) in rules:
        if value in ("/", "*", "/*") and ("*" in names or not file.asked.keys().isdisjoint(names)):
            return Reserved("ai.txt", text, number)
    return None


def of_comments(file: RobotsFile) -> Reserved | None:
    """The first comment line of a robots.txt that names the law by which text and data mining is reserved."""
    # What begins with a tag may be a page and no file at all.
    if file.text.lstrip().startswith("<"):
        return None
    references = patterns().references
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", file.text), 1):
        _, mark, said = raw.partition("#")
        if mark and references.search(" ".join(said.lower().split())):
            return Reserved("words", raw.strip()[:500], number)
    return None


def _name(tag: str) -> str:
    return str(tag).rpartition("}")[2].lower()


class Said(NamedTuple):
    """A row of `schema.SIGNAL`."""

    place: str
    name: str
    value: str


def of_page(rows: Sequence[Said], policy: Policy, tokens: Collection[str]) -> Reserved | None:
    """The reservation in the raw signals of one page, for agents with these product tokens."""
    for place, written, value in rows:
        name = written.lower()
        found: set[str] = set()
        if place in ("header", "meta") and name == "content-usage":
            found = {_USAGE_KEYS[key] for key, denies in usage(value).items() if denies}
        elif name == "x-robots-tag" or place == "meta":
            found = _directives(name, value, tokens)
        for signal in sorted(found):
            if policy.drops(signal):
                return Reserved(signal, f"{place} {name}: {value}"[:500])
    said = {row.place: row.value.strip() for row in rows if row.name.lower() == "tdm-reservation"}
    if policy.drops("tdmrep") and said.get("meta", said.get("header")) == "1":
        return Reserved("tdmrep", f"tdm-reservation: 1 ({'meta' if 'meta' in said else 'header'})")
    return None


def _directives(name: str, value: str, tokens: Collection[str]) -> set[str]:
    """What a robots meta element or X-Robots-Tag says to everyone or to one of the agents, up to another's name."""
    agent, words = name, value.lower()
    if name == "x-robots-tag":
        scope, colon, rest = value.lower().partition(":")
        if colon and _SCOPE(scope.strip()):
            agent, words = product_token(scope), rest
        words = words.partition(":")[0].rpartition(",")[0] if ":" in words else words
    general = agent in ("robots", "x-robots-tag")
    if not general and agent not in tokens:
        return set()
    said = {word.strip() for word in words.split(",")}
    noindex = {"noindex" if general else "agent-noindex"} if said & {"noindex", "none"} else set()
    return said & {"noai", "noimageai"} | noindex


def speaks_of_tdm(rows: Sequence[Said]) -> bool:
    """Whether the page itself has a `tdm-reservation`, which goes before the origin's file (TDMRep section 6)."""
    return any(row.name.lower() == "tdm-reservation" for row in rows)
