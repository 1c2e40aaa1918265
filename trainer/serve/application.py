"""The chat-completions protocol over HTTP: requests in, answers out, one model behind them."""

from __future__ import annotations

import asyncio
import datetime
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.serve.answer import OutputFilter
from lauter.trainer.serve.asking import Asked, Progress, ask
from lauter.trainer.serve.engine import Engine
from lauter.trainer.serve.error import RequestError
from lauter.trainer.serve.reply import DONE, Heading, choice, delta, event, opening, usage
from lauter.trainer.serve.request import ChatRequest, chat_request


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take."""

    body: int = 1_000_000
    """Bytes of a request."""
    body_seconds: float = 30.0
    """In which they must have come."""
    answer: int | None = None
    """Most tokens of an answer; None: what the prompt leaves of the context."""
    seconds: float = 600.0
    """From the request to the last token, waiting included."""
    hosts: frozenset[str] | None = None
    """Names under which the server may be asked for (`Host`), so that no web page can reach it under a name of its
    own (DNS rebinding); None: any."""


@dataclass(frozen=True, slots=True)
class Served:
    """The model and how it is served."""

    engine: Engine
    tokenizer: TextTokenizer
    name: str
    limits: Limits = Limits()
    new_filter: Callable[[], OutputFilter] | None = None
    """Makes the filter that stands before each text that goes out."""
    today: Callable[[], datetime.date] = datetime.date.today
    """For the system text of who gives none."""


def application(served: Served) -> Starlette:
    """An ASGI application: `/v1/chat/completions`, `/v1/models`, `/health`. It starts the engine, and stops it."""
    loaded = int(time.time())
    model = {"id": served.name, "object": "model", "created": loaded, "owned_by": "lauter"}

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model]})

    async def one_model(request: Request) -> Response:
        _require_model(served, request.path_params["name"])
        return JSONResponse(model)

    async def health(_request: Request) -> Response:
        running, waiting = served.engine.counts
        fault = served.engine.fault
        told = {"status": "ok" if fault is None else fault, "running": running, "waiting": waiting}
        return JSONResponse(told, 200 if fault is None else 503)

    async def completions(request: Request) -> Response:
        asked_for = chat_request(await _body(request, served.limits))
        _require_model(served, asked_for.model)
        limit, today = served.limits.answer, served.today()
        asked = await ask(served.engine, served.tokenizer, asked_for, limit, served.new_filter, today)
        heading = Heading(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), served.name)
        if asked_for.stream:
            return _Stream(asked, _events(asked, heading, asked_for, served.limits.seconds))
        return await _whole(request, asked, heading, served.limits.seconds)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        served.engine.start()
        try:
            yield
        finally:
            await asyncio.to_thread(served.engine.stop)

    def guarded(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def checked(request: Request) -> Response:
            _require_host(request, served.limits.hosts)
            answer: Response = await endpoint(request)
            return answer

        return checked

    return Starlette(
        routes=[
            Route("/health", guarded(health), methods=["GET"]),
            Route("/v1/models", guarded(models), methods=["GET"]),
            Route("/v1/models/{name:path}", guarded(one_model), methods=["GET"]),
            Route("/v1/chat/completions", guarded(completions), methods=["POST"]),
        ],
        exception_handlers={
            RequestError: _told,
            HTTPException: _told_http,
            ClientDisconnect: _nobody_listens,
            Exception: _told_fault,
        },
        lifespan=lifespan,
    )


def _require_host(request: Request, hosts: frozenset[str] | None) -> None:
    try:
        host = request.url.hostname
    except ValueError:
        host = request.headers.get("host")
    if hosts is not None and host not in hosts:
        raise RequestError(421, f"this server is not {host!r}: ask for it under its own address")


def _require_model(served: Served, name: str) -> None:
    if name != served.name:
        raise RequestError(
            404, f"there is no model {name!r}; this server has {served.name!r}", param="model", code="model_not_found"
        )


async def _body(request: Request, limits: Limits) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A web page may send any other type to a server on this machine without asking (CORS).
        raise RequestError(415, f"Content-Type {kind or 'is missing'}: send application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body:
                    raise RequestError(413, f"the request is larger than {limits.body:,} bytes")
    except TimeoutError as error:
        raise RequestError(408, f"the request did not come within {limits.body_seconds:g} seconds") from error
    return bytes(body)


async def _whole(request: Request, asked: Asked, heading: Heading, seconds: float) -> Response:
    async def read() -> list[dict[str, Any]]:
        async for _ in asked.progress(seconds):
            pass
        return [
            choice(one.index, one.said, one.reason, heading.id, one.logprobs)
            for one in asked.choices
            if one.reason is not None
        ]

    reading = asyncio.ensure_future(read())
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            return Response(status_code=499)
        return JSONResponse(heading.completion(reading.result(), usage(asked.prompt, asked.completion)))
    finally:
        asked.cancel()
        for task in (reading, leaving):
            task.cancel()
        await asyncio.gather(reading, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Returns when the client has gone."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.1)


class _Stream(StreamingResponse):
    """Events as they come; the model stops when the client leaves, wherever the stream stands then."""

    def __init__(self, asked: Asked, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._asked.cancel()


async def _events(asked: Asked, heading: Heading, given: ChatRequest, seconds: float) -> AsyncIterator[bytes]:
    try:
        for one in asked.choices:
            yield event(heading.chunk([opening(one.index)]))
        async for step in asked.progress(seconds):
            if piece := _piece(step, heading):
                yield event(heading.chunk([piece]))
        if given.stream_options.include_usage:
            yield event(heading.chunk([], usage=usage(asked.prompt, asked.completion)))
        yield DONE
    except RequestError as error:
        # The status has been sent: an event says what happened.
        yield event(error.to_json())


def _piece(step: Progress, heading: Heading) -> dict[str, Any] | None:
    said = step.said
    if not (said.response or said.thoughts or said.calls or step.reason or step.logprobs):
        return None
    return delta(step.index, said, heading.id, step.logprobs, reason=step.reason)


def _told(_request: Request, error: Exception) -> Response:
    found = error if isinstance(error, RequestError) else RequestError(500, "internal error")
    headers = {"Retry-After": "1"} if found.status in (429, 503) else None
    return JSONResponse(found.to_json(), found.status, headers)


def _told_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not possible here"}
    return _told(request, RequestError(status, said.get(status, "the request can't be answered")))


def _told_fault(request: Request, _error: Exception) -> Response:
    return _told(request, RequestError(500, "internal error; the server's log says more"))


def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
