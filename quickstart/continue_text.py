"""`python -m quickstart.continue_text RUN EXPORT TEXT…`: the trainer and transformers continue the same texts.

RUN is a run folder of `lauter train`, EXPORT what `lauter export hf --dtype fp32` made of it. Both models are loaded
in fp32 and take the likeliest token each time. The exit code is 1 where they say different things. Without transformers
it says so, and all is well.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NEW_TOKENS = 32


def ours(run: Path, texts: Sequence[str]) -> list[list[int]]:
    """New tokens of each text, from the checkpoint."""
    import torch

    from lauter.trainer.checkpoint.read import open_checkpoint
    from lauter.trainer.generate.load import load_model, tokenizer_of
    from lauter.trainer.generate.stream import Wish, continue_texts

    checkpoint = open_checkpoint(run)
    model = load_model(checkpoint, torch.float32)
    found = continue_texts(model, tokenizer_of(checkpoint), texts, Wish(NEW_TOKENS), lambda *_: None)
    return [list(one.tokens) for one in found]


def theirs(export: Path, texts: Sequence[str]) -> tuple[list[list[int]], list[str]]:
    """New tokens of each text, from the export alone, and the texts they make."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    told: Any = logging
    # It warns of what is meant: Apertus's rope scaling has 8,192 positions as its base, whatever the model's own.
    told.set_verbosity_error()
    told.disable_progress_bar()
    # Their types are wider than what these folders give.
    tokenizer: Any = AutoTokenizer.from_pretrained(export)
    model: Any = AutoModelForCausalLM.from_pretrained(export, dtype=torch.float32)
    tokens = []
    for text in texts:
        prompt = tokenizer(text, return_tensors="pt")
        out = model.generate(**prompt, max_new_tokens=NEW_TOKENS, do_sample=False)
        tokens.append(out[0, prompt["input_ids"].shape[1] :].tolist())
    return tokens, [tokenizer.decode(new, skip_special_tokens=True) for new in tokens]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the continuations of the texts that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m quickstart.continue_text", description="Continue texts twice.")
    parser.add_argument("run", type=Path, help="the run folder of `lauter train`")
    parser.add_argument("export", type=Path, help="the folder of `lauter export hf --dtype fp32`")
    parser.add_argument("text", nargs="+", help="what is to be continued")
    given = parser.parse_args(arguments)
    if importlib.util.find_spec("transformers") is None:
        sys.stdout.write("transformers is not installed (pip install 'lauter[dev]'): its turn is left out\n")
        return 0
    expected = ours(given.run, given.text)
    found, texts = theirs(given.export, given.text)
    for text, continued, one, other in zip(given.text, texts, expected, found, strict=True):
        same = "the same" if one == other else f"DIFFERENT: {one} and {other}"
        sys.stdout.write(f"transformers, from the export: {(text + continued)!r}\n  token by token {same}\n")
    return 0 if expected == found else 1


if __name__ == "__main__":
    sys.exit(main())
