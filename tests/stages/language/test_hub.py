"""A model of the hub is fetched once, from a hub on this machine, and whatever fails says what to do."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from lauter.stages.language.hub import GLOTLID, HubFile, check, fetch

CONTENT = b"a model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = HubFile("some/models", "model.bin", "7 KB")


class _Hub(BaseHTTPRequestHandler):
    downloads = 0
    requests = 0
    sent = len(CONTENT)
    """Bytes of the file after which the connection breaks."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        type(self).downloads += 1
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        type(self).requests += 1
        found = self.path == "/some/models/resolve/main/model.bin"
        body = CONTENT if found else b"{}"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", f'"{SHA256}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body[: self.sent])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is its own."""


@pytest.fixture
def hub() -> Iterator[str]:
    _Hub.downloads = _Hub.requests = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_once(hub: str, tmp_path: Path) -> None:
    first = fetch(FILE, SHA256, cache=tmp_path, endpoint=hub)
    assert first.read_bytes() == CONTENT
    assert fetch(FILE, SHA256.upper(), cache=tmp_path, endpoint=hub) == first
    assert _Hub.downloads == 1


def test_a_copy_is_taken_without_asking_the_hub(hub: str, tmp_path: Path) -> None:
    first = fetch(FILE, cache=tmp_path, endpoint=hub)
    asked = _Hub.requests
    assert fetch(FILE, cache=tmp_path, endpoint=hub) == first
    assert _Hub.requests == asked


def test_a_connection_that_breaks_is_an_error_and_leaves_no_copy(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Hub, "sent", 3000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # five tries, a second apart
    with pytest.raises(ValueError, match=r"some/models model\.bin cannot be fetched from the hub"):
        fetch(FILE, cache=tmp_path, endpoint=hub)
    monkeypatch.undo()
    assert fetch(FILE, SHA256, cache=tmp_path, endpoint=hub).read_bytes() == CONTENT


def test_offline_the_copy_is_used_or_missed(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch(FILE, cache=tmp_path, endpoint=hub)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert fetch(FILE, cache=tmp_path, endpoint=hub) == first
    message = (
        r"cis-lmu/glotlid model_v3\.bin \(1\.6 GB\) is not on this machine, and HF_HUB_OFFLINE is set: .*hf download"
    )
    with pytest.raises(ValueError, match=message):
        fetch(GLOTLID, cache=tmp_path)


def test_another_content_is_an_error(hub: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(SHA256)):
        fetch(FILE, "0" * 64, cache=tmp_path, endpoint=hub)


def test_a_file_that_the_hub_does_not_have(hub: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be fetched from the hub"):
        fetch(HubFile("some/models", "other.bin", "1 KB"), cache=tmp_path, endpoint=hub)


def test_check(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    check(path, SHA256)
    with pytest.raises(ValueError, match=r"model\.bin has SHA-256"):
        check(path, SHA256[::-1])
    with pytest.raises(OSError, match="none"):
        check(tmp_path / "none", SHA256)
