"""A server on loopback, asked by OpenAI's own client."""

from __future__ import annotations

import datetime
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import uvicorn

from lauter.chat.encode import encode
from lauter.chat.formats.messages import of_messages
from lauter.chat.pieces import pieces
from lauter.chat.tools import declared
from lauter.trainer.generate.generate import generate
from lauter.trainer.serve.answer import Answer
from lauter.trainer.serve.application import Limits, Served, application
from lauter.trainer.serve.batching import SpeakingBatch
from lauter.trainer.serve.engine import Engine
from tests.trainer.serve.small_talker import TOKENIZER, model

DAY = datetime.date(2026, 11, 26)
ASKED: list[Any] = [{"role": "user", "content": "Grüezi <|user_end|>"}]
SLOTS, QUEUE, CONTEXT = 4, 4, 1024


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(SpeakingBatch(model(), SLOTS, CONTEXT), QUEUE)


@pytest.fixture(scope="module")
def address(engine: Engine) -> Iterator[str]:
    limits = Limits(body=20_000, seconds=20, hosts=frozenset({"127.0.0.1"}))
    served = Served(engine, TOKENIZER, "small", limits, today=lambda: DAY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(application(served), log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
    assert engine.fault == "the server is stopping"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def _expected(messages: list[Any], count: int, seed: int, n: int = 1, **told: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    """What the model says to it when it is asked directly, and why it ends."""
    found = pieces(of_messages(messages, **told), open_answer=True, date=DAY)
    prompt = encode(found, TOKENIZER.plain, TOKENIZER.chat, bos=1).ids
    answers = [Answer(TOKENIZER, (), None) for _ in range(n)]
    texts = [""] * n
    for index, token in generate(
        model(), [prompt] * n, new_tokens=count, temperature=1.0, top_p=0.9, seed=seed, eos=TOKENIZER.ends
    ):
        texts[index] += answers[index].push(token).response
    return [
        (text + (one.finish().response if one.end is None else ""), one.end or "length")
        for text, one in zip(texts, answers, strict=True)
    ]


def test_answers_are_those_of_the_model(client: openai.OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["small"]
    assert client.models.retrieve("small").owned_by == "lauter"
    found = client.chat.completions.create(
        model="small", messages=ASKED, max_tokens=24, temperature=1, top_p=0.9, seed=3, n=3
    )
    said = [(one.message.content or "", one.finish_reason) for one in found.choices]
    assert said == _expected(ASKED, 24, 3, n=3)
    assert len({text for text, _ in said}) == 3
    usage = found.usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 3 < usage.completion_tokens <= 72


def test_a_stream_gives_the_same_in_pieces(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="small",
            messages=ASKED,
            max_tokens=24,
            top_p=0.9,
            seed=3,
            n=2,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts, reasons = ["", ""], ["", ""]
    for chunk in chunks:
        for one in chunk.choices:
            texts[one.index] += one.delta.content or ""
            reasons[one.index] = one.finish_reason or reasons[one.index]
    assert list(zip(texts, reasons, strict=True)) == _expected(ASKED, 24, 3, n=2)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 6


def test_tools_change_the_prompt_and_stops_cut(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "function": {"name": "warm", "parameters": {"type": "object", "properties": {}}}}
    (whole,) = _expected(ASKED, 24, 4, tools=(declared(tool),))
    assert len(whole[0]) > 8
    stop = whole[0][4:6]
    found = client.chat.completions.create(
        model="small", messages=ASKED, tools=[tool], max_tokens=24, top_p=0.9, seed=4, stop=stop
    )
    assert found.choices[0].message.content == whole[0][: whole[0].index(stop)]
    assert found.choices[0].finish_reason == "stop"


def test_likelihoods(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(
        model="small", messages=ASKED, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
    )
    logprobs = found.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    for one in logprobs.content:
        assert one.logprob == one.top_logprobs[0].logprob <= 0
        assert len(one.top_logprobs) == 2


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"model": "large"}, openai.NotFoundError, "no model 'large'"),
        ({"messages": []}, openai.BadRequestError, "at least 1"),
        ({"messages": [{"role": "poet", "content": "a"}]}, openai.BadRequestError, "role 'poet'"),
        ({"max_tokens": 1024}, openai.BadRequestError, "the context has 1024 for both"),
        ({"messages": [{"role": "user", "content": "a" * 2000}]}, openai.BadRequestError, "the context has 1024"),
        ({"messages": [{"role": "user", "content": "a" * 20_000}]}, openai.APIStatusError, "larger than 20,000 bytes"),
        ({"extra_body": {"top_k": 3}}, openai.BadRequestError, "top_k: it is not supported here"),
        ({"extra_headers": {"Content-Type": "text/plain"}}, openai.APIStatusError, "send application/json"),
        ({"extra_headers": {"Host": "evil.example"}}, openai.APIStatusError, "not 'evil.example'"),
    ],
)
def test_errors_have_openais_shape(
    client: openai.OpenAI, more: dict[str, Any], error: type[openai.APIStatusError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        client.chat.completions.create(**{"model": "small", "messages": ASKED, **more})
    body: Any = raised.value.body
    assert body.keys() >= {"message", "type", "param", "code"}


def test_unknown_addresses_and_methods(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nothing at /v1/embeddings"):
        client.embeddings.create(model="small", input="a")
    with pytest.raises(openai.APIStatusError, match="GET is not possible here"):
        client.get("/chat/completions", cast_to=object)


def test_many_at_once_get_their_own_answers_and_too_many_are_told_to_wait(
    client: openai.OpenAI, engine: Engine
) -> None:
    def ask(seed: int) -> tuple[str, str]:
        found = client.chat.completions.create(model="small", messages=ASKED, max_tokens=20, top_p=0.9, seed=seed)
        return found.choices[0].message.content or "", found.choices[0].finish_reason

    expected = [_expected(ASKED, 20, seed)[0] for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == expected
    # A stream that nobody reads on keeps its places until it is closed.
    held = client.chat.completions.create(model="small", messages=ASKED, n=8, stream=True, temperature=0)
    with pytest.raises(openai.RateLimitError, match="too many requests"):
        client.chat.completions.create(model="small", messages=ASKED, n=8)
    held.close()
    _settle(engine)
    assert ask(0) == expected[0]


def test_who_leaves_is_not_served_on(address: str, engine: Engine) -> None:
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps({"model": "small", "messages": ASKED, "n": 4, "temperature": 0}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port))) as asking:
        asking.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        _settle(engine, running=4)
    # Each of the four would speak on for seconds.
    _settle(engine)


@pytest.mark.soak
def test_a_crowd_that_comes_and_goes_leaves_nothing_behind(client: openai.OpenAI, engine: Engine) -> None:
    def visit(seed: int) -> str:
        chance = random.Random(seed)
        wish: dict[str, Any] = {"messages": ASKED, "model": "small", "seed": seed, "n": chance.randint(1, 3)}
        wish["max_tokens"] = chance.choice([1, 8, 200])
        try:
            if chance.random() < 0.5:
                client.chat.completions.create(**wish)
                return "whole"
            with client.chat.completions.create(**wish, stream=True) as stream:
                for _, chunk in zip(range(chance.choice([0, 1, 5, 500])), stream, strict=False):
                    assert chunk.model == "small"
        except openai.RateLimitError:
            return "busy"
        return "stream"

    with ThreadPoolExecutor(8) as pool:
        met = Counter(pool.map(visit, range(300)))
    assert min(met["whole"], met["stream"], met["busy"]) > 0
    _settle(engine)
    found = client.chat.completions.create(model="small", messages=ASKED, max_tokens=24, top_p=0.9, seed=3)
    assert (found.choices[0].message.content or "", found.choices[0].finish_reason) == _expected(ASKED, 24, 3)[0]


def test_health_counts(client: openai.OpenAI) -> None:
    told: Any = client.get("../health", cast_to=object)
    assert told == {"status": "ok", "running": 0, "waiting": 0}


def _settle(engine: Engine, running: int = 0) -> None:
    for _ in range(500):
        if engine.counts == (running, 0):
            return
        time.sleep(0.01)
    raise AssertionError(f"{engine.counts} are under way and wait")
