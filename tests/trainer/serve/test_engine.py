"""The model's thread: who is taken, who is told what."""

from __future__ import annotations

import queue

import pytest

from lauter.trainer.generate.sample import sources_of_chance
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.serve.batching import Speaker, SpeakingBatch, Spoken
from lauter.trainer.serve.engine import Busy, Engine, Job, Stopped
from tests.trainer.serve.small_talker import SHAPE, model

Told = queue.Queue[Spoken | Stopped]


def _job(most: int, prompt: tuple[int, ...] = (1, 30), ends: frozenset[int] = frozenset()) -> tuple[Job, Told]:
    told: Told = queue.Queue()
    speaker = Speaker(prompt, 0.0, 1.0, sources_of_chance([prompt], 5)[0])
    return Job(speaker, most, ends, told.put), told


def _tokens(told: Told, count: int) -> list[int]:
    found = []
    for _ in range(count):
        item = told.get(timeout=20)
        assert isinstance(item, Spoken)
        found.append(item.token)
    return found


def test_jobs_are_answered_in_turn_and_end_where_they_should() -> None:
    engine = Engine(SpeakingBatch(model(), 1, 64), 2)
    (first, said), (second, also), (third, _) = _job(5), _job(9), _job(5)
    with pytest.raises(Stopped, match="has not started"):
        engine.submit([first])
    engine.start()
    try:
        engine.submit([first])
        tokens = _tokens(said, 5)
        second.ends = frozenset({tokens[2]})
        engine.submit([second])
        assert _tokens(also, tokens.index(tokens[2]) + 1) == tokens[: tokens.index(tokens[2]) + 1]
        with pytest.raises(ValueError, match="a prompt of 64 tokens"):
            engine.submit([_job(1, (1,) * 64)[0]])
        # All or none.
        with pytest.raises(Busy):
            engine.submit([_job(1)[0] for _ in range(4)])
        # One that speaks, one that waits and is cancelled, one that waits to the end.
        (long, hears), (waiting, nothing), (left, last) = _job(60), _job(1), _job(60)
        engine.submit([long, waiting, left])
        _tokens(hears, 1)
        engine.cancel([waiting])
        assert engine.counts[1] == 1
        engine.cancel([long])
        _tokens(last, 2)
        assert nothing.empty()
        assert engine.fault is None
    finally:
        engine.stop()
    while isinstance(item := last.get(timeout=20), Spoken):
        pass
    assert str(item) == "the server is stopping"
    with pytest.raises(Stopped, match="the server is stopping"):
        engine.submit([third])


def test_a_pass_that_fails_ends_all_and_the_engine_says_why() -> None:
    # On the meta device there is nothing to compute with.
    engine = Engine(SpeakingBatch(Apertus(SHAPE, device="meta"), 1, 64), 2)
    engine.start()
    (first, said), (second, also) = _job(5), _job(5)
    try:
        engine.submit([first, second])
    except Stopped:
        pytest.fail("it was running")
    for told in (said, also):
        item = told.get(timeout=20)
        assert isinstance(item, Stopped)
        assert "a pass of the model failed" in str(item)
    assert engine.fault is not None
    assert engine.counts == (0, 0)
    engine.stop()
