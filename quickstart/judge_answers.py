"""`python -m quickstart.judge_answers RUN FILE`: does a tuned model answer as the rows of a JSONL file do?

RUN is a run folder of `lauter tune`, FILE what `python -m quickstart.instructions` wrote: chat messages whose last one
is the right answer. The model takes the likeliest token each time, and its whole answer must be that, to the letter.
The exit code is 1 where it is in fewer of a language's rows than `--least` asks for.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lauter.trainer.generate.tokenizer import TextTokenizer
    from lauter.trainer.model.apertus import Apertus

LEAST = 0.95
AT_ONCE = 64
"""Conversations that go on together."""
NEW_TOKENS = 64


def answers(model: Apertus, tokenizer: TextTokenizer, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The model's answer to each row's messages but the last, greedy."""
    from lauter.chat.encode import encode
    from lauter.chat.formats.messages import conversation
    from lauter.chat.pieces import pieces
    from lauter.trainer.generate.generate import generate

    for first in range(0, len(rows), AT_ONCE):
        asked = [
            encode(
                pieces(conversation(row).prompt, open_answer=True), tokenizer.plain, tokenizer.chat, bos=tokenizer.bos
            ).ids
            for row in rows[first : first + AT_ONCE]
        ]
        said: list[list[int]] = [[] for _ in asked]
        found = generate(model, asked, new_tokens=NEW_TOKENS, temperature=0.0, top_p=1.0, seed=0, eos=tokenizer.ends)
        for sequence, token in found:
            if token not in tokenizer.ends:
                said[sequence].append(token)
        yield from map(tokenizer.decode, said)


def judge(run: Path, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """`language` and `kind` -> each of them -> share of the rows that are answered right."""
    import torch

    from lauter.trainer.checkpoint.read import open_checkpoint
    from lauter.trainer.generate.load import load_model, tokenizer_of

    checkpoint = open_checkpoint(run)
    model = load_model(checkpoint, torch.float32)
    right: dict[str, dict[str, list[bool]]] = {"language": defaultdict(list), "kind": defaultdict(list)}
    for row, said in zip(rows, answers(model, tokenizer_of(checkpoint), rows), strict=True):
        for key, by in right.items():
            by[row[key]].append(said == row["messages"][-1]["content"])
    return {key: {name: sum(some) / len(some) for name, some in by.items()} for key, by in right.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m quickstart.judge_answers", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--least", type=float, default=LEAST, help="share of right answers in each language")
    wanted = parser.parse_args(arguments)
    rows = [json.loads(line) for line in wanted.file.read_text(encoding="utf-8").splitlines()]
    found = judge(wanted.run, rows)
    for key, by in found.items():
        print(f"{key:<9}" + ", ".join(f"{name} {share:.1%}" for name, share in sorted(by.items())))
    wrong = [name for name, share in found["language"].items() if share < wanted.least]
    if wrong:
        print(f"right answers in {', '.join(wrong)}: fewer than {wanted.least:.0%}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
