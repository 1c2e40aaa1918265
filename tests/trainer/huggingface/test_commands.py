from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import FAILED, USAGE, app
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.huggingface.export import export_hf
from tests.trainer.huggingface import small
from tests.trainer.huggingface.megatron_writer import save_torch


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    small.checkpoint(folder, small.model())
    return folder


def test_there_and_back(run: Path, tmp_path: Path) -> None:
    runner, hf, back = CliRunner(), str(tmp_path / "hf"), str(tmp_path / "back")
    result = runner.invoke(app, ["export", "hf", str(run), "--out", hf, "--dtype", "fp32", "--shard-size", "100KB"])
    assert result.exit_code == 0, result.output
    assert "31 tensors" in result.output and "fp32" in result.output
    result = runner.invoke(app, ["import", "hf", hf, "--out", back])
    assert result.exit_code == 0, result.output
    said = "67,860 parameters, 2 layers: a checkpoint without optimizer state; `lauter train CONFIG --from"
    assert f"{said} {back}` trains on" in result.output
    result = runner.invoke(app, ["export", "hf", back, "--out", str(tmp_path / "again")])
    assert result.exit_code == 0, result.output


def test_megatron(tmp_path: Path) -> None:
    save_torch(small.model(), tmp_path / "megatron", fused_norms=True)
    result = CliRunner().invoke(app, ["import", "megatron", str(tmp_path / "megatron"), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "note: there is no tokenizer.json" in result.output
    arguments = ["import", "megatron", str(tmp_path / "megatron"), "--out", str(tmp_path / "again"), "--json"]
    told = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert (told["parameters"], told["layers"], len(told["notes"])) == (67_860, 2, 1)


def test_what_is_wrong_is_said_with_its_code(run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    hf = tmp_path / "hf"
    export_hf(open_checkpoint(run), hf)
    readable = tmp_path / "file"
    readable.touch()
    for arguments, code, said in (
        (["export", "hf", str(run), "--out", str(tmp_path / "full")], USAGE, "is not empty"),
        (["export", "hf", str(tmp_path), "--out", str(tmp_path / "new")], USAGE, "is no run and no checkpoint"),
        (["export", "hf", str(run), "--out", str(tmp_path / "new"), "--shard-size", "big"], USAGE, "'big' is no size"),
        (["export", "hf", str(run), "--out", str(tmp_path / "new"), "--dtype", "fp8"], USAGE, "fp8"),
        (["export", "hf", str(run), "--out", str(readable / "new")], FAILED, "is a file; name another --out"),
        (["export", "hf", str(run), "--out", "/proc/x"], FAILED, "/proc/x can't be written: No such file or"),
        (["import", "hf", str(tmp_path), "--out", str(tmp_path / "new")], USAGE, "config.json is missing"),
        (["import", "hf", str(hf), "--out", str(tmp_path / "full")], USAGE, "is not empty"),
        (["import", "megatron", str(tmp_path), "--out", str(tmp_path / "new")], USAGE, "is no Megatron checkpoint"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        assert said in " ".join(result.output.split()), result.output
    assert not (tmp_path / "new").exists()


def test_a_file_that_may_not_grow_is_named_with_the_way_out(run: Path, tmp_path: Path) -> None:
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from lauter.pipeline.cli import app\n"
        f"app(['export', 'hf', {str(run)!r}, '--out', {str(tmp_path / 'hf')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == FAILED
    assert f"{tmp_path / 'hf' / 'model.safetensors'} can't be written: File too large" in done.stderr
    assert "ulimit -f" in done.stderr and "name an --out on another disk" in done.stderr
    assert not any(tmp_path.iterdir())


_WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from typer.testing import CliRunner
from lauter.pipeline.cli import app
for arguments in (["export", "hf", "a"], ["import", "hf", "a"], ["import", "megatron", "a"]):
    result = CliRunner().invoke(app, [*arguments, "--out", "b"])
    print(result.exit_code, result.output)
print(CliRunner().invoke(app, ["--help"]).exit_code)
"""


def test_without_torch_each_says_what_to_install(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("1 error: torch is missing: the trainer needs torch") == 3, done.stdout
    assert done.stdout.endswith("0\n")
