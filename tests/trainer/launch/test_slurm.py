"""The script for Slurm: what it asks for, and what it does at the end of the ranks."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from lauter.trainer.config.launch import LaunchSection
from lauter.trainer.launch.command import TrainCommand
from lauter.trainer.launch.slurm import seconds_of, slurm_script
from tests.trainer.loop.language import section


def script(folder: Path, **launch: object) -> str:
    return slurm_script(
        LaunchSection.model_validate({"nodes": 2, "ranks_per_node": 4, "threads": 8, "restarts": 2, **launch}),
        TrainCommand("my run.yaml", ("seed=1",), out="out/a"),
        name="a",
        folder=folder,
        started_in=Path("/home/me"),
    )


def directives(text: str) -> list[str]:
    lines = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    return [word for line in lines for word in shlex.split(line)]


def test_the_job_asks_for_what_the_config_says(tmp_path: Path) -> None:
    slurm = {"time": "1-12", "account": "a-g200", "partition": "normal", "options": ["--gpus-per-node=4"]}
    found = directives(script(tmp_path / "a b", slurm=slurm, stop_seconds=240))
    assert found == [
        *("--job-name=a", "--dependency=singleton", "--requeue", "--signal=USR2@240", "--open-mode=append"),
        *(f"--output={tmp_path}/a b/slurm-%j.log", "--chdir=/home/me", "--nodes=2", "--ntasks-per-node=4"),
        *("--cpus-per-task=8", "--time=1-12", "--account=a-g200", "--partition=normal", "--gpus-per-node=4"),
    ]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("90", 5400), ("1:30", 90), ("1:30:00", 5400), ("1-12", 129600), ("1-12:30", 131400), ("1-0:00:05", 86405)],
)
def test_limits_are_read_as_sbatch_reads_them(time: str, seconds: int) -> None:
    assert seconds_of(time) == seconds


def test_a_limit_that_leaves_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"launch\.slurm\.time: 6 is too short"):
        script(tmp_path, slurm={"time": "6"}, stop_seconds=300)
    script(tmp_path, slurm={"time": "7"}, stop_seconds=300)


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def carried_out(folder: Path, code: int, outcome: str) -> tuple[int, list[str]]:
    """The script's exit code and what it asked Slurm for.

    There is no Slurm here: `srun` stands for its one task a rank, of which it runs the first, with Slurm's names.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    asked = folder / "asked"
    asked.unlink(missing_ok=True)
    program(programs, "scontrol", f'[ "$1" = show ] && echo head && exit\necho "$*" >>{asked}')
    as_rank = 'export SLURM_PROCID=3 SLURM_NTASKS=8 SLURM_LOCALID=1\nwhile [[ "$1" == --* ]]; do shift; done\nexec "$@"'
    program(programs, "srun", as_rank)
    told = "$RANK $WORLD_SIZE $LOCAL_RANK $MASTER_ADDR $MASTER_PORT $OMP_NUM_THREADS $MODULE"
    program(programs, "lauter", f"echo \"{told}\" >{folder}/told\nprintf '%s' {shlex.quote(outcome)}\nexit {code}")
    (folder / "launch").mkdir(exist_ok=True)
    text = script(folder / "launch", slurm={"before": ["export MODULE='loaded'"]})
    ours = next(word for word in text.split() if word.endswith("/lauter") or word == "lauter")
    found = subprocess.run(
        ["bash", "-c", text.replace(f" {ours} train", " lauter train")],
        env={"PATH": f"{programs}:/usr/bin:/bin", "SLURM_JOB_ID": "40123", "SLURM_JOB_NODELIST": "head,other"},
        check=False,
        capture_output=True,
    )
    return found.returncode, asked.read_text().splitlines() if asked.exists() else []


def test_the_shell_understands_it_and_ranks_get_torchs_names(tmp_path: Path) -> None:
    assert subprocess.run(["bash", "-n"], input=script(tmp_path), text=True, check=False).returncode == 0
    assert carried_out(tmp_path, 0, '{"stopped_by": null}') == (0, [])
    assert (tmp_path / "told").read_text() == "3 8 1 head 20123 8 loaded\n"


AGAIN = ["requeue 40123"]


def test_ends_that_are_final_and_those_that_are_not(tmp_path: Path) -> None:
    assert carried_out(tmp_path, 2, "") == (2, [])
    assert carried_out(tmp_path, 130, '{"stopped_by": "SIGINT"}') == (130, [])
    # `scancel`, or a preemption after which Slurm requeues by itself.
    assert carried_out(tmp_path, 0, '{\n "stopped_by": "SIGTERM"\n}') == (0, [])
    assert carried_out(tmp_path, 0, '{\n "stopped_by": "SIGUSR2"\n}') == (0, AGAIN)


def test_failures_in_a_row_are_counted(tmp_path: Path) -> None:
    assert carried_out(tmp_path, 75, "") == (0, AGAIN)
    assert carried_out(tmp_path, 137, "") == (0, AGAIN)
    # A piece that was stopped in good order begins the count anew.
    assert carried_out(tmp_path, 0, '{\n "stopped_by": "SIGUSR2"\n}') == (0, AGAIN)
    assert [carried_out(tmp_path, 1, "") for _ in range(3)] == [(0, AGAIN), (0, AGAIN), (1, [])]


def launched(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["launch", "slurm", *arguments])


def test_the_script_lies_in_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus"
    run = section(corpus, 2, batch={"sequences": 8, "micro": 2})
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(run.model_dump(mode="json", exclude_none=True)))
    monkeypatch.setenv("PATH", "/nowhere")
    for _ in range(2):
        # The folder that it made is still one that a run may begin in.
        found = launched(str(config), "--out", str(out), "--ranks-per-node", "2")
        assert found.exit_code == 0, found.output
    assert found.stdout == f"sbatch {out}/launch/job.sh\n"
    assert "--ntasks=2 " in (out / "launch/job.sh").read_text()
    found = launched(str(config), "--out", str(out), "--submit")
    assert (found.exit_code, "there is no sbatch here" in found.stderr) == (1, True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine").write_text("")
    found = launched(str(config), "--out", str(tmp_path / "other"))
    assert (found.exit_code, "is no run's folder" in found.stderr) == (2, True)
