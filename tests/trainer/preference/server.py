"""A server on loopback that speaks as much of OpenAI's chat completions as the tests ask for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any], dict[str, str]], tuple[int, Any]]
"""From a request's body and headers to a state and a body."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Its URL, up to the version."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            state, said = answer(body, dict(self.headers.items()))
            data = json.dumps(said).encode() if not isinstance(said, bytes) else said
            self.send_response(state)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def choice(text: str, *, end: str = "stop", logprobs: Any = None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The body of an answer."""
    return {"choices": [{"message": {"content": text}, "finish_reason": end, "logprobs": logprobs}]}
