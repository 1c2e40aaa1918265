"""The test pipeline's encoder (one token a byte) with a tokenizer and a sidecar, as the trainer wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from tests.pipeline.small_stages import CATALOGUE as SMALL
from tests.pipeline.small_stages import Bytes

BOS, EOS, PAD = 256, 257, 258


class BytesWithSidecar(Bytes):
    """Bytes between BOS and EOS."""

    def files(self) -> Mapping[str, bytes]:
        vocabulary = {f"<{index}>": index for index in range(256)}
        controls = {name: {"id": index, "token": name} for name, index in (("bos", BOS), ("eos", EOS), ("pad", PAD))}
        return {
            "tokenizer.json": json.dumps({"model": {"type": "WordLevel", "vocab": vocabulary}}).encode(),
            "sidecar.json": json.dumps(controls).encode(),
        }


CATALOGUE = replace(SMALL, encoder="tests.trainer.data.byte_encoder:BytesWithSidecar")
