"""`lauter train`: what it refuses, with which code, and what it says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from lauter.trainer.loop.lock import locked
from tests.trainer.loop.language import section, write_language


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


def config(corpus: Path, folder: Path, **changes: Any) -> str:  # noqa: ANN401 - any section
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(section(corpus, 2, **changes).model_dump(mode="json", exclude_none=True)))
    return str(path)


def train(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments])


def test_the_help_names_everything() -> None:
    found = train("--help").output
    for word in ("CONFIG", "--out", "--data", "--from", "--cooldown", "--verify", "--json", "key=value"):
        assert word in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimizer.learningrate=1"], "did you mean 'learning_rate'?"),
        (["batch.sequences=6"], "batch.sequences: 6 is no multiple of batch.micro (8) x 1 rank(s)"),
        (["batch.ramp=[{from_tokens: 9, sequences: 9}]"], "batch.ramp.0.sequences: 9 is no multiple"),
        (["model.vocabulary=100"], "model.vocabulary: 100 rows, but the tokenizer has 160 ids"),
        (["parallel.replicate=2"], "parallel.replicate: 1 rank(s) can't be split into 2 equal groups"),
        (["metrics.wandb_project=x"], "pip install wandb"),
        (["sampling={prompts: [a], new_tokens: 9999}"], "that is more than the model's 1024 positions"),
        (
            ["data.stages=[{name: one, tokens: 64}]"],
            "data.stages hold 64 more tokens",
        ),
        (["--cooldown", "99"], "--cooldown needs --from CHECKPOINT"),
        (["--from", "nonsense"], "--from nonsense does not exist; give a run's folder"),
        (["--data", "/nowhere"], "/nowhere: there is no such folder; check data.corpora, or --data"),
        (["data.stages=[{name: one, streams: {man: 1}}]"], "stage 'one': no stream 'man'; did you mean 'main'?"),
        (["\u00b2=1"], "override '\u00b2=1': unknown key"),
    ],
)
def test_usage_is_refused_with_2(corpus: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    found = train(config(corpus, tmp_path), "--out", str(tmp_path / "out"), *arguments)
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert not (tmp_path / "out" / "metrics.jsonl").exists()


def test_a_broken_corpus_fails_with_1(corpus: Path, tmp_path: Path) -> None:
    other = write_language(tmp_path / "corpus")
    shard = other / "tokens" / "main" / "00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    found = train(config(corpus, tmp_path), "--data", str(other), "--out", str(tmp_path / "out"))
    assert found.exit_code == 1, found.output
    assert "00001.parquet" in found.stderr


def test_a_changed_byte_is_found_under_full_verification_only(corpus: Path, tmp_path: Path) -> None:
    other = write_language(tmp_path / "corpus")
    shard = other / "tokens" / "main" / "00001.parquet"
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    command = (config(corpus, tmp_path), "--data", str(other), "--out", str(tmp_path / "out"))
    found = train(*command, "--verify", "full")
    assert found.exit_code == 1, found.output
    assert "its bytes were changed in row group 0" in found.stderr
    assert not (tmp_path / "out" / "checkpoints").exists()
    whole = train(config(corpus, tmp_path), "--out", str(tmp_path / "whole"), "--verify", "full")
    assert whole.exit_code == 0, whole.output
    assert "compares every byte" in whole.output


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_as_run_folder_is_refused_with_2(corpus: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    found = train(config(corpus, tmp_path), "--out", str(tmp_path / out))
    assert found.exit_code == 2, found.output
    assert "is a file; a run needs a folder" in found.stderr


def test_a_second_run_in_a_folder_is_told_who_holds_it(corpus: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "out", print):
        found = train(config(corpus, tmp_path), "--out", str(tmp_path / "out"))
    assert found.exit_code == 1, found.output
    assert f"is in use by process {os.getpid()} on {socket.gethostname()}" in found.stderr
    assert train(config(corpus, tmp_path), "--out", str(tmp_path / "out")).exit_code == 0


@pytest.mark.slow
def test_several_processes_start_as_the_manual_says(corpus: Path, tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    path = config(corpus, tmp_path, batch={"sequences": 8, "micro": 4})
    command = ["torchrun", "--nproc-per-node", "2", "--no-python", "lauter", "train", path, "--out", tmp_path / "out"]
    found = subprocess.run(
        [bin_folder / command[0], *command[1:], "--json"],
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["step"] == 2
    assert "2 process(es) on cpu" in found.stderr


def test_the_summary_of_a_terminal_less_run(corpus: Path, tmp_path: Path) -> None:
    found = train(config(corpus, tmp_path), "--out", str(tmp_path / "out"))
    assert found.exit_code == 0, found.output
    assert "step 1  loss" in found.output
    for word in ("steps", "tokens", "loss", "unigram entropy", "tokens/s", "step-0000000002"):
        assert word in found.output


@pytest.mark.slow
def test_a_full_disk_fails_with_1_and_says_so(corpus: Path, tmp_path: Path) -> None:
    # A limit on the size of files stands in for a disk that is full; it needs a process of its own.
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from lauter.pipeline.cli import main\n"
        # Kernels that are compiled for the first time are files too, smaller ones.
        "import lauter.trainer.loop.run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "main()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "train", config(corpus, tmp_path), "--out", str(tmp_path / "out")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stderr
    assert "a file may not grow so large here" in found.stderr
    assert "Traceback" not in found.stderr
