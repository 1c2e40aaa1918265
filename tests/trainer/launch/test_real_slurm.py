"""Jobs on a real Slurm of one node, started for the test from Debian's `slurmctld slurmd slurm-client munge`."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from tests.trainer.loop.language import section, write_language

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=60 State=UP
"""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in PROGRAMS), reason=f"no Slurm here: needs {', '.join(PROGRAMS)}"
    ),
]


def free_ports() -> list[int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [one.getsockname()[1], other.getsockname()[1]]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A controller and a node; their commands find them by SLURM_CONF."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    (folder / "slurm.conf").write_text(
        CONFIG.format(folder=folder, host=socket.gethostname(), user=getpass.getuser(), ports=free_ports())
    )
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    munge = [f"--{name}={folder}/munge.{end}" for name, end in (("pid-file", "pid"), ("log-file", "log"))]
    munge += [f"--seed-file={folder}/munge.seed", f"--socket={folder}/munge.socket", f"--key-file={key}"]
    try:
        subprocess.run(["munged", "--force", *munge], check=True)
        subprocess.run(["slurmctld"], check=True)
        subprocess.run(["slurmd"], check=True)
        yield
    finally:
        subprocess.run(["scancel", "--full", "--signal=KILL", f"--user={getpass.getuser()}"], check=False)
        subprocess.run(["scancel", f"--user={getpass.getuser()}"], check=False)
        time.sleep(2)
        for name in ("slurmd", "slurmctld", "munge"):
            pid = folder / f"{name}.pid"
            if pid.exists():
                os.kill(int(pid.read_text()), signal.SIGTERM)
        del os.environ["SLURM_CONF"]


def submit(script: Path) -> str:
    """The job's id."""
    done = subprocess.run(["sbatch", "--parsable", str(script)], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def script_of(folder: Path, steps: int) -> Path:
    """That of a run of so many steps in `folder`/out."""
    corpus = write_language(folder / "corpus")
    # A job of another test that still waits must not hold this one up.
    run = section(corpus, steps, name=folder.name.replace("_", "-")[:40], batch={"sequences": 8, "micro": 2})
    config = folder / "run.yaml"
    config.write_text(yaml.safe_dump(run.model_dump(mode="json", exclude_none=True)))
    words = ["launch", "slurm", str(config), "--out", str(folder / "out"), "--ranks-per-node", "2"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    return folder / "out/launch/job.sh"


def change(script: Path, override: str) -> None:
    """One more change to the run's config."""
    script.write_text(script.read_text().replace(" --json", f" {override} --json"))


def shown(job: str, key: str) -> str:
    told = subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout
    found = re.search(rf"\b{key}=(\S+)", told)
    assert found is not None, told
    return found[1]


def wait_for(job: str, *states: str) -> None:
    until = time.monotonic() + 600
    while shown(job, "JobState") not in states:
        assert time.monotonic() < until, subprocess.run(["scontrol", "show", "job", job], check=False)
        time.sleep(0.5)


def wait_for_steps(out: Path, count: int) -> None:
    until = time.monotonic() + 600
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("\n") < count:
        assert time.monotonic() < until
        time.sleep(0.05)


def ranks_of(out: Path) -> list[psutil.Process]:
    """Not the job's shell and srun, which have the same words."""
    words = {one: one.info["cmdline"] or [""] for one in psutil.process_iter(["cmdline"])}
    return [one for one, found in words.items() if str(out) in found and Path(found[0]).name.startswith("python")]


def test_a_job_loses_a_rank_is_stopped_before_its_limit_and_finishes(slurm: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = script_of(tmp_path, 100_000)
    job = submit(script)
    wait_for_steps(out, 8)
    ranks_of(out)[-1].kill()
    # A requeued job waits until its credentials have expired.
    wait_for(job, "PENDING")
    assert (out / "launch/failures").read_text() == "1\n"
    wait_for(job, "RUNNING")
    done = len((out / "metrics.jsonl").read_text().splitlines())
    wait_for_steps(out, done + 5)
    # What Slurm does before the limit: the signal to the tasks, and not to the script.
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    wait_for(job, "PENDING")
    assert not (out / "launch/failures").exists()
    assert shown(job, "Restarts") == "2"
    log = (out / "launch" / f"slurm-{job}.log").read_text()
    assert log.count("2 processes on cpu") == 2
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    subprocess.run(["scancel", job], check=True)
    wait_for(job, "CANCELLED")
    change(script, f"schedule.total_tokens={(len(steps) + 4) * 256}")
    wait_for(submit(script), "COMPLETED")
    assert len((out / "metrics.jsonl").read_text().splitlines()) == len(steps) + 4


def test_what_a_user_cancels_stays_so(slurm: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = submit(script_of(tmp_path, 100_000))
    wait_for_steps(out, 3)
    subprocess.run(["scancel", job], check=True)
    wait_for(job, "CANCELLED")
    time.sleep(20)
    assert shown(job, "JobState") == "CANCELLED"


def test_a_wrong_config_is_not_tried_again(slurm: None, tmp_path: Path) -> None:
    script = script_of(tmp_path, 2)
    change(script, "seed=-1")
    job = submit(script)
    wait_for(job, "FAILED")
    assert (shown(job, "ExitCode"), shown(job, "Restarts")) == ("2:0", "0")
