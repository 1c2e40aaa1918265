"""datatrove's steps that tokenize documents and write token files, with BOS and EOS around each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from datatrove.data import Document
from datatrove.pipeline.tokens import DocumentTokenizer, MegatronDocumentTokenizer
from datatrove.utils.logging import logger

logger.remove()

BATCH = 1_000


def tokenizer_file(folder: Path, tokenizer: bytes, bos: str, eos: str) -> Path:
    """A `tokenizer.json` that gives every text its BOS and EOS, as Apertus's own pipeline set datatrove up."""
    document = json.loads(tokenizer)
    ids = document["model"]["vocab"]
    around = [
        {"SpecialToken": {"id": bos, "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": eos, "type_id": 0}},
    ]
    special = {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in (bos, eos)}
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": around,
        "pair": around,
        "special_tokens": special,
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def write(texts: list[str], tokenizer: Path, folder: Path, form: Literal["megatron", "flat"]) -> Path:
    """Tokenize and write texts in their order; returns the files' path without their ends."""
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    if form == "megatron":
        step = MegatronDocumentTokenizer(str(folder), None, str(tokenizer), eos_token=None, batch_size=BATCH)
        step.run(iter(documents), 0, 1)
        return folder / "00000_tokens"
    flat = DocumentTokenizer(str(folder), str(tokenizer), shuffle_documents=False, batch_size=BATCH)
    flat.run(iter(documents), 0, 1)
    return folder / "00000_unshuffled"
