from __future__ import annotations

from lauter.stages.read.probes.canaries import CanaryEntry, canary


def test_a_canary_is_the_same_everywhere() -> None:
    entry = CanaryEntry(bucket="c", count=1, length=12, seed=1)
    assert canary(entry, 1) == "s5l10bvuh0gq"
    other = [canary(CanaryEntry(bucket=name, count=2, length=12, seed=seed), 1) for name, seed in (("d", 1), ("c", 2))]
    assert len({canary(entry, 1), canary(entry, 2), *other}) == 4


def test_characters_are_drawn_evenly() -> None:
    text = canary(CanaryEntry(bucket="c", count=1, length=10_000, alphabet="abcd"), 1)
    counts = [text.count(character) for character in "abcd"]
    # Expected 2,500 with a standard deviation of 43.
    assert sum(counts) == 10_000 and all(abs(count - 2500) < 5 * 43 for count in counts)
