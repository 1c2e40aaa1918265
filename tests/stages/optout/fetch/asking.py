"""How these tests ask: every name is a loopback address, and waiting is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lauter.stages.optout.fetch.exchange import Client, Settings
from lauter.stages.optout.fetch.follow import Hosts, Result, fetch_file
from lauter.stages.optout.fetch.run import to_row
from lauter.stages.optout.fetch.store import Store
from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


HOW = Settings(
    user_agent="Lauter/test (+https://lauter.example/fetch)",
    timeout_s=5.0,
    concurrency=8,
    retries=0,
    backoff_s=0.01,
    permitted=lambda address: address.startswith("127."),
    lookup=here,
)


async def ask(url: str, how: Settings = HOW) -> Result:
    async with Client(how) as client:
        return await fetch_file(url, client, Hosts(), how)


def stored(result: Result, folder: Path) -> Fetched:
    """What the reader of snapshots makes of a result."""
    path = folder / "one.jsonl"
    path.unlink(missing_ok=True)
    with Store(path) as store:
        store.append(to_row(result, robots=True, user_agent="Lauter/test"))
    (answer,) = read_snapshot(str(path), Counter())
    return answer
