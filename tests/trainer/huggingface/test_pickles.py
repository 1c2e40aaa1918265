from __future__ import annotations

import argparse
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from lauter.trainer.huggingface.pickles import Inert, load, load_torch
from tests.trainer.huggingface.script_archive import save_script


class Bomb:
    def __init__(self, path: Path, call: object) -> None:
        self._path, self._call = path, call

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self._call, (str(self._path),)


@pytest.mark.parametrize("call", [os.mkdir, os.unlink, eval, Path.mkdir], ids=["mkdir", "unlink", "eval", "method"])
@pytest.mark.parametrize("protocol", range(2, 6))
def test_nothing_of_a_pickle_runs(tmp_path: Path, call: object, protocol: int) -> None:
    target = tmp_path / "made"
    content = pickle.dumps({"args": argparse.Namespace(bomb=Bomb(target, call), layers=3)}, protocol)
    found = load(io.BytesIO(content))
    assert found["args"].layers == 3 and isinstance(found["args"].bomb, Inert)
    assert not target.exists()


def test_a_dotted_name_reaches_nothing() -> None:
    # Protocol 4 follows dots: `torch.distributed.checkpoint.filesystem` has imported `os`.
    for module, name in (
        ("torch.distributed.checkpoint.filesystem", "os.system"),
        ("torch", "os.system"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("argparse", "Namespace.__init__"),
    ):
        content = (
            b"\x80\x04" + b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93."
        )
        assert load(io.BytesIO(content)) is Inert


def test_tensors_and_numbers_come_through(tmp_path: Path) -> None:
    tensor = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    content = {
        "args": argparse.Namespace(dtype=torch.bfloat16),
        "model": {"a": tensor, "b": torch.nn.Parameter(tensor)},
    }
    torch.save(content, tmp_path / "file.pt")
    found = load_torch(tmp_path / "file.pt")
    assert found["args"].dtype == torch.bfloat16
    assert torch.equal(found["model"]["a"], tensor) and torch.equal(found["model"]["b"], tensor)


def test_lists_and_mappings_of_unknown_kinds_are_passed_over() -> None:
    class Names(list[str]):
        pass

    class Counts(dict[str, int]):
        pass

    Names.__module__ = Counts.__module__ = "tests.trainer.huggingface.test_pickles"
    globals()["test_lists_Names"], globals()["test_lists_Counts"] = Names, Counts
    Names.__qualname__, Counts.__qualname__ = "test_lists_Names", "test_lists_Counts"
    content = pickle.dumps([Names(["a", "b"]), Counts(a=1), 7])
    found = load(io.BytesIO(content))
    assert isinstance(found[0], Inert) and isinstance(found[1], Inert) and found[2] == 7


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_archive_with_code_is_not_loaded(tmp_path: Path) -> None:
    target, archive = tmp_path / "made", tmp_path / "common.pt"
    save_script(archive, target)
    with pytest.raises(pickle.UnpicklingError, match=r"holds TorchScript code"):
        load_torch(archive)
    assert not target.exists()


@pytest.mark.parametrize("record", ["constants.pkl", "code/__torch__.py", "CONSTANTS.PKL"])
def test_any_record_of_torchscript_is_refused(tmp_path: Path, record: str) -> None:
    torch.save({"args": 1}, tmp_path / "file.pt")
    with zipfile.ZipFile(tmp_path / "file.pt", "a") as archive:
        archive.writestr(f"file/{record}", b"")
    with pytest.raises(pickle.UnpicklingError, match=r"holds TorchScript code"):
        load_torch(tmp_path / "file.pt")
