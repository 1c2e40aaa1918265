"""Files of 500 KiB against URLs of 2 KB: comparisons are counted, since no clock may decide a test."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import numpy as np
import pytest

from lauter.stages.optout.index.match import NO_DENIAL, NOTES, STEP_LIMIT, first_hit
from lauter.stages.optout.robots.rules import Rule, parse
from lauter.stages.optout.robots.spelling import SIZE_LIMIT
from lauter.stages.optout.robots.standard import StandardReader
from tests.stages.optout.robots.reference import RFC

URL = 2_048


def filled(line: Callable[[random.Random], str]) -> bytes:
    """A file of just under 500 KiB, one group for everyone."""
    draw = random.Random(7)
    lines = ["User-agent: *"]
    size = len(lines[0])
    while size < SIZE_LIMIT - 1_500:
        lines.append(line(draw))
        size += len(lines[-1]) + 1
    return "\n".join(lines).encode()


def some(draw: random.Random, letters: str, size: int) -> str:
    return "".join(draw.choices(letters, k=size))


def searched(rules: tuple[Rule, ...], target: str) -> tuple[int, int]:
    """(index of the first rule that matches, or NO_DENIAL or OVER_LIMIT; comparisons), as the kernels do it."""
    text = np.frombuffer(target.encode(), np.uint8)
    return first_hit(
        0,
        len(rules),
        np.cumsum([0, *(len(rule.path) for rule in rules)]),
        np.frombuffer(b"".join(rule.path for rule in rules), np.uint8),
        np.array([rule.anchored for rule in rules], np.uint8),
        text,
        0,
        len(text),
        STEP_LIMIT,
        np.empty(NOTES, np.int64),
    )


LETTERS = string.ascii_lowercase
AB = "/" + "ab" * (URL // 2 - 1) + "a"
# What a file repeats, the URL, and whether a rule of it matches.
FILES: dict[str, tuple[Callable[[random.Random], str], str]] = {
    "one letter behind a star": (lambda draw: "Disallow:/*" + some(draw, "xyz", 1), AB),
    "two letters": (lambda draw: "Disallow:/*" + some(draw, LETTERS[2:], 2), AB),
    "words": (lambda draw: f"Disallow: /*{some(draw, LETTERS[2:], 6)}=", AB),
    "words in order": (
        lambda draw: f"Disallow: /*{some(draw, 'ab', 4)}*{some(draw, 'ab', 4)}*c{some(draw, 'ab', 3)}",
        AB,
    ),
    "stars to the end": (lambda draw: "Disallow: /" + "*a" * draw.randint(10, 90) + "*c$", AB),
    "one long run": (
        lambda draw: "Disallow: /*" + "a" * draw.randint(300, 900) + "b" * draw.randint(1, 99),
        "/" + "a" * URL,
    ),
    "a run with a flaw": (
        lambda draw: f"Disallow: /*{'a' * draw.randint(300, 600)}b{'a' * draw.randint(300, 600)}",
        "/" + "a" * 290 + "b" + "a" * (URL - 900) + "b" + "a" * 290 + "ba",
    ),
    "pairs that are there": (lambda draw: f"Disallow: /*{some(draw, 'ab', 2)}aabaa{some(draw, 'ab', 9)}", AB + "aabb"),
    "plain paths": (lambda draw: f"Disallow: /{some(draw, LETTERS, 12)}/", AB),
    "plain paths of one start": (lambda draw: f"Disallow: /{'ab' * 100}{some(draw, LETTERS[2:], 9)}", AB),
    "allowed and denied": (lambda draw: f"{draw.choice(['Allow', 'Disallow'])}: /*{some(draw, LETTERS[2:], 5)}$", AB),
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_read_to_its_end(name: str) -> None:
    line, target = FILES[name]
    (rules,) = StandardReader(parse(filled(line)).groups).obeyed(["GPTBot"])
    hit, steps = searched(rules, target)
    assert hit == NO_DENIAL
    # An eighth of the limit at most, some 6 ms: far below the product of both sizes, 1e9.
    assert steps < STEP_LIMIT // 8


def test_what_a_large_file_denies_it_denies() -> None:
    body = filled(FILES["two letters"][0]) + b"\nDisallow: /*bab$\nAllow: /abba"
    (rules,) = StandardReader(parse(body).groups).obeyed(["GPTBot"])
    hit, _ = searched(rules, "/" + "ab" * 900 + "a")
    assert hit == NO_DENIAL
    hit, _ = searched(rules, "/" + "ba" * 900 + "b")
    assert rules[hit].text == "Disallow: /*bab$"
    assert not RFC.allows(body, ["GPTBot"], "/" + "ba" * 900 + "b")


def test_equal_rules_are_one() -> None:
    body = filled(lambda draw: f"Disallow: /*{draw.choice(['a', '*a', 'a*', '**a**'])}")
    (rules,) = StandardReader(parse(body).groups).obeyed(["GPTBot"])
    assert [rule.path for rule in rules] == [b"/*a"]


def test_a_hostile_file_costs_no_more_than_the_limit() -> None:
    # Every rule's first pieces are in the head of the URL, and all pairs of the last one in its tail.
    body = filled(lambda draw: "Disallow:/*{}*{}*{}*aabaa".format(*sorted(some(draw, LETTERS[2:] + string.digits, 3))))
    (rules,) = StandardReader(parse(body).groups).obeyed(["GPTBot"])
    _, steps = searched(rules, "/" + string.digits + LETTERS + "ab" * 1_000 + "aabb")
    assert steps < STEP_LIMIT + 10_000
