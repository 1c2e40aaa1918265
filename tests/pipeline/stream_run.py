"""Small corpora with planted copies in two languages, of lengths that are known, and what their shards must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageContext, Verdict
from tests.pipeline.small_run import write_manifest
from tests.pipeline.small_stages import CATALOGUE, NoConfig

HERE = "tests.pipeline.stream_run"


class FirstWord:
    """Takes `deu`, `fra` or `gsw` at the beginning of a text for its language."""

    name: ClassVar[str] = "first-word"
    version: ClassVar[int] = 1
    Config: ClassVar[type[NoConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        words = [text.split(" ", 1)[0] for text in batch.column("text").to_pylist()]
        labels = [f"{word}_Latn" if word in ("deu", "fra", "gsw") else None for word in words]
        reason: NDArray[np.uint8] = np.zeros(batch.num_rows, np.uint8)
        return Verdict(reason, {"language": pa.array(labels, pa.string())})


LABELLED = replace(CATALOGUE, stages={**CATALOGUE.stages, "first-word": f"{HERE}:FirstWord"})


def texts() -> dict[str, str]:
    """Two sources; `deu n` stands n times, with other ids; `fra` texts are of many lengths."""
    copies = [f"c{n}-{k}\tdeu text {n}" for n in (1, 2, 3, 4, 5, 7) for k in range(n)]
    lengths = [f"l{n}\tfra {'x' * n}" for n in range(0, 60, 3)]
    others = [f"o{n}\tgsw other {n}" for n in range(6)] + [f"p{n}\tno label {n}" for n in range(4)]
    return {
        "a1.txt": "\n".join(copies[::2] + lengths[::2]),
        "a2.txt": "\n".join(copies[1::2] + lengths[1::2]),
        "b.txt": "\n".join(others),
    }


def stream_manifest(folder: Path, streams: Mapping[str, Any] | None, **sharding: int) -> Path:
    """A manifest over `texts`."""
    path = write_manifest(folder, texts(), ["first-word", "same-text"], **sharding)
    manifest = yaml.safe_load(path.read_text())
    if streams is not None:
        manifest["streams"] = dict(streams)
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path
