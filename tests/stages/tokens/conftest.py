"""What the tests of this room share: the embedded tokenizer, opened once, and real texts."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.tekken import FOLDER

DATA = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The embedded tokenizer.json."""
    found: dict[str, Any] = json.loads((FOLDER / "tokenizer.json").read_bytes())
    return found


@pytest.fixture(scope="session")
def tekken() -> HuggingFaceEncoder:
    encoder = HuggingFaceEncoder(TokenizerConfig(), StageContext())
    encoder.open()
    return encoder


@pytest.fixture(scope="session")
def reference(document: dict[str, Any]) -> Any:  # noqa: ANN401 - tiktoken has no types
    """tiktoken over the ranks and the pattern of the embedded tokenizer: ids are tekken's, special ids included."""
    import tiktoken

    byte = {letter: index for index, letter in enumerate(BYTE_LETTERS)}
    vocabulary = document["model"]["vocab"].items()
    ranks = {bytes(byte[letter] for letter in name): index for name, index in vocabulary if index >= 1000}
    pattern = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    return tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """Paragraphs in about 400 languages, and web pages; each once, in an order that mixes them."""
    udhr, web = DATA / "language" / "test-udhr.tsv.zst", DATA / "ground_truth.jsonl.gz"
    for path in (udhr, web):
        if not path.exists():
            pytest.skip(f"the test data {path.name} is not there: set LAUTER_TEST_DATA")
    with pa.CompressedInputStream(pa.OSFile(str(udhr), "rb"), "zstd") as stream:
        texts = {line.split("\t", 2)[2] for line in stream.read().decode().splitlines()}
    with gzip.open(web, "rt", encoding="utf-8") as lines:
        texts |= {json.loads(line)["gt"].get("text") or "" for line in lines}
    return sorted(texts, key=lambda text: text[::-1])
