"""Which checkpoint a run goes on from, where the one that LATEST names is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.store import Checkpoints
from tests.trainer.checkpoint.state import equal, run_of, section, state, zeros


class TestBroken:
    """LATEST's checkpoint has a fault: it is named, with the fault, and the newest whole one is taken."""

    def latest_of(self, out: Path) -> tuple[str, str]:
        said: list[str] = []
        checkpoints = Checkpoints(out / "checkpoints", section(), rank=0, ranks=1, warn=said.append)
        latest = checkpoints.latest()
        assert latest is not None
        loaded = zeros()
        checkpoints.load(latest, loaded)
        assert equal(loaded, state(latest.meta["progress"]["step"]))
        return latest.path.name, "\n".join(said)

    def test_a_flipped_byte(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2, 3)
        file = tmp_path / "checkpoints/step-0000000003/__0_0.distcp"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        name, said = self.latest_of(tmp_path)
        assert name == "step-0000000002"
        assert "checkpoint step-0000000003 is broken: __0_0.distcp has other bytes than were written" in said
        assert "Going on from step-0000000002" in said

    @pytest.mark.parametrize(
        "file", ["__0_0.distcp", ".metadata", "meta.json", "files.json", "tokenizer/tokenizer.json"]
    )
    def test_a_missing_file(self, tmp_path: Path, file: str) -> None:
        run_of(tmp_path, 1, 2)
        (tmp_path / "checkpoints/step-0000000002" / file).unlink()
        name, said = self.latest_of(tmp_path)
        assert name == "step-0000000001"
        fault = "has no files.json: it was never finished" if file == "files.json" else f"{file} is missing"
        assert fault in said

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2)
        file = tmp_path / "checkpoints/step-0000000002/__0_0.distcp"
        size = file.stat().st_size
        file.write_bytes(file.read_bytes()[:-100])
        assert f"__0_0.distcp has {size - 100} bytes instead of {size}" in self.latest_of(tmp_path)[1]

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "LATEST is empty"),
            (b"step-0000000009\n", "LATEST names step-0000000009, which is not there"),
            (b"../../secret", "LATEST holds '../../secret', which is no checkpoint's name"),
            (b"\xff\xfe", "cannot read"),
        ],
    )
    def test_a_useless_latest(self, tmp_path: Path, content: bytes, fault: str) -> None:
        run_of(tmp_path, 1, 2)
        (tmp_path / "checkpoints/LATEST").write_bytes(content)
        name, said = self.latest_of(tmp_path)
        assert name == "step-0000000002"
        assert fault in said

    def test_no_latest(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2)
        (tmp_path / "checkpoints/LATEST").unlink()
        name, said = self.latest_of(tmp_path)
        assert name == "step-0000000002"
        assert "has no LATEST" in said

    def test_several_are_broken(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2, 3)
        (tmp_path / "checkpoints/step-0000000003/meta.json").write_text("{")
        (tmp_path / "checkpoints/step-0000000002/files.json").write_text("[]")
        name, said = self.latest_of(tmp_path)
        assert name == "step-0000000001"
        assert "step-0000000003 is broken: meta.json has 1 bytes" in said
        assert "step-0000000002 is broken" in said
        assert "files.json is damaged" in said

    def test_all_are_broken(self, tmp_path: Path) -> None:
        checkpoints = run_of(tmp_path, 1, 2)
        for folder in (tmp_path / "checkpoints").glob("step-*"):
            (folder / "meta.json").unlink()
        with pytest.raises(CheckpointError, match=r"no checkpoint in .* is whole: .*Restore one from a copy"):
            checkpoints.latest()

    def test_a_later_step_of_an_abandoned_branch_comes_last(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2, 3)
        (tmp_path / "checkpoints/LATEST").write_text("step-0000000002\n")
        assert self.latest_of(tmp_path) == ("step-0000000002", "")
        (tmp_path / "checkpoints/step-0000000002/meta.json").unlink()
        assert self.latest_of(tmp_path)[0] == "step-0000000001"

    def test_a_new_checkpoint_is_written_over_a_broken_one(self, tmp_path: Path) -> None:
        run_of(tmp_path, 1, 2)
        (tmp_path / "checkpoints/step-0000000002/meta.json").unlink()
        run_of(tmp_path, 2)
        assert self.latest_of(tmp_path) == ("step-0000000002", "")


def test_latest_alone_is_no_fresh_start(tmp_path: Path) -> None:
    checkpoints = run_of(tmp_path, 1)
    shutil.rmtree(tmp_path / "checkpoints/step-0000000001")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is whole: .*LATEST names step-0000000001"):
        checkpoints.latest()
