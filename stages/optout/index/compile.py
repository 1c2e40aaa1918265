"""Compiles robots snapshots to the index that workers map: one row per origin, rules of the policy's agents only."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline.origin import locate, origin_id
from lauter.stages.optout.index.origins import INDEX, LOST, OUTCOMES, find_rows, rules_array
from lauter.stages.optout.robots.rules import Reading, RuleSet, parse, rule_sets
from lauter.stages.optout.snapshot.answer import Fetched, Reference
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.snapshot.revisit import REFERENCE, resolve_revisits

INDEX_FILE = "robots.arrow"
ORIGINS_FILE = "origins.parquet"

HOPS = 5
"""Redirects that are followed, within the snapshot: as many as RFC 9309 section 2.3.1.2 asks for."""

# RFC 9110 sections 15.5.2 and 15.5.4: there may be a file, for others to see.
_FORBIDDEN = (401, 403)
# RFC 9110 section 15.5.9, RFC 8470, RFC 6585: request timeout, too early, too many requests.
_AGAIN = (408, 425, 429)

_BLOCK_ROWS = 5_000
# Equal files are parsed once (1,317 of 4,585 real ones repeat another). Bounds memory, does not change results.
_MEMO_FILES = 2_000


class Compiled(NamedTuple):
    """What one answer amounts to, before redirects are followed."""

    outcome: str
    """One of OUTCOMES, or `redirect` or `revisit`."""
    truncated: bool = False
    sets: tuple[RuleSet, ...] = ()


def compile_snapshots(
    paths: Sequence[str], out: str, agents: Sequence[str], reading: Reading = "rfc9309", as_of: int | None = None
) -> Mapping[str, int]:
    """Write `robots.arrow` (schema `index.INDEX`) and `origins.parquet` into the folder `out`; return counts.

    Of several answers of one origin the newest counts, among equally old ones the one with the largest digest (then
    status); answers after `as_of` (seconds since 1970) do not count at all. An answer without a date is older than all
    others. The bytes of both files depend on the answers alone, not on their order or files. Memory at the end is three
    times the index: 11.6 KB an origin on files of the 1,000 most visited sites (3.3 KB on average).

    Counts: those of `read_snapshot`; `after_as_of`, `superseded`; `revisits`, and of these `unresolved` (what they
    repeat is not in the snapshot); `origins`, and of these `rules`, `allow`, `unreachable`, `unparsable`, `forbidden`,
    `truncated` (longer than what was read, so a denial may be missed), `redirected`.
    """
    counts: Counter[str] = Counter(
        dict.fromkeys(
            (
                "records",
                "broken",
                "lost",
                "no_origin",
                "not_robots",
                "undated",
                "after_as_of",
                "revisits",
                "unresolved",
            ),
            0,
        )
    )
    answers = (answer for path in paths for answer in read_snapshot(path, counts))
    table = pa.concat_tables(_blocks(answers, agents, reading, as_of, counts))
    table = resolve_revisits(table, counts)
    newest = _newest(table)
    counts["superseded"] = table.num_rows - len(newest)
    # The rules, nearly all of the bytes, are brought into order once.
    sets = table.column("sets")
    origins, source = _follow_redirects(table.drop_columns(["sets", "record_id", "refers_to"]).take(pa.array(newest)))
    del table
    origins = origins.append_column(INDEX.field("sets"), sets.combine_chunks().take(pa.array(newest[source])))
    del sets
    outcome = origins.column("outcome").to_pylist()
    counts["origins"] = len(outcome)
    counts.update({name: outcome.count(name) for name in OUTCOMES})
    counts["truncated"] = pc.sum(origins.column("truncated")).as_py() or 0
    counts["redirected"] = len(outcome) - origins.column("redirected_to").null_count
    _write(origins, Path(out), counts["lost"])
    return dict(counts)


def compile_answer(answer: Fetched, agents: Sequence[str], reading: Reading = "rfc9309") -> Compiled:
    """Class one answer by its status (RFC 9309 section 2.3.1) and read its rules.

    2xx (or a body without a status): its rules. 3xx: `redirect`. 401 and 403: `forbidden`. 408, 425 and 429 ask for
    another try and say nothing of the file: `unreachable`. Other 4xx: the file does not exist, `allow`. All else:
    `unreachable`. An answer that repeats another: `revisit`. Bytes that the snapshot has lost, and a body in which
    nothing is a robots record (most are HTML pages of an error or a challenge), are `unparsable`: that the owner said
    nothing cannot be known. An empty file is `allow`.
    """
    status = answer.status
    if answer.broken:
        return Compiled("unparsable")
    if answer.refers_to is not None:
        return Compiled("revisit")
    if answer.body is None and (status is None or 200 <= status < 300):
        return Compiled("unreachable")
    if status is None or 200 <= status < 300:
        robots = parse(answer.body or b"")
        truncated = robots.truncated or answer.truncated
        if not robots.parsable:
            return Compiled("unparsable", truncated)
        sets = rule_sets(robots, agents, reading)
        return Compiled("rules" if sets else "allow", truncated, sets)
    if 300 <= status < 400:
        return Compiled("redirect")
    if status in _FORBIDDEN:
        return Compiled("forbidden")
    return Compiled("allow" if 400 <= status < 500 and status not in _AGAIN else "unreachable")


def _blocks(
    answers: Iterable[Fetched], agents: Sequence[str], reading: Reading, as_of: int | None, counts: Counter[str]
) -> Iterator[pa.Table]:
    """Answers as tables of some thousand rows, so that only compact columns are held in memory."""
    memo: dict[tuple[bytes, Fetched], Compiled] = {}
    rows: list[tuple[Fetched, bytes, Compiled]] = []
    for answer in answers:
        if as_of is not None and answer.fetched_at is not None and answer.fetched_at > as_of:
            counts["after_as_of"] += 1
            continue
        digest = hashlib.sha256(answer.body or b"").digest()
        # Without its bytes, its origin and its time, an answer is what its class depends on besides the digest.
        head = answer._replace(origin="", fetched_at=None, location=None, record_id=None)
        head = head._replace(body=None if answer.body is None else b"")
        if head.refers_to is not None:
            head = head._replace(refers_to=Reference(None, None, None))
        key = (digest, head)
        compiled = memo.get(key)
        if compiled is None:
            if len(memo) >= _MEMO_FILES:
                memo.clear()
            compiled = memo[key] = compile_answer(answer, agents, reading)
        rows.append((answer._replace(body=None if answer.body is None else b""), digest, compiled))
        if len(rows) == _BLOCK_ROWS:
            yield _table(rows)
            rows = []
    yield _table(rows)


def _table(rows: list[tuple[Fetched, bytes, Compiled]]) -> pa.Table:
    return pa.table(
        {
            "origin_id": pa.array([origin_id(a.origin) for a, _, _ in rows], pa.uint64()),
            "origin": pa.array([a.origin for a, _, _ in rows], pa.large_string()),
            "status": pa.array([a.status for a, _, _ in rows], pa.int32()),
            "fetched_at": pa.array([a.fetched_at for a, _, _ in rows], pa.int64()).cast(pa.timestamp("s", tz="UTC")),
            "sha256": pa.array([None if a.body is None else d for a, d, _ in rows], pa.binary(32)),
            "outcome": pa.array([c.outcome for _, _, c in rows], pa.string()),
            "truncated": pa.array([c.truncated for _, _, c in rows], pa.bool_()),
            "redirected_to": pa.array([a.location for a, _, _ in rows], pa.string()),
            "sets": rules_array([c.sets for _, _, c in rows]),
            "record_id": pa.array([a.record_id for a, _, _ in rows], pa.string()),
            "refers_to": pa.array([a.refers_to and a.refers_to._asdict() for a, _, _ in rows], REFERENCE),
        }
    )


def _newest(table: pa.Table) -> NDArray[np.int64]:
    """The row of each origin that counts, in the order of (origin_id, origin)."""
    keys = pa.table(
        {
            "origin_id": table.column("origin_id"),
            "origin": table.column("origin"),
            "fetched_at": pc.fill_null(table.column("fetched_at").cast(pa.int64()), -(2**62)),
            "sha256": pc.fill_null(table.column("sha256").cast(pa.binary()), b""),
            "status": pc.fill_null(table.column("status"), -1),
            "outcome": table.column("outcome"),
            "redirected_to": pc.fill_null(table.column("redirected_to"), ""),
        }
    )
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]).to_numpy()
    origin = table.column("origin").combine_chunks().take(pa.array(order))
    if len(origin) > 1:
        last = np.append(pc.not_equal(origin[:-1], origin[1:]).to_numpy(zero_copy_only=False), True)
        order = order[last]
    rows: NDArray[np.int64] = order.astype(np.int64)
    return rows


def _follow_redirects(table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """Give a redirecting origin the answer it leads to, `unreachable` where that is not in the snapshot.

    Only another origin's /robots.txt can be in it. Returns the columns of INDEX but the last, and for each row the row
    whose answer it has.
    """
    outcome = table.column("outcome").to_numpy()
    moved = np.flatnonzero(outcome == "redirect")
    source = np.arange(table.num_rows, dtype=np.int64)
    lost = np.zeros(table.num_rows, bool)
    origin = table.column("origin")
    location = table.column("redirected_to")
    ids = table.column("origin_id").to_numpy()
    via: dict[int, str] = {}
    for start in moved.tolist():
        row = start
        for _ in range(HOPS):
            target = _redirect_origin(origin[row].as_py(), location[row].as_py())
            found = int(find_rows(ids, origin, [target])[0]) if target else -1
            row = found if found >= 0 else start
            if found < 0 or outcome[found] != "redirect":
                break
        lost[start] = outcome[row] == "redirect"
        if not lost[start]:
            source[start] = row
            via[start] = origin[row].as_py()
    answer = table.select(["status", "sha256", "outcome", "truncated"]).take(pa.array(source))
    final = np.where(lost, "unreachable", answer.column("outcome").to_numpy())
    codes = np.array([OUTCOMES.index(name) for name in final], np.int8)
    columns = {name: table.column(name) for name in ("origin_id", "origin", "fetched_at")}
    columns |= {name: answer.column(name) for name in answer.column_names}
    columns["outcome"] = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(OUTCOMES))
    columns["redirected_to"] = pa.array([via.get(i) for i in range(table.num_rows)], pa.string())
    schema = INDEX.remove(INDEX.get_field_index("sets"))
    return pa.table([columns[name] for name in schema.names], schema=schema), source


def _redirect_origin(origin: str, location: str | None) -> str | None:
    """The origin whose /robots.txt a Location header names; None for anything else."""
    if not location:
        return None
    if location.startswith("//"):
        location = origin.partition("//")[0] + location
    place = locate(location)
    return place.origin if place and place.target.partition("?")[0] == "/robots.txt" else None


def _write(table: pa.Table, out: Path, lost: int) -> None:
    schema = INDEX.with_metadata({LOST: str(lost).encode()})
    batch = pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=schema)
    with pa.OSFile(str(out / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
    pq.write_table(table.drop_columns(["sets"]), out / ORIGINS_FILE, compression="zstd")
