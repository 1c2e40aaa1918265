"""Requests that the engine takes, and those that end before their answers."""

from __future__ import annotations

import asyncio
import datetime
import json

import pytest

from lauter.pipeline.filter.matcher import Matcher
from lauter.trainer.serve.asking import Asked, ask
from lauter.trainer.serve.batching import SpeakingBatch
from lauter.trainer.serve.engine import Engine
from lauter.trainer.serve.error import RequestError
from lauter.trainer.serve.request import chat_request
from tests.trainer.serve.small_talker import TOKENIZER, model

DAY = datetime.date(2026, 11, 26)


async def _ask(engine: Engine, *, filtered: bool = False, longest: int | None = None, **more: object) -> Asked:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 0, **more}
    new_filter = (lambda: Matcher([])) if filtered else None
    return await ask(engine, TOKENIZER, chat_request(json.dumps(body).encode()), longest, new_filter, DAY)


async def _read(asked: Asked, seconds: float) -> None:
    async for _ in asked.progress(seconds):
        pass


def test_an_answer_that_takes_too_long_and_an_engine_that_stops() -> None:
    async def run() -> None:
        engine = Engine(SpeakingBatch(model(), 2, 1024), 2)
        with pytest.raises(RequestError, match="has not started") as refused:
            await _ask(engine)
        assert refused.value.status == 503
        engine.start()
        slow = await _ask(engine, max_tokens=600)
        with pytest.raises(RequestError, match="longer than 0 seconds") as late:
            await _read(slow, 0)
        assert late.value.status == 504
        slow.cancel()
        cut = await _ask(engine, max_tokens=600)
        stopping = asyncio.create_task(asyncio.to_thread(engine.stop))
        with pytest.raises(RequestError, match="the server is stopping") as stopped:
            await _read(cut, 60)
        assert stopped.value.status == 503
        await stopping

    asyncio.run(run())


def test_limits_of_the_server() -> None:
    async def run() -> None:
        engine = Engine(SpeakingBatch(model(), 1, 1024), 1)
        with pytest.raises(RequestError, match="at most 5 tokens here"):
            await _ask(engine, longest=5, max_tokens=6)
        with pytest.raises(RequestError, match="the output filter would take out") as error:
            await _ask(engine, filtered=True, logprobs=True)
        assert error.value.to_json()["error"]["type"] == "invalid_request_error"
        engine.start()
        try:
            short = await _ask(engine, longest=5, filtered=True, n=2)
            await _read(short, 60)
            assert all(len(one.answer.tokens) <= 5 for one in short.choices)
            assert {one.reason for one in short.choices} <= {"length", "stop"}
        finally:
            engine.stop()

    asyncio.run(run())


def test_an_answer_goes_on_in_the_thoughts_that_a_call_interrupted() -> None:
    calls = {"role": "assistant", "tool_calls": [{"function": {"name": "warm"}}]}
    asked = [{"role": "user", "content": "Warm?"}, calls, {"role": "tool", "content": "12"}]
    thinking = [asked[0], {**calls, "reasoning_content": "I look."}, asked[2]]

    async def run() -> None:
        engine = Engine(SpeakingBatch(model(), 1, 1024), 1)
        engine.start()
        try:
            for messages in (asked, thinking):
                # The first 12 tokens of this model are text, with this seed.
                found = await _ask(engine, messages=messages, max_tokens=12, temperature=1, seed=0)
                await _read(found, 60)
                said = found.choices[0].said
                assert (bool(said.response), bool(said.thoughts)) == (messages is asked, messages is thinking)
        finally:
            engine.stop()

    asyncio.run(run())
