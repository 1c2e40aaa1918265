"""Hostile input through the real command: each in the ledger, the run ends with 0, memory stays bounded."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import threading
import time
import zlib
from functools import cache
from pathlib import Path

import psutil
import pytest

from tests.pipeline.small_run import ledger

MEMORY_LIMIT = 1_500_000_000
TEXT = b"""<html><head><title>A walk</title></head><body><article><h1>A walk along the river</h1>
<p>We set out early in the morning, when the mist was still lying over the water, and followed the old path that the
millers used to take. The first hour was easy going, past gardens and orchards, and at the weir we stopped to eat the
bread that we had brought with us.</p><p>After the bridge the valley grows narrow, and the path climbs through a wood of
beeches to a chapel from which you can see the whole of the lake. Nobody knows who built it, or why it was built just
there, but there are always fresh flowers in it.</p></article></body></html>"""


def _record(
    uri: str, body: bytes, headers: str = "Content-Type: text/html; charset=utf-8", length: int | None = None
) -> bytes:
    block = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n"
        f"WARC-Record-ID: <urn:test:{uri}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block) if length is None else length}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


@cache
def _zeros(size: int) -> bytes:
    """`size` zeros, gzipped (RFC 1952): every MiB is the same bytes of deflate, so one of them is compressed."""
    chunk, pack = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, -15)
    block, crc = pack.compress(chunk) + pack.flush(zlib.Z_FULL_FLUSH), 0
    for _ in range(size >> 20):
        crc = zlib.crc32(chunk, crc)
    head, end = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff", b"\x03\0"
    return head + block * (size >> 20) + end + struct.pack("<II", crc, size)


def _inputs(folder: Path) -> None:
    good = gzip.compress(_record("https://good.example/walk", TEXT))
    (folder / "cut.warc.gz").write_bytes(good + gzip.compress(_record("https://good.example/cut", TEXT * 40))[:-200])
    bomb = "Content-Type: text/html\r\nContent-Encoding: gzip"
    (folder / "bomb.warc.gz").write_bytes(
        gzip.compress(_record("https://bomb.example/", _zeros(1 << 30), bomb)) + _zeros(1 << 30)
    )
    (folder / "long.warc").write_bytes(
        _record("https://long.example/", TEXT, length=2 << 30) + _record("https://after.example/", TEXT)
    )
    frames = b"<html><frameset>" + b"<frameset><frame src=a>" * 50 + b"</html>"
    latin = TEXT.replace(b"walk", b"w\xe4lk \xff\xfe")
    blocked = b"User-agent: GPTBot\nDisallow: /secret\n"
    (folder / "pages.warc").write_bytes(
        _record("https://frames.example/", frames)
        + _record("https://invalid.example/", latin)
        + _record("https://deep.example/", b"<div>" * 100_000)
        + _record("https://big.example/secret", TEXT)
        + _record("https://big.example/open", TEXT.replace(b"river", b"brook"))
    )
    rules = blocked + b"# filler\n" + b"User-agent: other\nDisallow: /x\n" * 180_000
    assert len(rules) > 5_000_000
    (folder / "robots.warc").write_bytes(_record("https://big.example/robots.txt", rules, "Content-Type: text/plain"))
    (folder / "manifest.yaml").write_text(
        "name: hostile\n"
        "sources: [{name: web, kind: warc, paths: ['*.warc', '*.warc.gz'], exclude: [robots.warc]}]\n"
        "stages: [{optout: {snapshot: [robots.warc]}}, extract, normalise, language, quality, pii, toxicity, dedup]\n"
    )


def _peak(process: psutil.Process, peaks: dict[int, int]) -> None:
    """Highest resident memory of every process of a tree, by sampling."""
    try:
        for one in [process, *process.children(recursive=True)]:
            peaks[one.pid] = max(peaks.get(one.pid, 0), one.memory_info().rss)
    except psutil.NoSuchProcess:
        pass


def test_a_bomb_is_a_gzip_file_as_any_other() -> None:
    assert gzip.decompress(_zeros(3 << 20)) == bytes(3 << 20)


@pytest.mark.slow
def test_hostile_input(tmp_path: Path) -> None:
    _inputs(tmp_path)
    lauter = Path(sys.executable).with_name("lauter")
    process = subprocess.Popen(
        [str(lauter), "build", str(tmp_path / "manifest.yaml"), "--out", str(tmp_path / "out"), "--executor", "inline"]
    )
    peaks: dict[int, int] = {}
    watched = psutil.Process(process.pid)

    def watch() -> None:
        while process.poll() is None:
            _peak(watched, peaks)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.wait(timeout=300) == 0
    watcher.join()
    assert sum(peaks.values()) < MEMORY_LIMIT, peaks
    ends = {row["url"]: (row["verdict"], row["reason"]) for row in ledger(tmp_path / "out") if row["url"]}
    assert ends["https://good.example/walk"][0] in ("kept", "duplicate")
    assert ends["https://bomb.example/"][0] == "error"
    assert ends["https://after.example/"][0] in ("kept", "duplicate")
    assert ends["https://frames.example/"] == ("dropped", "no-text")
    assert ends["https://invalid.example/"][0] in ("kept", "duplicate")
    assert ends["https://deep.example/"] == ("error", "html-too-deep")
    assert ends["https://big.example/secret"] == ("dropped", "robots-disallow")
    assert ends["https://big.example/open"][0] in ("kept", "duplicate")
    broken = [(row["file"], row["verdict"]) for row in ledger(tmp_path / "out") if not row["url"]]
    assert {name for name, _ in broken} >= {"cut.warc.gz", "bomb.warc.gz", "long.warc"}
    assert {verdict for _, verdict in broken} == {"error"}
    audit = subprocess.run([str(lauter), "audit", str(tmp_path / "out"), "--json"], capture_output=True, text=True)
    assert audit.returncode == 0, audit.stdout
    data = json.loads(audit.stdout)
    assert data["records_in"] == sum(data[name] for name in ("kept", "dropped", "duplicate", "error", "removed"))
