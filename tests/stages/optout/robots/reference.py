"""RFC 9309 once more, slowly and from its text alone; and the habits of other readers, as switches.

A difference from another reader has a code if that reader's habit, added to this reader, gives the other's answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

LIMIT = 500 * 1024
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
RESERVED = b":/?#[]@!$&'()*+,;="
# Google's parser reads these as the word they are meant for, with and without the colon.
AGENT = ("user-agent", "useragent", "user agent")
DISALLOW = ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")
WORDS = "|".join((*AGENT, *DISALLOW, "allow"))

Escapes = Literal["equal", "as written", "escaped once", "resolved"]


@dataclass(frozen=True)
class Reader:
    """RFC 9309, unless a habit says otherwise."""

    escapes: Escapes = "equal"
    names: Literal[
        "full or cut", "cut", "to the space", "as asked", "part", "start", "any part", "first part", "first start"
    ] = "full or cut"
    order: Literal["longest", "first rule", "longest as written", "longest as escaped"] = "longest"
    first_group: bool = False
    others_end: Literal["nothing", "naming", "blank lines"] = "nothing"
    wildcards: Literal["both", "none", "star", "dollar too"] = "both"
    itself: bool = False
    orphans: Literal["nobody", "everyone", "all ignored"] = "nobody"
    target: Literal["path and query", "path", "fragment too", "empty query dropped", "resolved", "as given"] = (
        "path and query"
    )
    syntax: Literal["google", "strict", "odd", "relative", "unicode lines", "unlimited", "short lines", "lists"] = (
        "google"
    )
    index: bool = False

    def allows(self, body: bytes, names: Sequence[str], url: str) -> bool:
        """Whether a crawler with these names may fetch the URL, or the target that begins with `/`."""
        target = self._target(url)
        if not self.itself and re.fullmatch(r"/robots\.txt(?:\?.*)?", target, re.DOTALL):
            return True
        targets = {target}
        if self.target == "path and query" and re.search(r"(?i)/\.|\\|%2", target):
            targets.add(without_dots(target))
        obeyed = _obeyed_of(self, body, tuple(names))
        return all(self._permits(rules, one) for rules in obeyed for one in sorted(targets))

    def _target(self, url: str) -> str:
        url = re.sub("[\t\r\n]", "", url.strip("".join(map(chr, range(33)))))
        rest = re.sub(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*", "", url)
        if self.target != "fragment too":
            rest = rest.partition("#")[0]
        if self.target == "path":
            rest = re.split("[?;]", rest)[0]
        if self.target == "empty query dropped":
            rest = rest.removesuffix("?")
        rest = rest if rest.startswith("/") else "/" + rest
        return without_dots(rest) if self.target == "resolved" else rest

    def _lines(self, body: bytes) -> Iterator[tuple[str, str]]:
        if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
            body = body.decode("utf-16", "ignore").encode()
        if len(body) > LIMIT and self.syntax != "unlimited":
            cut = body[: LIMIT + 1]
            body = cut[: max(cut.rfind(b"\r"), cut.rfind(b"\n"), 0)]
        for mark in (b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"):
            if body.startswith(mark):
                body = body[len(mark) :]
                break
        text = body.decode("utf-8", "surrogateescape")
        white = None if self.syntax in ("unicode lines", "odd") else " \t\v\f"
        for raw in text.splitlines() if self.syntax == "unicode lines" else re.split(r"\r\n|\r|\n", text):
            line = (raw[:16_663] if self.syntax == "short lines" else raw).partition("#")[0].strip(white)
            if self.syntax == "odd":
                line = line.lstrip("\ufeff\u200b")
            field, colon, value = line.partition(":")
            field = field.strip(white).lower()
            if not colon or field not in (*AGENT, *DISALLOW, "allow"):
                loose = re.fullmatch(rf"({WORDS})[ \t\v\f]+(.*)", line, re.IGNORECASE | re.DOTALL)
                bare = re.fullmatch(WORDS, line, re.IGNORECASE)
                if loose and self.syntax != "strict":
                    field, value = loose[1].lower(), loose[2]
                elif bare and self.syntax != "strict":
                    field, value = line.lower(), ""
                elif not colon:
                    field = field if field else ""
            yield field, value.strip(white)

    def _groups(self, body: bytes) -> list[tuple[list[str], list[tuple[bool, str]]]]:
        groups: list[tuple[list[str], list[tuple[bool, str]]]] = []
        naming = False
        orphaned = False
        for field, value in self._lines(body):
            kind = self._kind(field)
            if kind == "agent":
                if not naming:
                    groups.append(([], []))
                groups[-1][0].append(value)
                naming = True
            elif kind:
                naming = False
                rule = (kind == "allow", value)
                if groups:
                    groups[-1][1].append(rule)
                elif value:
                    orphaned = True
                    if self.orphans == "everyone":
                        groups.append((["*"], [rule]))
            elif self.others_end == ("naming" if field else "blank lines"):
                naming = False
        return [] if orphaned and self.orphans == "all ignored" else groups

    def _kind(self, field: str) -> Literal["agent", "allow", "disallow"] | None:
        exact = {"user-agent": "agent", "allow": "allow", "disallow": "disallow"}
        if self.syntax == "strict":
            return exact.get(field)  # type: ignore[return-value]
        if field in AGENT or (self.syntax == "odd" and re.fullmatch(r"(?:use?r?s?)[\W_]*agents?:?", field)):
            return "agent"
        if field in DISALLOW or (self.syntax == "odd" and re.fullmatch(r"d[ieas]*[sia]+l+[oa]+w[s:]*", field)):
            return "disallow"
        return "allow" if field == "allow" or (self.syntax == "odd" and field == "allows") else None

    def _declared(self, value: str) -> list[str]:
        """The tokens of one User-agent line, lower case."""
        if self.syntax in ("odd", "lists"):
            return [part.strip("'\"").lower() for part in re.split(r"[\s,]+", value) if part] + [value.lower()]
        value = value.strip()
        if self.names in ("as asked", "any part"):
            return [value.lower()]
        if self.names == "to the space":
            return [re.split(r"\s", value)[0].lower()]
        head = re.split(r"[/\s]", value)[0].lower()
        return [head if head == "*" else head.replace("*", "")]

    def obeyed(self, body: bytes, names: Sequence[str]) -> Iterator[list[tuple[bool, str]]]:
        """Allow and path of the rules that a crawler obeys, in file order, once for each reading of its names."""
        groups = self._groups(body)
        tokens = [[token for value in declared for token in self._declared(value)] for declared, _ in groups]

        def merged(chosen: list[int]) -> list[tuple[bool, str]]:
            return [rule for i in (chosen[:1] if self.first_group else chosen) for rule in groups[i][1]]

        named = False
        for name in names:
            token = self._asked(name)
            if token == "*":
                continue
            chosen = [i for i, one in enumerate(tokens) if token and token in one]
            if self.names.endswith(("part", "start")):
                chosen = self._nearest(tokens, token)
            cut = re.match("[a-z_-]*", token)
            assert cut
            words = " ".join(name.lower().split())
            if self.names == "full or cut" and words.startswith(token + " "):
                # Several words are one name; who cuts names reads the first.
                first = chosen
                chosen = [
                    i for i, (one, _) in enumerate(groups) if any(" ".join(v.lower().split()) == words for v in one)
                ]
                named = named or bool(chosen)
                yield from (merged(one) for one in (chosen, first) if one)
                continue
            if self.names == "cut":
                chosen = [i for i, one in enumerate(tokens) if any(_cut(t) == token for t in one if t != "*")]
                chosen = chosen if token == cut[0] else []
            named = named or bool(chosen)
            if chosen:
                yield merged(chosen)
            if self.names == "full or cut" and cut[0]:
                if cut[0] == token:
                    also = [i for i, one in enumerate(tokens) if any(_cut(t) == token for t in one)]
                else:
                    also = [i for i, one in enumerate(tokens) if cut[0] in one]
                if also and also != chosen:
                    yield merged(also)
        if not named:
            yield merged([i for i, one in enumerate(tokens) if "*" in one])

    def _asked(self, name: str) -> str:
        if self.names in ("as asked", "cut", "to the space", "any part"):
            return name.strip().lower().partition("/")[0]
        inner = re.search(r"(?i)compatible;\s*([^\s;/()]+)", name)
        token = (inner[1] if inner else re.split(r"[/\s]", name.strip())[0]).lower()
        return token if token == "*" else token.replace("*", "")

    def _nearest(self, tokens: list[list[str]], asked: str) -> list[int]:
        """The groups whose token is a part or the start of the agent's, the longest such token; or the first."""
        fits = {
            token
            for one in tokens
            for token in one
            if token and token != "*" and (asked.startswith(token) if self.names.endswith("start") else token in asked)
        }
        if self.names.startswith("first"):
            return [i for i, one in enumerate(tokens) if fits & set(one)][:1]
        longest = max(fits, key=len, default=None)
        return [i for i, one in enumerate(tokens) if longest in one]

    def _permits(self, rules: list[tuple[bool, str]], target: str) -> bool:
        text = _form_of(self.escapes, target.encode("utf-8", "surrogatepass"), pattern=False)
        ranked: list[tuple[int, bool]] = []
        for allow, path in rules:
            if path and not path.startswith(("/", "*")):
                if self.syntax == "relative" and not allow:
                    path = "/" + path
                else:
                    continue
            if not path:
                if self.order == "first rule":
                    return True
                continue
            if self.index and allow and re.search(r"/index\.html?$", path):
                folder = path.rpartition("/")[0].encode("utf-8", "surrogateescape") + b"/"
                if _form_of(self.escapes, folder, pattern=True) == text:
                    ranked.append((-len(path), False))
            raw = path.encode("utf-8", "surrogateescape")
            ends = raw.endswith(b"$") and self.wildcards in ("both", "dollar too")
            for form in self._forms(raw[:-1] if ends else raw, allow=allow):
                too = self.wildcards == "dollar too" and ends and text.startswith(form + b"$")
                if too or self._fits(form, text, ends=ends):
                    if self.order == "first rule":
                        return allow
                    size = len(form) + ends
                    if self.order == "longest as written":
                        size = len(raw)
                    elif self.order == "longest as escaped":
                        size = len(quote(raw, safe="/*$%"))
                    ranked.append((-size, not allow))
        return not min(ranked, default=(0, False))[1]

    def _forms(self, path: bytes, *, allow: bool) -> list[bytes]:
        """A path, and if it has a star its form for targets in which what is behind the star is in the query."""
        forms = [_form_of(self.escapes, path, pattern=True)]
        star = path.find(b"*")
        if self.escapes == "equal" and star >= 0 and b"?" not in path[:star] and not allow:
            forms.append(_form_of(self.escapes, path, pattern=True, query_from=star))
        return forms

    def _fits(self, pattern: bytes, text: bytes, *, ends: bool) -> bool:
        if self.wildcards == "none":
            return text.startswith(pattern)
        head, *pieces = pattern.split(b"*")
        if not text.startswith(head):
            return False
        at = len(head)
        if not pieces:
            return not ends or at == len(text)
        last = pieces.pop() if ends else b""
        for piece in pieces:
            at = text.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        return not ends or (text.endswith(last) and len(text) - len(last) >= at)


@lru_cache(1 << 16)
def _form_of(escapes: Escapes, data: bytes, *, pattern: bool, query_from: int | None = None) -> bytes:
    """Percent-encoding in one form (RFC 9309 section 2.2.2), as far as the habit has one."""
    if escapes == "as written":
        return data
    out = b""
    query = False
    for found in re.finditer(rb"%([0-9A-Fa-f]{2})|(.)", data, re.DOTALL):
        query = query or (query_from is not None and found.start() >= query_from)
        if found[1]:
            octet = bytes([int(found[1], 16)])
            plain = octet in UNRESERVED or (octet in RESERVED and octet not in b"*#" and (query or octet != b"/"))
            if escapes == "resolved":
                plain = octet not in b"*$" or not pattern
            if escapes == "escaped once":
                plain = False
            out += octet if plain else b"%%%02X" % octet[0]
            continue
        octet = found[2]
        query = query or octet == b"?"
        if escapes == "escaped once":
            # Google: the rule's own bytes above ASCII are escaped, the URL is taken as the caller escaped it.
            out += b"%%%02X" % octet[0] if octet[0] >= 128 and pattern else octet
        elif escapes == "resolved":
            out += octet
        elif octet == b"*":
            out += b"*" if pattern else b"%2A"
        elif octet == b"%" or (octet in UNRESERVED + RESERVED and octet != b"#"):
            out += octet
        else:
            out += b"%%%02X" % octet[0]
    return out


@lru_cache(4096)
def _obeyed_of(reader: Reader, body: bytes, names: tuple[str, ...]) -> tuple[list[tuple[bool, str]], ...]:
    return tuple(reader.obeyed(body, names))


def _cut(token: str) -> str:
    found = re.match("[a-z_-]*", token)
    assert found
    return found[0]


def without_dots(target: str) -> str:
    """Dot segments resolved and backslashes turned, as WHATWG URL has clients do."""
    path, mark, query = target.partition("?")
    out: list[str] = []
    parts = path.replace("\\", "/").split("/")[1:]
    for part in parts:
        plain = re.sub("(?i)%2e", ".", part)
        if plain == "..":
            out = out[:-1]
        elif plain != ".":
            out.append(part)
    if re.sub("(?i)%2e", ".", parts[-1]) in (".", ".."):
        out.append("")
    return "/" + "/".join(out) + mark + query


RFC = Reader()

READINGS: Sequence[tuple[str, Reader]] = (
    ("ROBOTS-TXT", replace(RFC, itself=True)),
    ("TARGET", replace(RFC, target="fragment too")),
    ("TARGET", replace(RFC, target="empty query dropped")),
    ("TARGET", replace(RFC, target="resolved")),
    ("INDEX-HTML", replace(RFC, index=True)),
    ("AGENT-NAME", replace(RFC, names="cut")),
    ("AGENT-NAME", replace(RFC, names="as asked")),
    ("AGENT-NAME", replace(RFC, names="to the space")),
    ("AGENT-NAME", replace(RFC, names="start")),
    ("AGENT-NAME", replace(RFC, names="part")),
    ("AGENT-NAME", replace(RFC, names="any part")),
    ("AGENT-NAME", replace(RFC, names="first start")),
    ("AGENT-NAME", replace(RFC, names="first part")),
    ("OTHER-RECORDS", replace(RFC, others_end="naming")),
    ("OTHER-RECORDS", replace(RFC, others_end="blank lines")),
    ("RULES-WITHOUT-GROUP", replace(RFC, orphans="everyone")),
    ("RULES-WITHOUT-GROUP", replace(RFC, orphans="all ignored")),
    ("ESCAPES", replace(RFC, escapes="escaped once")),
    ("ESCAPES", replace(RFC, escapes="as written")),
    ("ESCAPES", replace(RFC, escapes="resolved")),
    ("ESCAPES", replace(RFC, order="longest as written")),
    ("ESCAPES", replace(RFC, order="longest as escaped")),
    ("FIRST-MATCH", replace(RFC, order="first rule")),
    ("FIRST-MATCH", replace(RFC, first_group=True)),
    ("WILDCARDS", replace(RFC, wildcards="dollar too")),
    ("WILDCARDS", replace(RFC, wildcards="star")),
    ("WILDCARDS", replace(RFC, wildcards="none")),
    ("LINE-SYNTAX", replace(RFC, syntax="relative")),
    ("LINE-SYNTAX", replace(RFC, syntax="odd")),
    ("LINE-SYNTAX", replace(RFC, syntax="lists")),
    ("LINE-SYNTAX", replace(RFC, syntax="unicode lines")),
    ("LINE-SYNTAX", replace(RFC, syntax="strict")),
    ("LINE-SYNTAX", replace(RFC, syntax="short lines")),
    ("LINE-SYNTAX", replace(RFC, syntax="unlimited")),
    ("TARGET", replace(RFC, target="path")),
    # Two habits at once: who chooses another group reads that one in his own way too.
    ("AGENT-NAME", replace(RFC, names="part", others_end="naming")),
    ("AGENT-NAME", replace(RFC, names="part", wildcards="dollar too")),
    ("AGENT-NAME", replace(RFC, names="part", escapes="as written")),
    ("AGENT-NAME", replace(RFC, names="cut", target="empty query dropped")),
    ("AGENT-NAME", replace(RFC, names="as asked", target="empty query dropped")),
    ("AGENT-NAME", replace(RFC, names="as asked", wildcards="star")),
)
"""The closed list of codes in docs/compliance.md, and the habits that each stands for; the common before the rare."""

CODES = tuple(dict.fromkeys(code for code, _ in READINGS))


def code_of(body: bytes, names: Sequence[str], url: str, *, allowed: bool) -> str | None:
    """The code of the first habit that gives this answer; None where none does."""
    return next((code for code, reader in READINGS if reader.allows(body, names, url) == allowed), None)
