"""A request as jobs of the engine, and their tokens as answers."""

from __future__ import annotations

import asyncio
import datetime
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lauter.chat.encode import encode
from lauter.chat.pieces import pieces, thinks_on
from lauter.trainer.generate.sample import sources_of_chance
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError
from lauter.trainer.serve.answer import Answer, OutputFilter, Said
from lauter.trainer.serve.batching import Speaker, Spoken
from lauter.trainer.serve.engine import Busy, Engine, Job, Stopped
from lauter.trainer.serve.error import RequestError
from lauter.trainer.serve.reply import Reason, token_logprob
from lauter.trainer.serve.request import ChatRequest


@dataclass
class Choice:
    """One of the answers, as far as it is there."""

    index: int
    answer: Answer
    job: Job
    said: Said = field(default_factory=Said)
    logprobs: list[dict[str, Any]] | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What one token brought."""

    index: int
    said: Said
    reason: Reason | None
    logprobs: list[dict[str, Any]] | None


@dataclass
class Asked:
    """A request that the engine has taken."""

    prompt: int
    """Its tokens."""
    choices: list[Choice]
    tokenizer: TextTokenizer
    engine: Engine
    told: asyncio.Queue[tuple[Choice, Spoken | Stopped]] = field(default_factory=asyncio.Queue)

    @property
    def completion(self) -> int:
        """Tokens that were said so far, of all answers."""
        return sum(len(one.answer.tokens) for one in self.choices)

    async def progress(self, seconds: float) -> AsyncIterator[Progress]:
        """What comes, token by token, until all answers have ended.

        Raises:
            RequestError: the engine stopped, or the time is over.
        """
        going = len(self.choices)
        end = asyncio.get_running_loop().time() + seconds
        while going:
            try:
                async with asyncio.timeout_at(end):
                    one, item = await self.told.get()
            except TimeoutError as error:
                raise RequestError(504, f"the answer took longer than {seconds:g} seconds") from error
            if isinstance(item, Stopped):
                raise RequestError(503, str(item))
            if one.reason is None:
                found = self._push(one, item)
                going -= one.reason is not None
                yield found

    def cancel(self) -> None:
        """Nothing more is wanted."""
        self.engine.cancel([one.job for one in self.choices])

    def _push(self, one: Choice, spoken: Spoken) -> Progress:
        said = one.answer.push(spoken.token)
        one.reason = one.answer.end
        if one.reason is None and len(one.answer.tokens) == one.job.most:
            rest = one.answer.finish()
            said = Said(said.response + rest.response, said.thoughts + rest.thoughts, said.calls)
            one.reason = "length"
        if one.reason is not None:
            self.engine.cancel([one.job])
        one.said = Said(
            one.said.response + said.response, one.said.thoughts + said.thoughts, one.said.calls + said.calls
        )
        logprobs: list[dict[str, Any]] | None = None
        if one.logprobs is not None:
            ends = spoken.token in self.tokenizer.ends
            logprobs = [] if ends else [token_logprob(self.tokenizer, spoken)]
            one.logprobs += logprobs
        return Progress(one.index, said, one.reason, logprobs)


async def ask(
    engine: Engine,
    tokenizer: TextTokenizer,
    given: ChatRequest,
    longest: int | None,
    new_filter: Callable[[], OutputFilter] | None,
    today: datetime.date,
) -> Asked:
    """Hand a request to the engine: a job for each of its `n` answers.

    `longest`: the most tokens of an answer; None: what the context leaves.

    Raises:
        RequestError: it is no conversation, too long, or the engine takes no more.
    """
    if given.logprobs and new_filter is not None:
        raise RequestError(400, "likelihoods tell tokens that the output filter would take out", param="logprobs")
    # A megabyte of text takes seconds, in which the others' tokens must still go out.
    prompt, thinking = await asyncio.to_thread(_prompt, given, tokenizer, today)
    room = engine.capacity - len(prompt)
    most = given.most_tokens
    if room < 1 or (most is not None and most > room):
        raise RequestError(
            400,
            f"the messages have {len(prompt)} tokens{'' if most is None else f', and {most} are asked for'}; the "
            f"context has {engine.capacity} for both",
            param="messages",
            code="context_length_exceeded",
        )
    if longest is not None and most is not None and most > longest:
        raise RequestError(400, f"an answer has at most {longest} tokens here", param="max_tokens")
    left = most if most is not None else min(room, room if longest is None else longest)
    seed = secrets.randbits(63) if given.seed is None else given.seed
    loop = asyncio.get_running_loop()
    asked = Asked(len(prompt), [], tokenizer, engine)
    for index, chance in enumerate(sources_of_chance([prompt] * given.n, seed)):
        likely = given.top_logprobs if given.logprobs else None
        speaker = Speaker(prompt, given.temperature, given.top_p, chance, likely)
        answer = Answer(tokenizer, given.stop, new_filter, thinking=thinking)
        job = Job(speaker, left, tokenizer.ends, lambda _: None)
        one = Choice(index, answer, job, logprobs=[] if given.logprobs else None)
        job.told = _teller(loop, asked, one)
        asked.choices.append(one)
    try:
        engine.submit([one.job for one in asked.choices])
    except Busy as error:
        raise RequestError(429, f"too many requests: {error}; ask again later") from error
    except Stopped as error:
        raise RequestError(503, str(error)) from error
    except ValueError as error:
        raise RequestError(400, str(error), param="messages") from error
    return asked


def _prompt(given: ChatRequest, tokenizer: TextTokenizer, today: datetime.date) -> tuple[list[int], bool]:
    """Ids of what was said, and whether the answer goes on in thoughts."""
    found = pieces(given.conversation(), open_answer=True, date=today)
    try:
        ids = encode(found, tokenizer.plain, tokenizer.chat, bos=tokenizer.bos).ids
    except TokenizerError as error:
        raise RequestError(400, str(error), param="messages") from error
    return ids, thinks_on(found)


def _teller(loop: asyncio.AbstractEventLoop, asked: Asked, one: Choice) -> Callable[[Spoken | Stopped], None]:
    def tell(item: Spoken | Stopped) -> None:
        # A loop that has ended has nobody who listens, and says so with this error.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(asked.told.put_nowait, (one, item))

    return tell
