"""The graph of the steps that count the ledger as it is published, and what they leave for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from lauter.pipeline import exchange
from lauter.pipeline.graph.annotating import scored
from lauter.pipeline.graph.node import Node, Results, behind
from lauter.pipeline.report.codes import codes_of
from lauter.pipeline.report.domains import SizedDomains
from lauter.pipeline.report.summary import summary_of
from lauter.pipeline.report.totals import ranges_for
from lauter.pipeline.steps.layouts import TALLIES
from lauter.pipeline.storage import Output, Storage
from lauter.pipeline.task import Result, Task

COUNTING = ("tally", "totals")
"""Its steps."""


class Sourced(Protocol):
    """A part, as far as its counts need to know it."""

    @property
    def name(self) -> str:
        """Its name, as in `ledger/NAME`."""
        ...

    @property
    def source(self) -> str:
        """The source that its file is of."""
        ...


class CountedParts(Protocol):
    """What has a ledger: a plan, or a finished corpus."""

    @property
    def storage(self) -> Storage:
        """The run folder."""
        ...

    @property
    def parts(self) -> Sequence[Sourced]:
        """The parts of its ledger, in order."""
        ...

    @property
    def crawled(self) -> Sequence[str]:
        """The sources whose domains are listed, in order of name."""
        ...

    def listing(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """Publish a list of outputs for tasks that read one slice of each."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of a corpus."""

    summary: dict[str, Any]
    """`summary_of` its ledger."""
    pii: dict[str, dict[str, int]]
    """Source -> type of personal data -> how often it was removed from its kept documents, where scores count it."""
    codes: dict[str, dict[int, int]]
    """Column of the scores -> code -> documents (`schema.CODES`)."""
    domains: SizedDomains


def counting(of: CountedParts, results: Results) -> list[Node]:
    """One `tally` task a ledger part, one `totals` task a range of names."""
    ledger = [results[f"ledger/{part.name}"].lying("ledger") for part in of.parts]
    ranges = ranges_for(sum(output.rows for output in ledger))
    tallies = [_tally(of, part, output, results, ranges) for part, output in zip(of.parts, ledger, strict=True)]
    return [*tallies, *_totals(of, ranges)]


def counted(of: CountedParts, results: Results) -> Counted:
    """The numbers, from the results of the `totals` tasks: some thousands of rows each, and the sizes of domains."""
    done: list[Result] = []
    while (name := f"totals/{len(done):05d}") in results:
        done.append(results[name])
    tables = [
        pa.Table.from_batches([batch])
        for result in done
        for batch in exchange.read(of.storage, result.output("state/totals").path, 0, TALLIES)
    ]
    rows = pa.concat_tables([TALLIES.empty_table(), *tables]).to_pylist()
    pii: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["of"] == "pii":
            removed = pii.setdefault(row["source"], {})
            if row["name"] is not None:
                removed[row["name"]] = removed.get(row["name"], 0) + row["records"]
    sizes: dict[int, int] = {}
    for result in done:
        for place, domains in zip(*result.info["sizes"], strict=True):
            sizes[place] = sizes.get(place, 0) + domains
    return Counted(
        summary_of(rows),
        pii,
        codes_of(rows),
        SizedDomains(
            [result.output("state/domains").path for result in done],
            sizes,
            sum(result.info["records"] for result in done),
            _size_by(of, results),
        ),
    )


def _size_by(of: CountedParts, results: Results) -> str:
    crawled = set(of.crawled)
    found = any(not crawled.isdisjoint(results[f"tally/{part.name}"].info["characters"]) for part in of.parts)
    return "characters" if found else "tokens"


def _tally(of: CountedParts, part: Sourced, ledger: Output, results: Results, ranges: int) -> Node:
    outputs = scored(results, part.name).published()
    scores = next((output for output in outputs if output.path.startswith("scores/")), None)
    args = {
        "part": part.name,
        "source": part.source,
        "ledger": ledger.to_json(),
        "scores": scores and scores.to_json(),
        "ranges": ranges,
    }
    return Node(f"tally/{part.name}", (), lambda _: _task(of, f"tally/{part.name}", "tally", args))


def _totals(of: CountedParts, ranges: int) -> list[Node]:
    names = [f"tally/{part.name}" for part in of.parts]
    after, shared = behind(names), dict[str, Any]()

    def build(results: Results, number: int) -> Task:
        # Once for all ranges: it looks at every part.
        if not shared:
            shared["crawled"], shared["by"] = list(of.crawled), _size_by(of, results)
        listing = of.listing("state-tally", lambda: [results[name].output("state/tally") for name in names])
        return _task(of, f"totals/{number:05d}", "totals", {**shared, "listing": listing, "range": number})

    return [Node(f"totals/{number:05d}", after, partial(build, number=number)) for number in range(ranges)]


def _task(of: CountedParts, name: str, function: str, args: dict[str, Any]) -> Task:
    return Task(name, f"lauter.pipeline.steps.tally:{function}", of.storage.root, args, of.storage.token)
