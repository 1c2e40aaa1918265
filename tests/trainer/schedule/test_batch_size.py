from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.config.sections import BatchSection, RampSection
from lauter.trainer.schedule.batch_size import sequences_at

WINDOW = 4096
SWITCH_8B, SWITCH_70B = 1_718_272_000, 1_072_164_864
APERTUS_8B = BatchSection(sequences=1024, ramp=(RampSection(from_tokens=SWITCH_8B * WINDOW, sequences=2048),))
APERTUS_70B = BatchSection(sequences=2048, ramp=(RampSection(from_tokens=SWITCH_70B * WINDOW, sequences=4096),))


@pytest.mark.parametrize(
    ("section", "samples", "sequences"),
    [
        (APERTUS_8B, 0, 1024),
        (APERTUS_8B, SWITCH_8B - 1024, 1024),
        (APERTUS_8B, SWITCH_8B, 2048),
        (APERTUS_8B, 3_662_109_375, 2048),
        (APERTUS_70B, 0, 2048),
        (APERTUS_70B, SWITCH_70B - 2048, 2048),
        (APERTUS_70B, SWITCH_70B, 4096),
    ],
)
def test_apertus_values(section: BatchSection, samples: int, sequences: int) -> None:
    assert sequences_at(section, samples * WINDOW) == sequences


@pytest.mark.parametrize(
    ("section", "switch", "steps"),
    # Whole steps of the runs, as the names of Apertus's last checkpoints count them.
    [(APERTUS_8B, SWITCH_8B, 2_627_139), (APERTUS_70B, SWITCH_70B, 1_155_828)],
    ids=["8b", "70b"],
)
def test_the_runs_have_apertus_number_of_steps(section: BatchSection, switch: int, steps: int) -> None:
    before, after = sequences_at(section, 0), sequences_at(section, switch * WINDOW)
    assert switch % before == 0
    assert switch // before + (3_662_109_375 - switch) // after == steps


def test_without_a_ramp_it_never_changes() -> None:
    assert {sequences_at(BatchSection(sequences=12), tokens) for tokens in (0, 1, 10**15)} == {12}


def test_any_number_of_entries_also_downwards() -> None:
    ramp = tuple(RampSection(from_tokens=at, sequences=size) for at, size in ((10, 4), (20, 16), (30, 8)))
    section = BatchSection(sequences=2, ramp=ramp)
    assert [sequences_at(section, tokens) for tokens in (0, 9, 10, 19, 20, 29, 30, 99)] == [2, 2, 4, 4, 16, 16, 8, 8]


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 100)), max_size=6, unique_by=lambda entry: entry[0]),
    st.lists(st.integers(0, 10**6 + 1), min_size=2),
)
def test_changes_at_the_entries_only(entries: list[tuple[int, int]], places: list[int]) -> None:
    ramp = tuple(RampSection(from_tokens=at, sequences=size) for at, size in sorted(entries))
    section = BatchSection(sequences=7, ramp=ramp)
    for early, late in itertools.pairwise(sorted(places)):
        if not any(early < entry.from_tokens <= late for entry in ramp):
            assert sequences_at(section, early) == sequences_at(section, late)
    for entry in ramp:
        assert sequences_at(section, entry.from_tokens) == entry.sequences
