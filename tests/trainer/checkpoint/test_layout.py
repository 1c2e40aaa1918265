"""Names: what is a checkpoint, which one comes first, what a kill between two renames leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.checkpoint.durable import clear_leftovers, delete_folder, publish_folder, replace_file
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.latest import candidates
from lauter.trainer.checkpoint.layout import step_folders, step_name, step_of
from lauter.trainer.checkpoint.retention import superfluous
from lauter.trainer.checkpoint.space import require_space
from lauter.trainer.config.sections import CheckpointSection


@given(st.integers(0, 10**12))
def test_a_name_says_its_step(step: int) -> None:
    assert step_of(step_name(step)) == step


def test_steps_are_ordered_by_number_and_others_passed_over(tmp_path: Path) -> None:
    for name in (
        "step-0000000010",
        "step-99999999999",
        "step-0000000009",
        "step-x",
        "step-1",
        ".saving-step-0000000011",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "step-0000000012").write_text("a file")
    assert [path.name for path in step_folders(tmp_path)] == ["step-0000000009", "step-0000000010", "step-99999999999"]
    assert step_folders(tmp_path / "absent") == []


def test_candidates_begin_with_latest_and_end_with_later_steps(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        (tmp_path / step_name(step)).mkdir()
    (tmp_path / "LATEST").write_text(step_name(3))
    folders, fault = candidates(tmp_path)
    assert [step_of(path.name) for path in folders] == [3, 2, 1, 4]
    assert fault is None


@given(
    whole=st.sets(st.integers(0, 60), min_size=1),
    broken=st.sets(st.integers(0, 60)),
    keep=st.integers(1, 5),
    every=st.none() | st.integers(1, 10),
)
def test_the_newest_whole_ones_and_milestones_are_kept(
    whole: set[int], broken: set[int], keep: int, every: int | None
) -> None:
    broken -= whole
    asked: list[int] = []

    def is_whole(step: int) -> bool:
        asked.append(step)
        return step in whole

    gone = superfluous(whole | broken, is_whole, CheckpointSection(keep=keep, keep_every_steps=every))
    left = whole - set(gone)
    assert left >= set(sorted(whole)[-keep:])
    assert not [step for step in gone if every and step % every == 0]
    assert len([step for step in left if not (every and step % every == 0)]) <= keep
    assert max(whole) not in gone
    oldest = min(sorted(whole)[-keep:])
    assert gone == [
        step for step in sorted(whole | broken) if step < oldest and not (every is not None and step % every == 0)
    ]
    # No more are looked at than are counted, and none twice.
    assert len(whole) < keep or min(asked) == oldest
    assert len(asked) == len(set(asked))


def make(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "content").write_text(content)
    return folder


def test_a_kill_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    # As `publish_folder` leaves it when it is killed after it has moved the old one aside.
    make(tmp_path / ".replaced-step-0000000001", "old")
    make(tmp_path / ".saving-step-0000000001", "new")
    assert clear_leftovers(tmp_path) == [".saving-step-0000000001"]
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001"]
    assert (tmp_path / "step-0000000001/content").read_text() == "old"
    # And when it is killed after the new one has its name.
    make(tmp_path / ".replaced-step-0000000001", "older")
    assert clear_leftovers(tmp_path) == [".replaced-step-0000000001"]
    assert (tmp_path / "step-0000000001/content").read_text() == "old"


def test_a_folder_takes_anothers_place(tmp_path: Path) -> None:
    target = make(tmp_path / "step-0000000001", "old")
    publish_folder(make(tmp_path / ".saving-step-0000000001", "new"), target)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001"]
    assert (target / "content").read_text() == "new"
    make(tmp_path / ".deleting-step-0000000001", "of a killed deletion")
    delete_folder(target)
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        replace_file(tmp_path / "LATEST", content)
        assert (tmp_path / "LATEST").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_room_is_counted_in_bytes(tmp_path: Path) -> None:
    require_space(tmp_path, 100, 100)
    with pytest.raises(CheckpointError, match=r"it takes 1.27 TB, 1 GB are free, 1.27 TB are missing. Free some space"):
        require_space(tmp_path, 1_270_000_000_000, 1_000_000_000)
