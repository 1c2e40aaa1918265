"""All signals but Allow and Disallow, read a second time by short rules: what denies here must have been denied."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from lauter.stages.optout.policy import Policy
from lauter.stages.optout.robots.spelling import SIZE_LIMIT
from lauter.stages.optout.signals.words import patterns
from lauter.stages.optout.verify.robots import Line, RobotsFile, matches, normal_form, product_token

_USAGE_KEYS = {"train-ai": "content-usage", "ai": "content-usage-draft", "genai": "content-usage-draft"}
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)(?:=([A-Za-z*][\w.*:/-]*))?\s*(?:;[^,]*)?\s*").fullmatch
_SIGNAL = re.compile(r"(?:^|,)\s*ai-train\s*=\s*(yes|no)\s*(?=,|$)", re.IGNORECASE)
_TRAINING = {"train-ai", "ai-train", "ai-all", "all"}


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
    """Content-Usage and Content-Signal rules of the groups that the policy's agents obey, and of the `*` group."""
    found = []
    for names, lines in file.groups:
        if "*" in names or set(names) & set(file.asked):
            for line in lines:
                found += [item for item in _of_line(line) if policy.drops(item.signal)]
    return found


def _of_line(line: Line) -> Iterator[Scoped]:
    path, _, rest = line.value.partition(" ") if line.value.startswith("/") else ("/", "", line.value)
    pattern = normal_form(path.encode("utf-8", "surrogateescape"), pattern=True)
    if line.field == "content-usage":
        for key, denies in usage(rest).items():
            yield Scoped(_USAGE_KEYS[key], denies, pattern, line.text, line.number)
    elif line.field == "content-signal":
        values = [value.lower() for value in _SIGNAL.findall(rest)]
        if values:
            yield Scoped("content-signal", values[-1] == "no", pattern, line.text, line.number)


def usage(value: str) -> dict[str, bool]:
    """Key -> whether it denies, of the members of a Content-Usage value that speak of training; the last counts."""
    found: dict[str, bool] = {}
    for member in value.split(","):
        parsed = _MEMBER(member)
        if parsed is None:
            return {}  # RFC 9651 section 4.2: a dictionary that cannot be parsed says nothing.
        if parsed[1] in _USAGE_KEYS:
            found.pop(parsed[1], None)
            if parsed[2] in ("y", "n"):
                found[parsed[1]] = parsed[2] == "n"
    return found


def longest(statements: Sequence[Scoped], target: str) -> Reserved | None:
    """The reservation of a target: of each signal the longest matching path counts, of equal ones the denial."""
    path = normal_form(target.encode("utf-8", "surrogatepass"), pattern=False)
    best: dict[str, tuple[int, bool, Scoped]] = {}
    for item in statements:
        if matches(item.pattern, path):
            rank = (len(item.pattern), item.denies, item)
            if item.signal not in best or rank[:2] > best[item.signal][:2]:
                best[item.signal] = rank
    for signal, (_, denies, item) in best.items():
        if denies:
            return Reserved(signal, item.text, item.line)
    return None


def of_tdmrep(body: bytes, target: str) -> Reserved | None:
    """The reservation of a tdmrep.json: the first location that matches counts (TDMRep section 6.1)."""
    try:
        entries = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    path = normal_form(target.encode("utf-8", "surrogatepass"), pattern=False)
    for entry in entries if isinstance(entries, list) else [entries]:
        where = entry.get("location") if isinstance(entry, dict) else None
        if isinstance(where, str) and matches(normal_form(where.encode("utf-8", "replace"), pattern=True), path):
            value = entry.get("tdm-reservation")
            return Reserved("tdmrep", json.dumps(entry)[:500]) if value in (1, "1") and value is not True else None
    return None


def of_rsl(body: bytes, target: str) -> Reserved | None:
    """The reservation of an RSL document: a content element that covers the target and does not let training pass."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    path = normal_form(target.encode("utf-8", "surrogatepass"), pattern=False)
    for content in (element for element in root.iter() if _name(element) == "content"):
        where = re.sub(r"^https?://[^/]*", "", content.get("url", "/")) or "/"
        if matches(normal_form(where.encode("utf-8", "replace"), pattern=True), path):
            for rule in content.iter():
                words = set(re.split(r"[\s,]+", (rule.text or "").strip().lower()))
                if _name(rule) == "prohibits" and rule.get("type", "usage") == "usage" and words & _TRAINING:
                    return Reserved("rsl", f"prohibits {' '.join(sorted(words))}")
            return None
    return None


def of_ai_txt(file: RobotsFile) -> Reserved | None:
    """The reservation of an ai.txt: everything is refused to an agent of the policy, and nothing allowed."""
    for names, lines in file.groups:
        if "*" in names or set(names) & set(file.asked):
            rules = [line for line in lines if line.field in ("allow", "disallow")]
            if rules and all(line.field == "disallow" for line in rules):
                for line in rules:
                    if line.value in ("/", "*", "/*"):
                        return Reserved("ai.txt", line.text, line.number)
    return None


def of_comments(body: bytes) -> Reserved | None:
    """The first comment line of a robots.txt that names the law by which text and data mining is reserved."""
    references = patterns().references
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", body[:SIZE_LIMIT].decode("utf-8", "ignore")), 1):
        _, mark, said = raw.partition("#")
        if mark and references.search(" ".join(said.lower().split())):
            return Reserved("words", raw.strip()[:500], number)
    return None


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def of_page(rows: Sequence[Mapping[str, str]], policy: Policy, agents: Sequence[str]) -> Reserved | None:
    """The reservation in the raw signals of one page (`schema.SIGNAL` rows)."""
    tokens = {product_token(agent) for agent in agents} - {"*"}
    for row in rows:
        name, value, place = row["name"].lower(), row["value"], row["place"]
        text = f"{place} {name}: {value}"[:500]
        found: set[str] = set()
        if place in ("header", "meta") and name == "content-usage":
            found = {_USAGE_KEYS[key] for key, denies in usage(value).items() if denies}
        elif name == "x-robots-tag" or place == "meta":
            scope, _, rest = value.partition(":")
            named = name == "x-robots-tag" and rest and re.fullmatch(r"[A-Za-z][\w.+ -]*", scope.strip())
            agent = product_token(scope) if named else name
            general = agent in ("robots", "x-robots-tag")
            words = {word.strip().lower() for word in (rest if named else value).split(",")}
            if general or agent in tokens:
                found = words & {"noai", "noimageai"}
                found |= {"noindex" if general else "agent-noindex"} if words & {"noindex", "none"} else set()
        for signal in sorted(found):
            if policy.drops(signal):
                return Reserved(signal, text)
    said = {row["place"]: row["value"].strip() for row in rows if row["name"].lower() == "tdm-reservation"}
    if policy.drops("tdmrep") and said.get("meta", said.get("header")) == "1":
        return Reserved("tdmrep", f"tdm-reservation: 1 ({'meta' if 'meta' in said else 'header'})")
    return None


def permits_tdm(rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether the page itself says `tdm-reservation: 0`, which goes before the origin's file (TDMRep section 6)."""
    said = {row["place"]: row["value"].strip() for row in rows if row["name"].lower() == "tdm-reservation"}
    return said.get("meta", said.get("header")) == "0"
