"""`lauter serve-model`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Literal

import typer

from lauter.pipeline.cli.console import FAILED, USAGE, fail

app = typer.Typer(add_completion=False)

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@app.command()
def serve_model(
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CHECKPOINT", help="A run folder, one of its checkpoints, or a Hugging Face folder."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the model. Default: the folder's name.")] = None,
    sequences: Annotated[int, typer.Option(min=1, metavar="N", help="Answers that are made at once.")] = 8,
    queue: Annotated[int, typer.Option(min=0, metavar="N", help="Answers that may wait; more are refused.")] = 32,
    context: Annotated[
        int | None,
        typer.Option(
            min=2, metavar="N", help="Tokens of prompt and answer together. Default: the model's, 4096 at most."
        ),
    ] = None,
    new_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most tokens of an answer. Default: what the context leaves.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.001, help="For a request, waiting included.")] = 600,
    body: Annotated[int, typer.Option(min=1, metavar="BYTES", help="Of the largest request.")] = 1_000_000,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="LIST", help="An output-filter.json of a takedown; repeatable."),
    ] = None,
    dtype: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of weights and activations; bf16 takes half the memory.")
    ] = "fp32",
    *,
    open_to_network: Annotated[
        bool, typer.Option("--open-to-network", help="Allow a host that others can reach. There is no password.")
    ] = False,
) -> None:
    """Serve a model with OpenAI's chat-completions protocol, on this machine."""
    try:
        import torch
        import uvicorn

        from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
        from lauter.trainer.huggingface.imported import ModelImportError
        from lauter.trainer.serve.application import Limits, Served, application
        from lauter.trainer.serve.batching import SpeakingBatch
        from lauter.trainer.serve.engine import Engine
        from lauter.trainer.serve.filters import filter_maker
        from lauter.trainer.serve.load import open_talker
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: pip install 'lauter[serve]'", FAILED)
    if host not in LOOPBACK and not open_to_network:
        fail(
            f"--host {host}: others can reach it, and there is no password; say --open-to-network if that is meant",
            USAGE,
        )
    try:
        # Before the model is loaded, which may take minutes; who asks meanwhile is turned away.
        listening = _bound(host, port)
    except OSError as error:
        fail(f"--host {host} --port {port}: {error.strerror or error}", FAILED)
    try:
        new_filter = filter_maker(filters or ())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        found = open_talker(checkpoint, torch.bfloat16 if dtype == "bf16" else torch.float32, device)
    except (NoCheckpoint, ModelImportError, ValueError) as error:
        fail(str(error), USAGE)
    except CheckpointError as error:
        fail(str(error), FAILED)
    positions = found.model.shape.positions
    if context is not None and context > positions:
        fail(f"--context {context}: the model has {positions} positions", USAGE)
    room = context or min(positions, 4096)
    try:
        batch = SpeakingBatch(found.model, sequences, room)
    except RuntimeError as error:
        # torch has no narrower class for memory that the system refuses.
        fail(f"no memory for {sequences} answers of {room} tokens: lower --sequences or --context ({error})", FAILED)
    engine = Engine(batch, queue)
    limits = Limits(body, answer=new_tokens, seconds=seconds, hosts=LOOPBACK if host in LOOPBACK else None)
    called = name or Path(checkpoint).resolve().name
    server = application(Served(engine, found.tokenizer, called, limits, new_filter))
    at = f"[{host}]" if ":" in host else host
    try:
        listening.listen(256)
    except OSError as error:
        fail(f"--host {host} --port {port}: {error.strerror or error}", FAILED)
    typer.echo(f"{called}: http://{at}:{listening.getsockname()[1]}/v1")
    # A connection more than these is answered with 503 at once.
    config = uvicorn.Config(
        server,
        log_level="warning",
        access_log=False,
        limit_concurrency=512,
        timeout_graceful_shutdown=10,
        lifespan="on",
    )
    uvicorn.Server(config).run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
