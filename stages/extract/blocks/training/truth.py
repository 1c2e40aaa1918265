"""Pages whose main text is known, from a folder of public test data.

The folder holds `warc/<set>.warc.gz`, `ground_truth.jsonl.gz` (one line a page: `id`, `record_id`, `gt` with `text` or
`expected_html`, perhaps `page_type`) and `index.jsonl` (`id`, `key` for the registered domain, `lang`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import xxhash
from fastwarc.warc import ArchiveIterator, WarcRecordType

from lauter.stages.extract.encoding import decode

LICENCES = {
    "aeb": "MIT",
    "fundus": "MIT",
    "llm-webkit": "Apache-2.0",
    "newspaper4k": "MIT",
    "newsweb424": "Apache-2.0",
    "readability": "Apache-2.0",
    "wcxb-dev": "CC-BY-4.0",
    "webmainbench": "Apache-2.0",
}
"""The sets that the rule may be trained on, by the licence of their truth."""
FOLDS = 5
HELD_OUT = 0
"""Pages of the domains in this fold are never trained on: what is reported of the shipped rule is measured on them."""


class Page(NamedTuple):
    """A page with its main text."""

    id: str
    dataset: str
    domain: str
    language: str
    kind: str | None
    """What WCXB says that it is: article, forum, product, collection, listing, documentation, service."""
    html: bytes
    truth: str

    @property
    def fold(self) -> int:
        """0 to FOLDS - 1, the same for all pages of a domain."""
        return fold(self.domain, FOLDS)


def fold(domain: str, folds: int, *, seed: int = 0) -> int:
    """A number below `folds` that depends on the domain alone."""
    return xxhash.xxh32_intdigest(domain, seed=seed) % folds


def read_pages(data: Path, sets: Sequence[str]) -> Iterator[Page]:
    """The pages with a text, in the order of the files. Raises `OSError` where a file is missing."""
    with gzip.open(data / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        known = {row["record_id"]: row for row in map(json.loads, lines)}
    with (data / "index.jsonl").open(encoding="utf-8") as lines:
        index = {row["id"]: row for row in map(json.loads, lines)}
    for dataset in sets:
        with (data / "warc" / f"{dataset}.warc.gz").open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                row = known.get(record.record_id)
                decoded = decode(record.reader.read(), charset=None, markup=True)
                if row is None or decoded is None or not (truth := _text(row["gt"])):
                    continue
                about = index[row["id"]]
                yield Page(
                    row["id"],
                    dataset,
                    about["key"] or row["id"],
                    about["lang"],
                    row["gt"].get("page_type"),
                    decoded.utf8,
                    truth,
                )


def _text(truth: dict[str, str]) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    if truth.get("expected_html"):
        text: str = extract_plain_text(truth["expected_html"], main_content=False)
        return text
    return truth.get("text") or ""
