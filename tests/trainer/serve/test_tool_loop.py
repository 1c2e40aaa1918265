"""A model that has learnt one conversation by heart calls a tool, reads its output and answers, as it learnt it."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from lauter.chat.encode import encode
from lauter.chat.formats.messages import of_messages
from lauter.chat.pieces import pieces
from lauter.chat.tools import declared
from lauter.trainer.batch import Bounds
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.serve.asking import ask
from lauter.trainer.serve.batching import SpeakingBatch
from lauter.trainer.serve.engine import Engine
from lauter.trainer.serve.reply import choice
from lauter.trainer.serve.request import chat_request
from tests.trainer.serve.small_talker import TOKENIZER

DAY = datetime.date(2026, 11, 26)
TOOL = {"type": "function", "function": {"name": "warm", "parameters": {"properties": {"where": {"type": "string"}}}}}
ASKED = {"role": "user", "content": "Warm in Chur?"}
CALL = {"function": {"name": "warm", "arguments": '{"where": "Chur"}'}}
OUTPUT = {"role": "tool", "content": "12"}
LEARNT: list[dict[str, Any]] = [
    {"role": "system", "content": "Short."},
    ASKED,
    {"role": "assistant", "content": None, "reasoning_content": "I look.", "tool_calls": [CALL]},
    OUTPUT,
    {"role": "assistant", "content": "12 °C."},
]


def _learnt() -> Apertus:
    conversation = of_messages(LEARNT, tools=(declared(TOOL),))
    encoded = encode(pieces(conversation, open_answer=False), TOKENIZER.plain, TOKENIZER.chat, bos=TOKENIZER.bos)
    ids = torch.tensor(encoded.ids)
    places = [
        place
        for start, end in zip(encoded.loss_spans[::2], encoded.loss_spans[1::2], strict=True)
        for place in range(start, end)
    ]
    model = Apertus(ModelShape(2, 64, 128, 4, 2, 16, 288, 1024))
    initialise(model, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    positions, bounds = torch.arange(len(ids)), Bounds.of([len(ids)])
    before = torch.tensor(places) - 1
    for _ in range(400):
        loss = cross_entropy(model(ids, positions, bounds)[before], ids[places])
        if loss < 0.01:
            return model.requires_grad_(requires_grad=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(f"the conversation was not learnt: {loss}")


@pytest.mark.soak
def test_a_tool_is_called_and_its_output_is_read() -> None:
    engine = Engine(SpeakingBatch(_learnt(), 2, 512), 2)

    async def answered(messages: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"model": "m", "messages": messages, "tools": [TOOL], "temperature": 0, "max_tokens": 100}
        asked = await ask(engine, TOKENIZER, chat_request(json.dumps(body).encode()), None, None, DAY)
        async for _ in asked.progress(60):
            pass
        (one,) = asked.choices
        assert one.reason is not None
        return choice(0, one.said, one.reason, "x", None)

    async def run() -> None:
        first = await answered(LEARNT[:2])
        assert first["finish_reason"] == "tool_calls"
        message = first["message"]
        assert message["reasoning_content"] == "I look."
        (call,) = message["tool_calls"]
        assert call["function"] == CALL["function"]
        second = await answered([*LEARNT[:2], message, {**OUTPUT, "tool_call_id": call["id"]}])
        assert (second["message"]["content"], second["finish_reason"]) == ("12 °C.", "stop")

    engine.start()
    try:
        asyncio.run(run())
    finally:
        engine.stop()
