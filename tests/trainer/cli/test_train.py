"""`lauter train`: what it refuses, with which code, and what it says."""

from __future__ import annotations

import json
import os
import shutil
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
    for word in ("CONFIG", "--out", "--data", "--from", "--phase", "--cooldown", "--verify", "--json", "key=value"):
        assert word in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimizer.learningrate=1"], "did you mean 'learning_rate'?"),
        (["batch.sequences=6"], "(8) x 1 rank; batch.micro=6 fits;"),
        (["batch.ramp=[{from_tokens: 9, sequences: 9}]"], "batch.ramp.0.sequences: 9 is no multiple"),
        (["model.vocabulary=100"], "model.vocabulary: 100 rows, but the tokenizer has 160 ids"),
        (["parallel.replicate=2"], "parallel: 1 rank(s) can't be split into replicate 2; start a multiple of 2"),
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


def test_a_phase_begins_where_the_one_before_it_ended(corpus: Path, tmp_path: Path) -> None:
    path, out = Path(config(corpus, tmp_path)), str(tmp_path / "out")
    longer = {
        "name": "longer",
        "tokens": 512,
        "model": {"rope_theta": 1e6},
        "data": {"sequence_length": 64},
        "batch": {"sequences": 4, "micro": 4},
        "optimizer": {"learning_rate": 5e-3},
        "schedule": {"warmup_tokens": 256},
    }
    path.write_text(path.read_text() + yaml.safe_dump({"phases": [longer, {**longer, "name": "longest"}]}))
    early = train(str(path), "--out", out, "--phase", "longer")
    assert early.exit_code == 2
    assert "begins from the first training, which has no checkpoint in" in early.stderr
    assert train(str(path), "--out", out).exit_code == 0
    found = train(str(path), "--out", out, "--phase", "longer")
    assert found.exit_code == 0, found.output
    lines = [json.loads(one) for one in (Path(out) / "phases/longer/metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["tokens"], line["learning_rate"]) for line in lines] == [(3, 768, 0.0), (4, 1024, 5e-3)]
    meta = json.loads((Path(out) / "phases/longer/checkpoints/step-0000000004/meta.json").read_text())
    # The moments were carried along: the count of updates is the whole run's.
    assert (meta["optimizer_steps"], meta["shape"]["rope_theta"], meta["config"]["name"]) == (4, 1e6, "test-longer")
    # Of 512 tokens on, none twice.
    assert meta["data"]["order"]["begin"]["main"]["tokens_read"] == 512
    assert meta["data"]["read"]["main"]["tokens_read"] == 1024
    assert "main go on where it stopped" in found.output
    assert train(str(path), "--out", out, "--phase", "longer").exit_code == 0
    skipped = train(str(path), "--out", out, "--phase", "longest", "phases.0.tokens=5120")
    assert skipped.exit_code == 2
    assert "begins after 5,632 tokens, and phase 'longer' is at 1,024" in skipped.stderr


def test_the_corpus_is_no_run_folder(corpus: Path, tmp_path: Path) -> None:
    before = sorted(corpus.rglob("*"))
    found = train(config(corpus, tmp_path), "--out", str(corpus))
    assert found.exit_code == 2, found.output
    assert "holds a corpus, and a run would break its audit" in found.stderr
    assert sorted(corpus.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hold_out_shards": 3}, "leaves nothing to train on"),
        ({"sequence_length": 100_000}, "too few for one sample"),
        ({"root": "F" * 64}, "and data.corpora wants " + "f" * 64),
    ],
)
def test_a_config_that_asks_for_other_data_is_refused_with_2(
    corpus: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    given = {"path": str(corpus), **({"root": changes["root"]} if "root" in changes else {})}
    overrides = [f"data.{key}={value}" for key, value in changes.items() if key != "root"]
    content = section(corpus, 2).model_dump(mode="json", exclude_none=True)
    content["data"]["corpora"] = [given]
    content["model"]["positions"] = 200_000
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    found = train(str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out"), *overrides)
    assert found.exit_code == 2, found.output
    assert said in found.stderr


@pytest.mark.parametrize("left", ["nothing", "tokens"])
def test_a_folder_without_a_finished_corpus_is_refused_with_2(corpus: Path, tmp_path: Path, left: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if left == "tokens":
        shutil.copytree(corpus / "tokens", data / "tokens")
    found = train(config(corpus, tmp_path), "--data", str(data), "--out", str(tmp_path / "out"))
    assert found.exit_code == 2, found.output
    assert "no corpus.json" in found.stderr if left == "tokens" else "no run folder of `lauter build`" in found.stderr


def test_a_broken_checkpoint_fails_with_1_and_none_at_all_with_2(corpus: Path, tmp_path: Path) -> None:
    path, out = config(corpus, tmp_path), tmp_path / "out"
    assert train(path, "--out", str(out)).exit_code == 0
    (checkpoint,) = (out / "checkpoints").glob("step-*")
    weights = next(checkpoint.glob("*.distcp"))
    weights.write_bytes(weights.read_bytes()[:-1])
    exported = str(tmp_path / "exported")
    for start, code in ((out, 1), (checkpoint, 1), (tmp_path / "nowhere", 2), (corpus, 2)):
        for command in (
            ["train", path, "--from", str(start), "--out", str(tmp_path / "branch")],
            ["generate", str(start), "--prompt", "a"],
            ["export", "hf", str(start), "--out", exported],
        ):
            found = CliRunner().invoke(app, command)
            assert found.exit_code == code, (command, found.output)
    assert train(path, "--out", str(out)).exit_code == 1


def test_ctrl_c_while_loading_ends_with_130_and_a_line(corpus: Path, tmp_path: Path) -> None:
    # The signal comes from within, at the moment that the data are opened.
    code = (
        "import os, signal\n"
        "import lauter.trainer.loop.parts as parts\n"
        "from lauter.pipeline.cli import main\n"
        "def opened(*_, **__):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "parts.open_corpora = opened\n"
        "main()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "train", config(corpus, tmp_path), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 130, found.stderr
    assert found.stderr.startswith("error: stopped by Ctrl-C; the same command starts again")
    assert found.stderr.count("\n") == 1


def test_a_cooldown_is_given_as_settings_are(corpus: Path, tmp_path: Path) -> None:
    out, branch = tmp_path / "out", tmp_path / "branch"
    assert train(config(corpus, tmp_path), "--out", str(out)).exit_code == 0
    path = config(corpus, tmp_path, schedule={"total_tokens": 4096, "warmup_tokens": 1024})
    command = (path, "--from", str(out), "--out", str(branch), "--cooldown", "5e2", "schedule.total_tokens=1e3")
    found = train(*command[:-1])
    assert found.exit_code == 2, found.output
    assert "lower schedule.warmup_tokens by 512: schedule.warmup_tokens=512" in found.stderr
    found = train(*command, "schedule.warmup_tokens=512")
    assert found.exit_code == 0, found.output
    assert found.output.count("step-0000000004") == 1
    assert train(*command[:4], "--out", str(tmp_path / "o"), "--cooldown", "0.5").exit_code == 2


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
    out = str(tmp_path / "out")
    options = ["--nproc-per-node", "2", "--no-python", "lauter", "train", path, "--out", out, "--json"]
    found = subprocess.run(
        [bin_folder / "torchrun", *options],
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["step"] == 2
    assert "2 processes on cpu" in found.stderr


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
