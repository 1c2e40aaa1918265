"""Steps `tally` and `totals`: the sums of the ledger as it is published, by part, and added up by ranges of names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lauter.pipeline import exchange, parquet
from lauter.pipeline.report.codes import code_tally
from lauter.pipeline.report.domains import size_order
from lauter.pipeline.report.hosts import Domains
from lauter.pipeline.report.register import pii_removed
from lauter.pipeline.report.tallies import COLUMNS, TallySink, domain_tallies, ledger_tallies, pii_tally, range_tallies
from lauter.pipeline.report.totals import counts_of, domains_of, range_total
from lauter.pipeline.steps.layouts import DOMAINS, TALLIES
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import listing


def tally(task: Task, storage: Storage) -> Result:
    """Count one ledger part, and with its scores what personal data was removed, and documents by code.

    `characters` names the sources that have kept ones in records with a domain.
    """
    args = task.args
    path, ledger = f"state/tally/{args['part']}.arrow", args["ledger"]["path"]
    domains, characters = Domains(), set[str]()
    with storage.staging(path) as staged:
        sink = TallySink(staged, args["ranges"])
        for batch in parquet.batches(storage, ledger, list(COLUMNS)):
            table = pa.Table.from_batches([batch])
            for found in ledger_tallies(table):
                sink.add(found)
            found = domain_tallies(table, domains)
            characters.update(found.filter(pc.greater(found.column("chars"), 0)).column("source").to_pylist())
            sink.add(found)
        removed = pii_removed(storage, args["scores"]["path"], ledger) if args["scores"] else None
        if removed is not None:
            sink.add(pii_tally(args["source"], removed))
        if args["scores"]:
            sink.add(code_tally(storage, args["scores"]["path"], args["source"]))
        sink.close()
        return Result((exchange.describe(staged, path, sink.rows),), {"characters": sorted(characters)})


def totals(task: Task, storage: Storage) -> Result:
    """Add up one range of names: the counts of the report, and the sums of domains by their size (`by`).

    `sizes` has the places of sizes (`size_order`) and the domains of each, `records` those that have a domain.
    """
    number, by = task.args["range"], task.args["by"]
    paths = [output.path for output in listing(storage, task.args["listing"])]
    total = range_total(range_tallies(storage, paths, number), task.args["crawled"])
    counts, domains = counts_of(total), domains_of(total)
    del total
    place = size_order(domains.column(by).to_numpy())
    sizes, how_many = np.unique(place, return_counts=True)
    one = np.zeros(counts.num_rows, np.int64)
    return Result(
        (
            exchange.write(storage, f"state/totals/{number:05d}.arrow", counts.cast(TALLIES), one),
            exchange.write(storage, f"state/domains/{number:05d}.arrow", domains.cast(DOMAINS), place),
        ),
        {
            "sizes": [sizes.tolist(), how_many.tolist()],
            "records": pc.sum(domains.column("records")).as_py() or 0,
        },
    )
