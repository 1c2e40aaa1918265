"""Ranks on Ray: their order, their room, and a run that loses an actor."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from lauter.trainer.launch.ray import room, variables_of
from lauter.trainer.launch.seat import Place
from tests.trainer.loop.language import section, write_language


def test_ranks_of_a_node_follow_each_other_and_see_its_gpus() -> None:
    places = [
        Place("b", "10.0.0.2", ("0",), 1),
        Place("a", "10.0.0.1", ("10",), 2),
        Place("c", "10.0.0.3", ("0",), 3),
        Place("a", "10.0.0.1", ("2",), 4),
        Place("b", "10.0.0.2", ("1",), 5),
    ]
    found = variables_of(places, 3)
    assert [seat for seat, _ in found] == [3, 1, 0, 4, 2]
    told = [variables for _, variables in found]
    assert [one["RANK"] for one in told] == ["0", "1", "2", "3", "4"]
    assert [one["LOCAL_RANK"] for one in told] == ["0", "1", "0", "1", "0"]
    assert [one["LOCAL_WORLD_SIZE"] for one in told] == ["2", "2", "2", "2", "1"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in told] == ["2,10", "2,10", "0,1", "0,1", "0"]
    assert {one["MASTER_ADDR"] + ":" + one["MASTER_PORT"] for one in told} == {"10.0.0.1:4"}
    assert {(one["WORLD_SIZE"], one["OMP_NUM_THREADS"]) for one in told} == {("5", "3")}


def test_without_gpus_none_are_named() -> None:
    ((_, variables),) = variables_of([Place("a", "127.0.0.1", (), 1)], 1)
    assert "CUDA_VISIBLE_DEVICES" not in variables


def test_a_place_needs_all_that_a_rank_wants() -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 9.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 64.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert room(nodes, {"CPU": 2.0, "GPU": 1.0}) == 2
    assert room(nodes, {"CPU": 2.0}) == 36


def ranks_of(out: Path) -> list[psutil.Process]:
    """The processes of a run's ranks, whose parents are Ray's actors."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "lauter.trainer.launch.bound" in words and str(out) in words:
            found.append(process)
    return found


def wait_for_steps(out: Path, count: int) -> None:
    until = time.monotonic() + 400
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("\n") < count:
        assert time.monotonic() < until, f"no {count} steps in time"
        time.sleep(0.02)


@pytest.mark.soak
def test_a_run_that_loses_an_actor_goes_on_and_a_signal_reaches_it(tmp_path: Path) -> None:
    corpus = write_language(tmp_path / "corpus")
    run = section(corpus, 100_000, batch={"sequences": 8, "micro": 4})
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(run.model_dump(mode="json", exclude_none=True)))
    command = [sys.executable, "-m", "lauter.trainer.launch.bound", str(psutil.Process().pid), "train", str(config)]
    started = subprocess.Popen(
        [*command, "--out", str(out), "--address", "local", "--ranks", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_steps(out, 8)
        ranks = [one for one in ranks_of(out) if one.pid != started.pid]
        assert len(ranks) == 2
        actor = ranks[1].parent()
        assert actor is not None
        actor.send_signal(signal.SIGKILL)
        _, left = psutil.wait_procs(ranks, timeout=30)
        assert not left, "a rank outlived its actor"
        done = len((out / "metrics.jsonl").read_text().splitlines())
        wait_for_steps(out, done + 5)
        started.send_signal(signal.SIGTERM)
        written, said = started.communicate(timeout=400)
    finally:
        started.kill()
    assert started.returncode == 0, said
    outcome = json.loads(written)
    assert outcome["stopped_by"] == "SIGTERM"
    assert "the run ended with code 1; starts again, 1 of 3" in said
    assert said.count("2 processes on cpu") == 2
    assert "goes on from " in said
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, outcome["step"] + 1))
