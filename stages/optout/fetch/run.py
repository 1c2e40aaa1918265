"""Asks many origins at a time for their files and writes every answer down."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lauter.stages.optout.fetch.exchange import Client, Settings
from lauter.stages.optout.fetch.follow import Hosts, Result, fetch_file
from lauter.stages.optout.fetch.store import Store
from lauter.stages.optout.snapshot.answer import WELL_KNOWN

KINDS: Mapping[str, str] = {kind: path for path, kind in WELL_KNOWN.items()}
"""Where an origin keeps each kind of file."""

# Names are looked up in threads, because the system's resolver waits.
_LOOKUP_THREADS = 64


@dataclass
class Summary:
    """What a run did."""

    origins: int = 0
    """Asked or skipped."""
    fetched: int = 0
    """Rows written."""
    skipped: int = 0
    """Files that the snapshot has already."""
    tries: int = 0
    """Requests, over all redirects and repeats."""
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    """For each kind, rows by status class (`2xx`) or, where there was no answer, by error (a key of ERRORS)."""
    truncated: int = 0
    broken: int = 0

    def to_json(self) -> dict[str, object]:
        """Plain values, with names in order."""
        answers = {kind: dict(sorted(counts.items())) for kind, counts in self.answers.items()}
        return {**vars(self), "answers": answers}


async def fetch_all(origins: Iterator[str], kinds: Sequence[str], store: Store, settings: Settings) -> Summary:
    """Ask every origin for the files of `kinds` (keys of KINDS) that the store has no row of, and store the answers.

    At most `settings.concurrency` origins are under way. Whatever a server does becomes a row. Raises OSError if a row
    cannot be written, or if this machine can open no more files.
    """
    summary = Summary(answers={kind: Counter() for kind in kinds})
    hosts = Hosts()
    threads = ThreadPoolExecutor(min(settings.concurrency, _LOOKUP_THREADS), "lookup")
    asyncio.get_running_loop().set_default_executor(threads)

    async def work(client: Client) -> None:
        for origin in origins:
            summary.origins += 1
            for kind in kinds:
                url = origin + KINDS[kind]
                if url in store.urls:
                    summary.skipped += 1
                    continue
                result = await fetch_file(url, client, hosts, settings)
                store.append(to_row(result, robots=kind == "robots.txt", user_agent=settings.user_agent))
                _count(summary, kind, result)

    async with Client(settings) as client:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(work(client))
        except* OSError as errors:
            raise _first(errors) from None
    return summary


def to_row(result: Result, *, robots: bool, user_agent: str) -> dict[str, object]:
    """The row of a snapshot (`snapshot.read_snapshot`) that holds an answer.

    `url` is what was asked for; a robots.txt has it as `robots_url` too. `status` is that of the last answer, null
    where there was none; then `error` is a key of `exchange.ERRORS` and `detail` says more. `chain` lists the
    redirects on the way, `final_url` is where the last answer came from. Only 2xx have a body. `truncated`: it was
    longer than `body.LIMIT_BYTES`. `broken`: it could not be decoded.
    """
    answer, failure = result.answer, result.failure
    row: dict[str, object] = {"url": result.url}
    if robots:
        row["robots_url"] = result.url
    return row | {
        "status": answer.status if answer else None,
        "fetched_at": result.fetched_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "error": failure.code if failure else None,
        "detail": failure.detail if failure else None,
        "final_url": result.final_url,
        "chain": [hop._asdict() for hop in result.chain],
        "location": answer.location if answer else None,
        "content_type": answer.content_type if answer else None,
        "truncated": answer is not None and answer.truncated,
        "broken": answer is not None and answer.broken,
        "tries": result.tries,
        "user_agent": user_agent,
        "body_b64": base64.b64encode(answer.body).decode() if answer and answer.body is not None else None,
    }


def _count(summary: Summary, kind: str, result: Result) -> None:
    summary.fetched += 1
    summary.tries += result.tries
    if result.failure is not None:
        summary.answers[kind][result.failure.code] += 1
    elif result.answer is not None:
        summary.answers[kind][f"{result.answer.status // 100}xx"] += 1
        summary.truncated += result.answer.truncated
        summary.broken += result.answer.broken


def _first(errors: BaseExceptionGroup[OSError]) -> OSError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
