"""The kernels against plain Python and against regular expressions."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.index.match import (
    NO_DENIAL,
    OVER_LIMIT,
    canonicalise,
    find,
    match,
    note_last,
    rewrite_targets,
    unescape,
)
from lauter.stages.optout.index.origins import RuleTable, rules_array
from lauter.stages.optout.robots.rules import Rule, RuleSet

# Few letters, so that patterns do match; and everything that percent-encoding treats in its own way.
patterns = st.text("ab*/", max_size=12).map(str.encode)
texts = st.text("ab/", max_size=16).map(str.encode)
spellings = st.lists(
    st.one_of(
        st.sampled_from(
            ["%2F", "%3f", "%2a", "%C3%A9", "%7E", "%zz", "%", "%4", "*", "?", "/", "é", " ", "$", "[", "\x00"]
        )
    ),
    max_size=12,
).map("".join)


def array(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(data, np.uint8)


def match_plainly(pattern: bytes, text: bytes, *, anchored: bool) -> bool:
    expression = b".*".join(re.escape(piece) for piece in re.sub(rb"\*+", b"*", pattern).split(b"*"))
    return re.match(expression + (rb"\Z" if anchored else b""), text, re.DOTALL) is not None


@given(pattern=patterns, anchored=st.booleans(), text=texts, noted=st.booleans())
def test_match_is_the_regular_expression(*, pattern: bytes, anchored: bool, text: bytes, noted: bool) -> None:
    last = np.empty(65536 + 256, np.int64)
    if noted:
        note_last(array(text), 0, len(text), last)
    hit, steps = match(array(pattern), 0, len(pattern), int(anchored), array(text), 0, len(text), int(noted), last)
    assert bool(hit) == match_plainly(pattern, text, anchored=anchored)
    assert 0 < steps <= 2 * (len(pattern) + 2) + 6 * (len(text) + 2)


@given(piece=st.text("ab", max_size=30).map(str.encode), text=st.text("ab", max_size=300).map(str.encode))
def test_find_is_find(*, piece: bytes, text: bytes) -> None:
    # Texts of two letters, over and over the piece without its end, so that the linear search takes over.
    for haystack in (text, piece[:-1] * 20, piece[:-1] * 20 + piece):
        found, steps = find(array(piece), 0, len(piece), array(haystack), 0, len(haystack))
        assert found == haystack.find(piece)
        assert 0 < steps <= 2 * (len(piece) + 2) + 6 * (len(haystack) + 2)


def test_find_is_linear_where_every_place_fits_in_vain() -> None:
    text, piece = b"a" * 20_000, b"a" * 9_000 + b"ba"
    found, steps = find(array(piece), 0, len(piece), array(text), 0, len(text))
    assert found == -1
    # Place by place it would be 11,000 * 9,000.
    assert steps < 6 * (len(text) + len(piece))


def canonicalise_plainly(data: bytes, *, pattern: bool = False, after_star: bool = False) -> bytes:
    literal = rb"A-Za-z0-9\-._~!$&'()+,;=:@/?\[\]"
    out = b""
    query = False
    for found in re.finditer(rb"%([0-9A-Fa-f]{2})|(.)", data, re.DOTALL):
        value = bytes.fromhex(found[1].decode()) if found[1] else found[2]
        plain = re.match(b"[" + literal + b"]", value) is not None
        if found[1] and value == b"/" and not query:
            plain = False
        query = query or value == b"?"
        if found[2]:
            if value == b"*" and pattern:
                plain, query = True, query or after_star
            plain = plain or value == b"%"
            query = query or value == b"?"
        out += value if plain else b"%%%02X" % value[0]
    return out


@given(text=spellings, pattern=st.booleans(), after_star=st.booleans())
def test_canonical_form(*, text: str, pattern: bool, after_star: bool) -> None:
    data = text.encode()
    out = np.empty(3 * len(data), np.uint8)
    size = canonicalise(array(data), 0, len(data), int(pattern), int(after_star), out, 0)
    assert out[:size].tobytes() == canonicalise_plainly(data, pattern=pattern, after_star=after_star)


@given(spellings)
def test_canonical_form_is_stable(text: str) -> None:
    once = canonicalise_plainly(text.encode())
    # A `%` that escapes nothing may come to stand before two digits that another escape gave.
    if "%" not in re.sub("%[0-9A-Fa-f]{2}", "", text):
        out = np.empty(3 * len(once), np.uint8)
        assert out[: canonicalise(array(once), 0, len(once), 0, 0, out, 0)].tobytes() == once


@given(spellings)
def test_unescape(text: str) -> None:
    data = text.encode()
    out = np.empty(3 * len(data), np.uint8)
    got = out[: unescape(array(data), 0, len(data), out, 0)].tobytes()
    assert got == b"%2F".join(unquote_to_bytes(piece) for piece in re.split(b"(?i)%2f", data))


@given(targets=st.lists(spellings, max_size=5), legacy=st.booleans())
def test_targets_are_rewritten_one_by_one(*, targets: list[str], legacy: bool) -> None:
    parts = [target.encode() for target in targets]
    data = array(b"".join(parts))
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    out = np.empty(3 * len(data), np.uint8)
    ends = np.empty(len(offsets), np.int64)
    rewrite_targets(data, offsets, int(legacy), out, ends)
    for i, part in enumerate(parts):
        alone = np.empty(3 * len(part), np.uint8)
        size = (
            unescape(array(part), 0, len(part), alone, 0)
            if legacy
            else canonicalise(array(part), 0, len(part), 0, 0, alone, 0)
        )
        assert out[ends[i] : ends[i + 1]].tobytes() == alone[:size].tobytes()


rules = st.lists(st.tuples(st.booleans(), patterns, st.booleans()), max_size=5)


@given(
    st.lists(st.lists(st.tuples(rules, st.booleans()), max_size=3), min_size=1, max_size=4),
    st.lists(texts, min_size=1, max_size=4),
)
def test_first_denial_of_any_table(
    origins: list[list[tuple[list[tuple[bool, bytes, bool]], bool]]], paths: list[bytes]
) -> None:
    numbered = iter(range(10_000))
    table = [
        [
            RuleSet(f"agent{i}", tuple(Rule(a, p, e, next(numbered), "") for a, p, e in listed), legacy)
            for i, (listed, legacy) in enumerate(sets)
        ]
        for sets in origins
    ]
    flat = [rule for sets in table for one in sets for rule in one.rules]
    targets = [path.decode() for path in paths for _ in origins]
    rows = np.array([i for _ in paths for i in range(len(origins))], np.int64)
    found = RuleTable.of(rules_array(table)).denials(rows, targets)
    for row, target, got in zip(rows, targets, found, strict=True):
        deciding = [
            next((r for r in one.rules if match_plainly(r.path, target.encode(), anchored=r.anchored)), None)
            for one in table[row]
        ]
        expected = next((rule for rule in deciding if rule and not rule.allow), None)
        assert (got == NO_DENIAL) if expected is None else flat[got].line == expected.line


def test_hostile_patterns_end_by_count() -> None:
    # All pairs of the rule's bytes stand in the path, so that the notes show nothing: 20,000 comparisons a rule.
    path = "/" + "ab" * 10_000 + "aabb"
    slow = Rule(False, b"/*aabaa", False, 1, "")
    table = RuleTable.of(rules_array([[RuleSet("*", (slow,) * 1_500)], [RuleSet("*", (slow,) * 2_600)]]))
    assert table.denials(np.arange(2), [path] * 2).tolist() == [NO_DENIAL, OVER_LIMIT]
    # On these stars regular expressions hang for longer than anyone waited.
    stars = Rule(False, b"/" + b"*a" * 200 + b"*b", True, 1, "")
    table = RuleTable.of(rules_array([[RuleSet("*", (stars,))]]))
    assert table.denials(np.zeros(1, np.int64), ["/" + "a" * 8_000])[0] == NO_DENIAL


def test_notes_of_one_text_are_not_taken_for_another() -> None:
    # The two readings compare two forms of a path; an escaped `/` of the query is plain in the standard's alone.
    filler = tuple(Rule(False, b"/*aabaa%d" % i, False, i, "") for i in range(200))
    rule = Rule(False, b"/*%2Fx", False, 999, "")
    path = "/" + "ab" * 2_000 + "aabb?q=%2Fx"
    for legacy, expected in ((False, NO_DENIAL), (True, 2 * len(filler))):
        both = (RuleSet("*", filler), RuleSet("*", (*filler, rule), legacy))
        assert RuleTable.of(rules_array([both])).denials(np.zeros(1, np.int64), [path])[0] == expected
