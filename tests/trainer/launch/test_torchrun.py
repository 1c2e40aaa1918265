from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import get_args_parser
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from tests.trainer.loop.language import section, write_language


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("torchrun")
    corpus = write_language(folder / "corpus")
    run = section(corpus, 2, batch={"sequences": 8, "micro": 2}, launch={"threads": 3, "stop_seconds": 40})
    (folder / "run.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json", exclude_none=True)))
    return str(folder / "run.yaml")


def launch(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["launch", "torchrun", *arguments])


def test_one_node_meets_itself(config: str) -> None:
    found = launch(config, "seed=7", "--ranks-per-node", "2", "--out", "a b")
    assert found.exit_code == 0, found.output
    threads, *words = shlex.split(found.stdout)
    assert threads == "OMP_NUM_THREADS=3"
    # torchrun's own parser reads it: every option is one that it has.
    read = get_args_parser().parse_args(words[1:])
    assert (read.standalone, read.nproc_per_node, read.max_restarts, read.shutdown_timeout) == (True, "2", 3, 40)
    assert "SIGUSR2" in read.signals_to_handle.split(",")
    assert read.no_python
    assert Path(read.training_script).name == "lauter"
    assert read.training_script_args == ["train", config, "seed=7", "--out", "a b"]


def test_several_nodes_meet_at_one_and_some_may_be_lost(config: str) -> None:
    found = launch(config, "launch.least_nodes=1", "--nodes", "2", "--endpoint", "head")
    read = get_args_parser().parse_args(shlex.split(found.stdout)[2:])
    assert (read.nnodes, read.rdzv_backend, read.rdzv_endpoint, read.rdzv_id) == ("1:2", "c10d", "head:29400", "test")
    found = launch(config, "--nodes", "4", "--endpoint", "[::1]:99")
    read = get_args_parser().parse_args(shlex.split(found.stdout)[2:])
    assert (read.nnodes, read.rdzv_endpoint) == ("4", "[::1]:99")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nodes", "2"], "give --endpoint HOST or HOST:PORT"),
        (["--nodes", "2", "--endpoint", "head:99999"], "--endpoint 'head:99999': expected HOST or HOST:PORT"),
        (["--nodes", "2", "--endpoint", "a b"], "--endpoint 'a b': expected"),
        (["--ranks-per-node", "3"], "8 is no multiple of batch.micro (2) x 3 ranks"),
        (["launch.least_nodes=2"], "least_nodes (2) is more than nodes (1)"),
        (["launch.slurm.time=3 weeks"], "launch.slurm.time"),
        (["launch.slurm.options=[exclusive]"], "launch.slurm.options"),
    ],
)
def test_slips_are_told_with_2(config: str, arguments: list[str], said: str) -> None:
    found = launch(config, *arguments)
    assert found.exit_code == 2, found.output
    assert said in " ".join(found.stderr.split())


@pytest.mark.slow
def test_run_becomes_torchrun(config: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from lauter.pipeline.cli import main; main()", "launch", "torchrun", config]
    options = ["--ranks-per-node", "2", "launch.threads=1", "--run", "--out", str(tmp_path / "out")]
    found = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=240, env={**os.environ}
    )
    assert found.returncode == 0, found.stderr
    assert "2 processes on cpu" in found.stdout
    steps = [json.loads(line)["step"] for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2]
