"""A job of Slurm that runs until the tokens are used up, in as many pieces as the time limit makes of it.

Each rank is a task of `srun`, without an agent in between: Slurm's signals reach it directly, and what ends it is seen
by Slurm. The script knows three ends of a piece. One that Slurm stopped before its limit is requeued; so is one that
failed, a few times; a finished run and a wrong config are not. A job that its owner cancels stays cancelled: then the
batch shell gets the signal as well, and dies of it before it comes to requeue.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from lauter.trainer.config.launch import LaunchSection
from lauter.trainer.launch.command import TrainCommand, beside_python
from lauter.trainer.launch.ending import FINAL, WAIT_SECONDS

SIGNAL = "USR2"
"""What Slurm sends before the limit, to the tasks alone. SIGTERM also comes with `scancel` and with preemption, where
the job must not be requeued, or is by Slurm itself."""


EARLY_SECONDS = 60
"""Slurm may send a signal by so much earlier than it was asked to (sbatch(1), `--signal`)."""

START_SECONDS = 60
"""Of which imports take the most: a rank that gets the signal in this time dies of it."""


def seconds_of(time: str) -> int:
    """A limit as sbatch(1) takes it, `--time`: minutes, minutes:seconds, hours:…, or days-hours:….

    >>> [seconds_of(one) for one in ("90", "1:30", "1:30:00", "1-12", "1-12:30", "1-0:0:5")]
    [5400, 90, 5400, 129600, 131400, 86405]
    """
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    # Behind days the first number is hours; else one or two numbers begin with minutes.
    whole = (parts if dash or len(parts) == 3 else [0, *parts]) + [0, 0]
    return int(days or 0) * 86_400 + whole[0] * 3600 + whole[1] * 60 + whole[2]


def slurm_script(launch: LaunchSection, command: TrainCommand, *, name: str, folder: Path, started_in: Path) -> str:
    """The text of a script for sbatch.

    `folder` is for its log and what it notes down; `started_in` is what the command's paths are relative to. Both must
    be seen by all nodes, as must the run folder.

    Raises:
        ValueError: the time limit leaves none to train in.
    """
    slurm = launch.slurm
    if slurm.time is not None and seconds_of(slurm.time) < launch.stop_seconds + EARLY_SECONDS + START_SECONDS:
        raise ValueError(
            f"launch.slurm.time: {slurm.time} is too short: the signal to stop comes launch.stop_seconds "
            f"({launch.stop_seconds}) before its end, and up to {EARLY_SECONDS} s earlier; allow at least "
            f"{START_SECONDS} s to start in"
        )
    options = [
        f"--job-name={name}",
        # Of one name and user one job runs at a time: a job submitted twice waits for the first.
        "--dependency=singleton",
        "--requeue",
        f"--signal={SIGNAL}@{launch.stop_seconds}",
        "--open-mode=append",
        f"--output={folder}/slurm-%j.log",
        f"--chdir={started_in}",
        f"--nodes={launch.nodes}",
        f"--ntasks-per-node={launch.ranks_per_node}",
        f"--cpus-per-task={launch.threads}",
        *(f"--{key}={value}" for key in ("time", "account", "partition") if (value := getattr(slurm, key)) is not None),
    ]
    directives = [shlex.quote(one) for one in options] + list(slurm.options)
    # One shell a rank turns Slurm's names into those that torch reads, and then is the rank.
    rank = 'RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID exec "$@"'
    srun = [
        "srun",
        f"--ntasks={launch.nodes * launch.ranks_per_node}",
        f"--ntasks-per-node={launch.ranks_per_node}",
        # Since Slurm 22.05 a step does not take it over from its job.
        f"--cpus-per-task={launch.threads}",
        f"--wait={WAIT_SECONDS}",
        *("bash", "-c", rank, "rank"),
    ]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {one}" for one in directives),
            *_BEGIN.format(folder=shlex.quote(str(folder)), threads=launch.threads).splitlines(),
            *slurm.before,
            # With --json what the run says goes to the log, and how it ended can be read.
            f'{shlex.join([*srun, beside_python("lauter"), *command.words(), "--json"])} >"$folder/outcome.json"',
            *_END.format(signal=SIGNAL, final=" | ".join(map(str, FINAL)), restarts=launch.restarts).splitlines(),
            "",
        ]
    )


_BEGIN = """\
# Written by `lauter launch slurm`; it requeues itself until the run is finished.
folder={folder}
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT OMP_NUM_THREADS={threads}"""

_END = """\
code=$?
if grep -q '"stopped_by": "SIG{signal}"' "$folder/outcome.json"; then
    echo "stopped before the time limit; goes on in a new piece"
    rm -f "$folder/failures"
    scontrol requeue "$SLURM_JOB_ID"
    exit
fi
case $code in
    {final})
        rm -f "$folder/failures"
        exit "$code"
        ;;
esac
failures=$(($(cat "$folder/failures" 2>/dev/null || echo 0) + 1))
if [ "$failures" -gt {restarts} ]; then
    echo "failed $failures times in a row, the last time with code $code; submit this script again to go on"
    rm -f "$folder/failures"
    exit "$code"
fi
echo "$failures" >"$folder/failures"
echo "failed with code $code; starts again, $failures of {restarts}"
scontrol requeue "$SLURM_JOB_ID"
"""
