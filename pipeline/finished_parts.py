"""A finished corpus as its last tasks see it: parts, the ledger and the scores as corpus.json has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.listings import Listings
from lauter.pipeline.graph.node import Node
from lauter.pipeline.report.domains import crawled_sources
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.task import Result, finished
from lauter.pipeline.worker import execute


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """One part of it."""

    name: str
    source: str


class FinishedParts:
    """`proof.graph.LedgerParts` and `report.graph.CountedParts` of a finished corpus.

    Its tasks are the very ones that a build would run, so that the next build finds them done, and that only what
    changed since the last one is done again. Raises `KeyError`, `TypeError` where corpus.json lacks what is needed, and
    `StorageError` where it does not list a ledger part for every input.
    """

    def __init__(self, storage: Storage, corpus: Mapping[str, Any]) -> None:
        self.storage = storage
        self.parts = [FinishedPart(entry["part"], entry["source"]) for entry in corpus["inputs"]]
        self.crawled: Sequence[str] = crawled_sources(
            {name: source["about"] for name, source in corpus["sources"].items()}
        )
        self.listing = Listings(storage).publish
        files = corpus["files"]
        scores = {item["path"]: Output.from_json(item) for item in files["scores"]}
        if len(files["ledger"]) != len(self.parts):
            raise StorageError(
                f"{storage.root}/corpus.json lists {len(files['ledger'])} ledger parts for {len(self.parts)} inputs; "
                "`lauter audit` says more"
            )
        self.results: dict[str, Result] = {}
        """Of the tasks that made the ledger and the scores, and of those that were run."""
        for part, ledger in zip(self.parts, files["ledger"], strict=True):
            own = scores.get(f"scores/{part.name}.parquet")
            self.results[f"ledger/{part.name}"] = Result((Output.from_json(ledger),))
            self.results[f"documents/{part.name}"] = Result((own,) if own else ())

    def run(self, nodes: Sequence[Node]) -> None:
        """Run a graph in this process, but for what is done."""
        links = Links(nodes, self.results)
        ready = list(links.ready)
        for node in ready:
            task = node.build(self.results)
            self.results[node.name] = finished(self.storage, task) or execute(task)
            ready.extend(links.done(node.name))
