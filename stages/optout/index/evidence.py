"""What stands behind a denial, read from the mapped index for a batch of rules at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.optout.index import mapped as m
from lauter.stages.optout.index.ask import copy_ranges, owners
from lauter.stages.optout.index.layout import INDEX
from lauter.stages.optout.index.mapped import Mapped
from lauter.stages.optout.index.terms import SIGNAL_NAMES
from lauter.stages.optout.snapshot.answer import KINDS


class Evidence(NamedTuple):
    """Columns of n denials, null where there is none."""

    agent: pa.StringArray
    """The first whom the rule speaks to."""
    agents: pa.ListArray
    """list<string>: all of the policy's agents that obey it."""
    signal: pa.StringArray
    line: pa.Int32Array
    """1-based; 0 where the file has no lines."""
    text: pa.StringArray
    file: pa.StringArray
    """Kind of the file that holds the rule, one of `answer.KINDS`."""
    url: pa.StringArray
    """Where the file lies if it is an RSL document."""
    sha256: pa.FixedSizeBinaryArray
    """Of that file."""
    fetched_at: pa.TimestampArray


def signals_of(index: Mapped, rules: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The kind of signal of each rule (counted over the file, none negative), counting in `terms.SIGNAL_NAMES`."""
    batch, rule = index.batch_of(index.rules, rules)
    owner = np.empty(len(rule), np.int64)
    owners(batch, rule, index.sets, index.at, index.int64, owner)
    return index.bytes[index.places(m.SIGNAL, batch, owner)]


def evidence_of(index: Mapped, rules: NDArray[np.int64], rows: NDArray[np.int64]) -> Evidence:
    """Evidence of rules (counted over the file, negative for none), each denied under the row of the same place."""
    valid = rules >= 0
    batch, rule = index.batch_of(index.rules, rules[valid])
    owner = np.empty(len(rule), np.int64)
    owners(batch, rule, index.sets, index.at, index.int64, owner)
    line = np.zeros(len(rules), np.int32)
    line[valid] = index.int32[index.places(m.LINE, batch, rule)]
    signal = index.bytes[index.places(m.SIGNAL, batch, owner)]
    number = index.bytes[index.places(m.SET_FILE, batch, owner)].astype(np.int64)
    kind, url, sha256, fetched_at = _files(index, rows[valid], number)
    return Evidence(
        agent=_spread(_strings(index, m.AGENT, m.AGENT_DATA, batch, owner), valid),
        agents=_spread(_agents(index, batch, owner), valid),
        signal=_spread(pa.array(SIGNAL_NAMES).take(pa.array(signal)), valid),
        line=pa.array(line, mask=~valid),
        text=_spread(_strings(index, m.TEXT, m.TEXT_DATA, batch, rule), valid),
        file=_spread(pa.array(KINDS).take(kind), valid),
        url=_spread(url, valid),
        sha256=_spread(sha256, valid),
        fetched_at=_spread(fetched_at, valid),
    )


def fixed(values: NDArray[np.uint8], valid: NDArray[np.bool_]) -> pa.FixedSizeBinaryArray:
    """An array of fixed-size binary from shape (n, size), null where not valid."""
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.binary(values.shape[1]), len(values), [bitmap, data])


def _spread(some: pa.Array, valid: NDArray[np.bool_]) -> pa.Array:
    """The values at the valid places, null at the others."""
    place = np.cumsum(valid) - 1
    return some.take(pa.array(place, mask=~valid))


def _strings(
    index: Mapped, column: int, data: int, batch: NDArray[np.int64], place: NDArray[np.int64]
) -> pa.StringArray:
    where = index.places(column, batch, place)
    view: NDArray[np.int32] | NDArray[np.int64] = index.int32 if column == m.AGENT else index.int64
    starts, sizes = view[where].astype(np.int64), (view[where + 1] - view[where]).astype(np.int64)
    out = np.empty(int(sizes.sum()), np.uint8)
    copy_ranges(index.bytes, index.at[batch, data] + starts, sizes, out)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(place), [None, pa.py_buffer(ends), pa.py_buffer(out)])


def _agents(index: Mapped, batch: NDArray[np.int64], owner: NDArray[np.int64]) -> pa.ListArray:
    """The names of the bits of each set; every set has as many bytes of them."""
    size = (len(index.agents) + 7) // 8
    starts = index.at[batch, m.OBEYING_DATA] + index.int32[index.places(m.OBEYING, batch, owner)]
    bits = np.unpackbits(index.bytes[starts[:, None] + np.arange(size)], axis=1, bitorder="little")
    ends = np.concatenate([[0], np.cumsum(bits.sum(axis=1))]).astype(np.int32)
    names = pa.array(index.agents, pa.string()).take(pa.array(np.nonzero(bits)[1]))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names)


def _files(
    index: Mapped, rows: NDArray[np.int64], number: NDArray[np.int64]
) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """(kind, url, sha256, fetched_at) of file `number` of each row. Nearly all are robots.txt; others one by one."""
    kinds = np.zeros(len(rows), np.int8)
    urls: list[str | None] = [None] * len(rows)
    digest = np.zeros((len(rows), 32), np.uint8)
    seconds = np.zeros(len(rows), np.int64)
    batch, place = index.batch_of(index.rows, rows) if len(rows) else (rows, rows)
    dated, digested = (
        index.valid(column, batch, place) & (number == 0) for column in (m.FETCHED_VALID, m.SHA256_VALID)
    )
    seconds[dated] = index.int64[index.places(m.FETCHED, batch, place)[dated]]
    digest[digested] = index.bytes[(index.at[batch, m.SHA256] + 32 * place)[digested, None] + np.arange(32)]
    for i in np.flatnonzero(number > 0).tolist():
        file = index.reader.get_batch(int(batch[i])).column("files")[int(place[i])][int(number[i]) - 1]
        kinds[i], urls[i] = file["kind"].as_py(), file["url"].as_py()
        if file["sha256"].is_valid:
            digest[i], digested[i] = np.frombuffer(file["sha256"].as_py(), np.uint8), True
        if file["fetched_at"].is_valid:
            seconds[i], dated[i] = file["fetched_at"].value, True
    stamps = pa.array(seconds, mask=~dated).cast(INDEX.field("fetched_at").type)
    return pa.array(kinds), pa.array(urls, pa.string()), fixed(digest, digested), stamps
