from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lauter.pipeline.storage import STAGING, Output, Storage, StorageError, filesystem, open_input, stat


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(RuntimeError, match="in the middle"), storage.staging("a/b.bin") as staged:
        staged.write_bytes(b"half")
        raise RuntimeError("in the middle")
    assert storage.size("a/b.bin") is None
    assert storage.list("") == {}
    output = storage.write("a/b.bin", b"whole")
    assert storage.read("a/b.bin") == b"whole"
    assert output == Output("a/b.bin", 5, hashlib.sha256(b"whole").hexdigest())
    assert storage.list("a") == {"a/b.bin": 5}


def test_a_killed_writer_leaves_only_what_no_reader_sees(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    (tmp_path / STAGING).mkdir(parents=True)
    (tmp_path / STAGING / "123-x.parquet").write_bytes(b"half")
    assert storage.list("") == {}
    storage.clear_staging()
    assert not (tmp_path / STAGING).exists()


def test_an_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("a", b"old")
    with storage.staging("a") as staged:
        staged.write_bytes(b"new")
        assert storage.read("a") == b"old"
    assert storage.read("a") == b"new"


def test_errors_name_the_file(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(StorageError, match="absent"):
        storage.read("absent")
    with pytest.raises(StorageError, match="absent"):
        open_input(str(tmp_path / "absent"))
    storage.write("broken.json", b"{")
    with pytest.raises(StorageError, match=r"broken\.json"):
        storage.read_json("broken.json")
    with pytest.raises(StorageError, match="only local paths and s3"):
        filesystem("ftp://somewhere/x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        Storage(str(tmp_path / "locked")).write("a", b"")


def test_json_has_one_form(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    first = storage.write_json("a", {"b": 1, "a": "ü"})
    second = storage.write_json("b", {"a": "ü", "b": 1})
    assert first.sha256 == second.sha256
    assert storage.read_json("a") == {"a": "ü", "b": 1}


def test_stat_and_delete(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("a", b"123")
    found = stat(str(tmp_path / "a"))
    assert found is not None and found.size == 3 and found.mtime_ns > 0
    storage.delete("a")
    storage.delete("a")
    assert stat(str(tmp_path / "a")) is None
    assert stat(str(tmp_path)) is None
