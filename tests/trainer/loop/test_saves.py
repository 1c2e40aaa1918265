from __future__ import annotations

from lauter.trainer.checkpoint.store import Pause, Written
from lauter.trainer.config.sections import CheckpointSection
from lauter.trainer.loop.saves import Saves


def test_a_line_of_the_log_has_what_is_new() -> None:
    said: list[str] = []
    saves = Saves(CheckpointSection(), said.append)
    saves.after_step(9.0, None)
    assert saves.line() == {}
    saves.add(1, Pause(0.5, 0.0))
    saves.after_step(1.0, None)
    # No line was written for this step: the next one has both pauses.
    saves.add(2, Pause(3.0, 2.0))
    saves.after_step(1.0, Written(1, 4.0))
    assert saves.line() == {"save": {"step": 2, "pause": 3.5, "waited": 2.0}, "saved": {"step": 1, "seconds": 4.0}}
    saves.after_step(1.0, Written(1, 4.0))
    assert saves.line() == {}
    assert said == [
        "step 2: waited 2 s for the save before, which was still being written (1 of 2 saves so far); raise "
        "checkpoint.every_steps or use a faster disk"
    ]
    saves.tell()
    assert said[1] == (
        "saved 2 times: the run stood still for 3.5 s in all, 3 s at most; 1 of them waited for the save before"
    )


def test_advice_is_given_once_by_what_was_measured() -> None:
    said: list[str] = []
    saves = Saves(CheckpointSection(every_steps=500, mtbf_hours=4.0), said.append)
    # Steps of 2 s, but for the first, which compiles.
    for step in range(1, 6):
        if step == 3:
            saves.add(2, Pause(40.0, 0.0))
        saves.after_step(100.0 if step == 1 else 2.0, Written(2, 60.0) if step >= 4 else None)
    assert said == [
        "a save stops the run for 40 s and is whole after 60 s: with a failure every 4 h, one every 1,047 s loses "
        "least, 7.87% of the time; checkpoint.every_steps=500 is one every 1,000 s, which loses 7.89%; 523 would be "
        "best"
    ]


def test_without_a_time_between_failures_there_is_no_advice() -> None:
    said: list[str] = []
    saves = Saves(CheckpointSection(), said.append)
    saves.add(2, Pause(40.0, 0.0))
    for _ in range(3):
        saves.after_step(2.0, Written(2, 60.0))
    saves.tell()
    assert said == [
        "saved 1 time: the run stood still for 40 s in all, 40 s at most; 0 of them waited for the save before"
    ]
