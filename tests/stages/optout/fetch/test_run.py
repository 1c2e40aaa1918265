"""Whole runs: many origins, an end by force, and the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lauter.stages.optout.fetch.hosts import read_origins
from lauter.stages.optout.fetch.run import KINDS, Summary, fetch_all
from lauter.stages.optout.fetch.store import Store
from lauter.stages.optout.snapshot.read import read_snapshot
from tests.stages.optout.fetch.asking import HOW
from tests.stages.optout.fetch.server import Act, Request, Server, http

RULES = b"User-agent: *\nDisallow: /\n"
TDM = b'[{"location": "/", "tdm-reservation": 1}]'


def site(request: Request) -> bytes:
    bodies = {"/robots.txt": RULES, "/.well-known/tdmrep.json": TDM}
    body = bodies.get(request.path)
    return http(404) if body is None else http(200, body)


def test_hosts_are_origins_once_each() -> None:
    lines = [
        "\ufeffExample.org",
        "",
        "# a comment",
        "https://example.org/a/b?c",
        "http://Bücher.example:80/",
        "b.example:8080",
        "ftp://x.example",
        "/etc/hosts",
        "x.example/robots.txt",
        "a b",
        "https://exa mple.org/",
        "[::1]",
        "!!!",
        "user@x",
        "https://user@x/",
    ]
    rejected: list[str] = []
    assert list(read_origins(lines, rejected)) == [
        "https://example.org",
        "http://xn--bcher-kva.example",
        "https://b.example:8080",
        "https://[::1]",
    ]
    assert [line.partition(":")[0] for line in rejected] == ["7", "8", "9", "10", "11", "13", "14", "15"]
    assert rejected[0] == "7: 'ftp://x.example' is no host; only http and https are asked"
    assert rejected[-3:-1] == [
        "13: '!!!' is no host; write example.org or https://example.org",
        "14: 'user@x' is no host; leave out the user before @",
    ]


def test_a_run_asks_each_origin_for_each_file_and_a_second_one_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.jsonl.gz"

    async def run(server: Server) -> Summary:
        origins = iter([server.url(f"h{i}.test", "") for i in range(20)])
        with Store(path) as store:
            return await fetch_all(origins, list(KINDS), store, replace(HOW, concurrency=4))

    async def twice() -> None:
        async def slow(request: Request) -> bytes:
            await asyncio.sleep(0.002)
            return site(request)

        async with Server(slow) as server:
            first = await run(server)
            asked = len(server.requests)
            before = path.read_bytes()
            second = await run(server)
            assert asked == len(server.requests) == 60
            assert path.read_bytes() == before
            assert 2 <= server.most[""] <= 4
            assert max(most for host, most in server.most.items() if host) == 1
        assert first.to_json() == {
            "origins": 20,
            "fetched": 60,
            "skipped": 0,
            "tries": 60,
            "answers": {"robots.txt": {"2xx": 20}, "tdmrep.json": {"2xx": 20}, "ai.txt": {"4xx": 20}},
            "truncated": 0,
            "broken": 0,
        }
        assert (second.fetched, second.skipped, second.origins) == (0, 60, 20)

    asyncio.run(twice())
    counts: Counter[str] = Counter()
    answers = list(read_snapshot(str(path), counts))
    kinds = Counter((answer.kind, answer.status, answer.body) for answer in answers)
    assert kinds == {("robots.txt", 200, RULES): 20, ("tdmrep.json", 200, TDM): 20, ("ai.txt", 404, None): 20}
    assert len({answer.origin for answer in answers}) == 20
    assert not counts["lost"]


def test_what_did_not_answer_can_be_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.jsonl"

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nUser")

    replies: dict[str, list[bytes | Act]] = {
        "/robots.txt": [cut, http(503), http(200, RULES)],
        "/.well-known/tdmrep.json": [http(429), http(200, TDM)],
        "/ai.txt": [http(404)],
    }

    async def run() -> None:
        async with Server(lambda request: replies[request.path].pop(0)) as server:
            origin = server.url("h.test", "")
            for fetched in (3, 2, 1, 0):
                with Store(path, again=True) as store:
                    assert (await fetch_all(iter([origin]), list(KINDS), store, HOW)).fetched == fetched
            with Store(path) as store:
                assert len(store.urls) == 3

    asyncio.run(run())
    assert not any(replies.values())


def test_a_snapshot_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    async def run() -> None:
        async with Server(site) as server:
            store = Store(tmp_path / "a.jsonl")
            store._file.close()
            store._file = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115 - stands in for the store's own
            with pytest.raises(OSError, match="No space"):
                await fetch_all(iter([server.url("h.test", "")]), list(KINDS), store, HOW)

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    asyncio.run(run())


async def command(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    main = "from lauter.pipeline.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", main, "optout", "fetch", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate(stdin)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_killed_run_is_gone_on_with(suffix: str, tmp_path: Path) -> None:
    addresses = tuple(f"127.0.0.{i}" for i in range(1, 9))
    path = tmp_path / f"snapshot.{suffix}"

    async def slow(request: Request) -> bytes:
        await asyncio.sleep(0.05)
        return site(request)

    async def run() -> None:
        async with Server(slow, addresses) as server:
            hosts = "".join(server.url(address, "\n") for address in addresses).encode()
            arguments = ("-", "--out", str(path), "--allow-private", "--concurrency", "2", "--json")
            main = "from lauter.pipeline.cli import main; main()"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", main, "optout", "fetch", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            assert process.stdin is not None
            process.stdin.write(hosts)
            process.stdin.close()
            while len(server.requests) < 9:
                await asyncio.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            await process.communicate()
            # Whatever the moment of the kill was, the last row is cut.
            path.write_bytes(path.read_bytes()[:-7])
            server.requests.clear()
            code, out, err = await command(*arguments, stdin=hosts)
            assert code == 0, err
            assert "cut off" in err
            summary = json.loads(out)
            assert summary["fetched"] == len(server.requests) == 24 - summary["skipped"]
            assert 1 <= summary["skipped"] <= 8

    asyncio.run(run())
    counts: Counter[str] = Counter()
    answers = Counter((answer.origin, answer.kind) for answer in read_snapshot(str(path), counts))
    assert len(answers) == 24
    assert set(answers.values()) == {1}
    assert not counts["lost"]


def test_the_command_line(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.txt"
    out = tmp_path / "snapshot.jsonl"

    async def run() -> None:
        async with Server(site) as server:
            hosts.write_text(f"{server.url('127.0.0.1', '')}\nnot a host\n")
            code, text, err = await command(str(hosts), "--out", str(out), "--kinds", "robots.txt", "--retries", "0")
            assert code == 0
            assert server.connections == 0
            assert "refused-address" in text
            assert err.splitlines()[0].startswith(f"{hosts}:2: 'not a host' is no host")
            assert err.splitlines()[1].startswith("1 file not asked for") and "--allow-private" in err
            assert "1 origin, 1 answer fetched with 1 try, 0 were there" in text
            (row,) = [json.loads(line) for line in out.read_text().splitlines()]
            assert (row["status"], row["error"], row["body_b64"]) == (None, "refused-address", None)
            out.unlink()
            code, text, _ = await command(
                str(hosts),
                "--out",
                str(out),
                "--allow-private",
                "--contact",
                "https://a.example",
                "--user-agent",
                "Ours/1",
            )
            assert code == 0
            assert "3 answers fetched with 3 tries" in text
            assert "Ours/1 (+https://a.example)" in server.requests[0].head

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["/dev/null", "--out", "a.jsonl"], 2, "no host in /dev/null"),
        (["none.txt", "--out", "a.jsonl"], 2, "none.txt"),
        (["-", "--out", "a.parquet"], 2, "jsonl"),
        (["-", "--out", "a.jsonl", "--kinds", "humans.txt"], 2, "robots.txt, tdmrep.json, ai.txt"),
        (["-", "--out", "a.jsonl", "--user-agent", "Läuter"], 2, "ASCII"),
        (["-", "--out", "a.jsonl", "--contact", "us"], 2, "mail address"),
        (["-"], 2, "--out"),
        (["-", "--out", "none/a.jsonl"], 1, "No such file"),
        (["-", "--out", "notes.jsonl"], 1, "no fetch wrote it"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from lauter.pipeline.cli import app

    monkeypatch.chdir(tmp_path)
    Path("notes.jsonl").write_text("{}\n")
    result: Any = CliRunner().invoke(app, ["optout", "fetch", *arguments], input="a.invalid\n")
    assert result.exit_code == code
    assert said in result.output
