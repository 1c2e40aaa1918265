"""The prefilter's kernel against a plain-Python twin."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lauter.stages.pii import candidates as c

KINDS = tuple(range(9))
MARKS = (".", "..", "@", " ", "\u00a0", "-", "+", "(", ")", "/", ":", "::", "%", "%40", "\n", "x", "é", "中", "😀")
PARTS = ("AFZPK", "1", "23", "456", "4111", "1.2.3.4", "a@b.c", "fe80", "DE89", "de89", "IBAN", "AB 12", "bc1", "X-")
PIECES = st.sampled_from([*MARKS, *PARTS, "q" * 30, "1" * 25])
TEXTS = st.lists(st.lists(PIECES, max_size=30).map("".join), max_size=4)


def twin(text: bytes, kind: int) -> list[tuple[int, int]]:
    """The windows of one document, by definition instead of by state machine."""
    out: list[tuple[int, int]] = []
    if kind == c.EMAIL:
        for at in re.finditer(rb"@|%40", text):
            left = re.search(rb"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~.\x80-\xff]*\Z", text[: at.start()])
            right = re.match(rb"[0-9A-Za-z\-._\x80-\xff]*", text[at.end() :])
            if left and right and left[0] and b"." in right[0]:
                out.append((left.start(), at.end() + right.end()))
    if kind == c.IPV4:
        for m in re.finditer(rb"(?=(?<![0-9])([0-9]{1,3}(?:\.[0-9]{1,3}(?![0-9])){3}(?:/[\s\S]{0,2})?))", text):
            out.append(m.span(1))
    if kind == c.IPV6:
        until = 0
        for colon in re.finditer(rb":", text):
            if colon.start() >= until:
                left = re.search(rb"[0-9A-Fa-f:]*\Z", text[: colon.start()])
                right = re.match(rb"(?:[0-9A-Fa-f:]|\.(?=[0-9]))*", text[colon.start() :])
                assert left
                assert right
                until = end = colon.start() + right.end()
                if text[max(colon.start() - 1, 0) : end].count(b"::") or right[0].count(b":") >= 6:
                    zone = re.match(rb"%[0-9A-Za-z]*", text[end:])
                    out.append((left.start(), min(end + (zone.end() if zone else 0) + 4, len(text))))
    if kind == c.IBAN:
        for m in re.finditer(rb"(?<![0-9])[0-9]{2}", text):
            start = m.start()
            head = re.search(rb"[A-Z]{2}(?:\xc2\xa0|[ \-.])?\Z", text[:start])
            small = re.search(rb"[a-z]{2}\Z", text[:start])
            found = head or small
            if not found:
                continue
            more = re.search(rb"[A-Z]*\Z", text[max(start - 8, 0) : found.start()])
            gap = rb"(?:[ \-.]|\xc2\xa0)?" if head else b""
            body = re.match(rb"[0-9A-Za-z](?:" + gap + rb"[0-9A-Za-z]){0,31}", text[start:])
            assert more
            assert body
            if len(re.findall(rb"[0-9A-Za-z]", body[0])) + 2 >= 15:
                out.append((found.start() - len(more[0]), start + body.end()))
    if kind == c.CRYPTO:
        for m in re.finditer(rb"(?<![0-9A-Za-z])(?:bc1|[13])[0-9A-Za-z]*", text):
            if len(m[0]) >= 26:
                out.append(m.span())
    if kind == c.CARD:
        for m in re.finditer(rb"[0-9]+(?:(?:[ \-]|\xc2\xa0)[0-9]+)*", text):
            if len(re.findall(rb"[0-9]", m[0])) >= 12:
                out.append(m.span())
    dial = rb"(?:[^0-9\x00-\x1f!-'*,:-@A-Z\\^_`a-wyz{|}\x7f]{0,12}[0-9])"
    if kind == c.PLUS:
        for m in re.finditer(rb"(?=(\(?)\+(" + dial + rb"+))", text):
            plus = m.start(2) - 1
            digits = list(re.finditer(rb"[0-9]", text[plus + 1 : min(m.end(2), plus + 96)]))
            if len(digits) >= 7:
                out.append((m.start(), plus + 1 + digits[-1].end()))
        out = [w for w in out if text[w[0] : w[0] + 1] == b"(" or text[w[0] - 1 : w[0]] != b"(" or w[0] == 0]
    if kind == c.NUMBER:
        until = 0
        for m in re.finditer(rb"(?<![0-9])[0-9]", text):
            run = re.match(rb"[0-9]" + dial + rb"*", text[m.start() :])
            assert run
            if m.start() >= until:
                until = m.start() + run.end()
                if len(re.findall(rb"[0-9]", run[0])) >= 7:
                    before = re.search(rb"[(+]{0,4}\Z", text[: m.start()])
                    assert before
                    out.append((before.start(), until))
    if kind == c.IDENTIFIER:
        until = 0
        run_of = re.compile(rb"[0-9A-Za-z](?:[\-./+]?[0-9A-Za-z]|(?<=[0-9]) (?=[0-9])[0-9])*")
        for m in re.finditer(rb"(?<![0-9])[0-9]", text):
            if m.start() < until:
                continue
            run = run_of.match(text, m.start())
            assert run
            until = run.end()
            count = len(re.findall(rb"[0-9]", run[0]))
            before = re.search(rb"[0-9A-Za-z]{0,16}\Z", text[: m.start()])
            assert before
            if not before[0] and text[: m.start()].endswith(b"-") and m.start() > 1:
                before = re.search(rb"[0-9A-Za-z\-]{0,4}\Z", text[: m.start()])
                assert before
            capitals = len(re.findall(rb"[A-Z]", text[before.start() : until]))
            if count >= 6 or (count >= 4 and capitals >= 6):
                out.append((before.start(), until))
    return sorted(out)


def joined(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in windows:
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def windows(texts: list[str], kind: int) -> list[list[tuple[int, int]]]:
    raw = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, raw)]).astype(np.int64)
    found = c.candidates(np.frombuffer(b"".join(raw), np.uint8), offsets, (kind,), 10**9).windows
    out: list[list[tuple[int, int]]] = [[] for _ in texts]
    if kind in found:
        for document, start, end in zip(*(column.tolist() for column in found[kind]), strict=True):
            out[document].append((start - int(offsets[document]), end - int(offsets[document])))
    return out


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example(["DE 89 3704 0044 0532 0130 00 and (+41) 44 668 18 00"])
@example(["1.2.3.4.5/24", "::1%eth0/128", "a@b.c@d.e", "a%40b.c@d%40e.f", "%40b.c", "bc1" + "q" * 40])
def test_kernel_finds_what_its_twin_finds(texts: list[str]) -> None:
    for kind in KINDS:
        assert windows(texts, kind) == [joined(twin(text.encode(), kind)) for text in texts], kind


def test_all_kinds_at_once_are_the_kinds_one_by_one() -> None:
    raw = b"a@b.co 8.8.8.8 fe80::1 DE89 3704 0044 0532 0130 00 4111 1111 1111 1111 +41 44 668 18 00"
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)], np.int64)
    together = c.candidates(data, offsets, KINDS, 10**9).windows
    for kind in KINDS:
        alone = c.candidates(data, offsets, (kind,), 10**9).windows
        assert (kind in together) == (kind in alone)
        if kind in alone:
            assert all(np.array_equal(a, b) for a, b in zip(together[kind], alone[kind], strict=True))


def test_a_document_beyond_the_limit_has_no_window_and_costs_no_other_its_own() -> None:
    raw = [b"a@b.org " * 3, b"a@b.org " * 40_000, b"c@d.org"]
    offsets = np.cumsum([0, *map(len, raw)]).astype(np.int64)
    found = c.candidates(np.frombuffer(b"".join(raw), np.uint8), offsets, (c.EMAIL,), 3)
    assert found.beyond.tolist() == [False, True, False]
    assert found.windows[c.EMAIL].document.tolist() == [0, 0, 0, 2]
    # Left at once: what was allocated has room for some hundred windows, not for forty thousand.
    rows, count = c.scan(np.frombuffer(b"".join(raw), np.uint8), offsets, 1 << c.EMAIL, 3, *np.zeros((2, 3), np.bool_))
    assert (len(rows), count) == (256, 4)
