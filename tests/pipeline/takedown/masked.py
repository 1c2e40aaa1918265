"""A small corpus that pages are taken out of, and how a folder is compared with one that never had them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import Outcome, take_down
from lauter.pipeline.takedown.demands import Demand, demand
from tests.pipeline.small_run import build, digests, ledger
from tests.pipeline.small_stages import CATALOGUE

SECRET = "the quiet heron of wetherby counted nineteen copper kettles at dawn"
"""Of the page that was kept; every other one has a sentence of its own."""
LOST = "a lantern maker from oxmoor sold eleven blue umbrellas before the storm"
SHORT = "zyzzyvaquartz"

FILES = {
    "a1.txt": "\n".join(
        [
            *(f"n{i}\tordinary words that stand on page number {i} of the first file" for i in range(20)),
            f"kept\t{SECRET} copy the first",
            f"dup\t{LOST} and more",
            f"short\t{SHORT}",
            f"bad\tforbidden {SHORT} words",
        ]
    ),
    "a2.txt": "\n".join(
        [
            *(f"m{i}\tfurther words that stand on page number {i} of the second file" for i in range(20)),
            f"near\t{SECRET} copy the second",
        ]
    ),
    "b.txt": f"other\t{LOST} and more\nalone\tnothing like it is anywhere else\nbroken",
}
# doc_ids decide which of two equal pages stays; the source comes first, so it is always the one in a1.
STAGES: list[object] = ["words", {"length": {"min_words": 2}}, "same-text"]


def decode(ids: list[int]) -> str:
    """The text of byte ids."""
    return bytes(item for item in ids if item < 256).decode("utf-8", "replace")


def url(name: str) -> Demand:
    """The demand for a page of the files."""
    return demand("url", f"https://{name}.example/")


def take(folder: Path, *wanted: Demand, with_copies: bool = False) -> Outcome:
    """Take pages out of the corpus of a folder."""
    return take_down(Storage(str(folder / "out")), wanted, with_copies=with_copies)


def violations(out: Path) -> list[str]:
    """What the audit finds."""
    return audit(Storage(str(out)), CATALOGUE).violations


def corpus(folder: Path) -> Any:  # noqa: ANN401 - JSON
    """The corpus.json of a folder."""
    return json.loads((folder / "out/corpus.json").read_text())


def by_url(out: Path) -> dict[str, dict[str, Any]]:
    """Ledger rows by the name of their page."""
    return {str(row["url"]).removeprefix("https://").removesuffix(".example/"): row for row in ledger(out)}


def from_scratch(folder: Path, name: str) -> dict[str, str]:
    """Digests of a build that has the demands from the start and nothing else."""
    shutil.copytree(folder / "out/takedown", folder / name / "takedown")
    build(folder / "manifest.yaml", folder / name)
    assert violations(folder / name) == []
    return published(folder / name)


def published(out: Path) -> dict[str, str]:
    """Digests of all that a build publishes; signatures lie by ranges, so they are no part of `digests`."""
    signed = sorted(path for path in (out / "signatures").rglob("*") if path.is_file())
    return digests(out) | {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in signed}
