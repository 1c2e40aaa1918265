"""A local S3-compatible server (moto) behind a proxy that can break one upload in the middle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from moto.server import ThreadedMotoServer


@dataclass
class FaultyProxy:
    """Forwards bytes to the server; breaks an upload whose path holds `target` in the middle, `faults` times."""

    server_port: int
    target: bytes = b""
    faults: int = 0
    broken: list[str] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            try:
                data = client.recv(1 << 16)
            except OSError:
                data = b""
            if data.startswith((b"PUT ", b"POST ")) and self.target in data.split(b"\r\n", 1)[0] and self.faults > 0:
                self.faults -= 1
                self.broken.append(data.split(b" ", 2)[1].decode())
                # Half of what came is let through: the server sees a request that never ends.
                server.sendall(data[: max(1, len(data) // 2)])
                data = b""
            if not data:
                for end in (server, client):
                    _shut(end)
                return
            try:
                server.sendall(data)
            except OSError:
                return


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    _shut(target)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def s3_server() -> Iterator[FaultyProxy]:
    """A running server and its proxy."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    proxy = FaultyProxy(port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        server.stop()
