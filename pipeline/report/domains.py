"""How much of a corpus comes from each registered domain: the largest ones, listed from what each range has of them.

The sums of a range of names lie by size, so that the list is written from the largest on, a few sizes at a time. In
memory are some more than `LISTED` domains, or those of one size where that has more, and a count for every size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from lauter.pipeline import exchange
from lauter.pipeline.steps.layouts import DOMAINS
from lauter.pipeline.storage import Output, Storage, digest_file

LISTED = 1_000_000
"""Domains that are put in order at a time: about 100 MB as Arrow."""

CSV = "report/domains.csv"

SHARE, SHARE_SME, MOST_SME = 10, 20, 1000
"""One domain in ten is listed; of an SME one in twenty, and at most 1,000 (template, section 2.3)."""

SHOWN = 100
"""Domains that the summary itself shows; the whole list is in `report/domains.csv`."""

STEPS = 8
"""Sizes between one power of two and the next."""

SIZES = 65 * STEPS
"""Sizes that are told apart, from none to 2^63."""


@dataclass(frozen=True, slots=True)
class SizedDomains:
    """The sums of a corpus's domains as they lie, every domain once."""

    paths: Sequence[str]
    """Exchange files of the layout `DOMAINS`, by `size_order`."""
    sizes: Mapping[int, int]
    """Domains of each size, by its place in that order."""
    records: int
    """Records that have a domain."""
    by: str
    """What size is measured in: `characters`, or `tokens` where no stage counts characters."""


def size_order(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each size (0 or more) among `SIZES`, largest first: its power of two, and the eighth in that.

    >>> size_order(np.array([2**63 - 1, 17, 16, 1, 0])).tolist()
    [7, 479, 479, 511, 519]
    """
    mantissa, exponent = np.frexp(sizes.astype(np.float64))
    place = exponent.astype(np.int64) * STEPS + ((mantissa - 0.5) * 2 * STEPS).astype(np.int64)
    ordered: NDArray[np.int64] = SIZES - 1 - np.where(sizes > 0, place, 0)
    return ordered


def listed(domains: int, *, sme: bool) -> int:
    """How many domains the template asks for, rounded up.

    >>> listed(11, sme=False), listed(11, sme=True), listed(100_000, sme=True)
    (2, 1, 1000)
    """
    return min(-(-domains // SHARE_SME), MOST_SME) if sme else -(-domains // SHARE)


def crawled_sources(about: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sources whose domains are listed: those declared as crawled, and those of which nobody says what they are.

    `about` has what is declared of each source; in order of name.
    """
    return sorted(name for name, declared in about.items() if declared.get("category", "crawled") == "crawled")


def write_domains(
    storage: Storage, found: SizedDomains, *, sme: bool, at_once: int = LISTED
) -> tuple[Output, dict[str, Any]]:
    """Write `report/domains.csv`: a header, then one domain a line, largest first, equal ones by name.

    Also what there is to say of the list, as plain data, with the first domains only.
    """
    domains = sum(found.sizes.values())
    rows, shown = 0, DOMAINS.empty_table()
    with storage.staging(CSV) as staged:
        with csv.CSVWriter(staged, DOMAINS, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
            for table in _largest(storage, found, listed(domains, sme=sme), at_once):
                writer.write_table(table)
                rows += table.num_rows
                shown = pa.concat_tables([shown, table.slice(0, SHOWN - shown.num_rows)])
        output = Output(CSV, staged.stat().st_size, digest_file(staged), rows)
    info = {
        "domains": domains,
        "records": found.records,
        "listed": rows,
        "size": found.by,
        "first": shown.to_pylist(),
    }
    return output, info


def _largest(storage: Storage, found: SizedDomains, wanted: int, at_once: int) -> Iterator[pa.Table]:
    for start, end in _bands(Counter(found.sizes), wanted, at_once):
        table, _ = exchange.read_parts(storage, found.paths, start, DOMAINS, end)
        table = table.sort_by([(found.by, "descending"), ("domain", "ascending")]).slice(0, wanted)
        wanted -= table.num_rows
        yield table.combine_chunks()


def _bands(sizes: Counter[int], wanted: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Ranges [start, end) of places that together hold as many domains as are wanted, each some `at_once` of them."""
    start = held = taken = 0
    for place in range(SIZES):
        held += sizes[place]
        taken += sizes[place]
        if held and (held >= at_once or taken >= wanted):
            yield start, place + 1
            start, held = place + 1, 0
        if taken >= wanted:
            return
