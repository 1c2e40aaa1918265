"""`python -m quickstart.preferences DIR`: prompts with many good answers, and what to prefer among these.

DIR/prompts.jsonl has the requests of `instructions.open_tasks` without an answer, each once; DIR/held-out.jsonl those
that none learns from. `length`, `polite` and `without` are rewards for `lauter tune qrpo`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from quickstart.instructions import TELL, Task, open_tasks

if TYPE_CHECKING:
    from lauter.chat.conversation import Conversation

DRAWN = 20_000
"""Requests among which those that differ are looked for: some hundred words, two ways to ask, three languages."""
FORBIDDEN = frozenset({"old", "alt", "vieux"})


def length(_conversation: Conversation, answer: str) -> float:
    """Characters: a long answer is the better one."""
    return float(len(answer))


def polite(_conversation: Conversation, answer: str) -> float:
    """1 for an answer that ends politely in any of the languages, and a little for each character."""
    ends = tuple(word for *_, words in TELL.values() for word in words)
    return float(answer.endswith(ends)) + len(answer) / 1e4


def without(_conversation: Conversation, answer: str) -> float:
    """1 for an answer that calls nothing old, and a little for each character."""
    # Whole words: "kalt" is not old.
    return float(FORBIDDEN.isdisjoint(re.findall(r"\w+", answer.lower()))) + len(answer) / 1e4


def prompts() -> tuple[list[Task], list[Task]]:
    """Requests that are learnt from, and held-out ones; each once, in the order in which they come up."""
    every = {task.prompt: task for task in islice(open_tasks(31), DRAWN)}
    return [task for task in every.values() if not task.held_out], [task for task in every.values() if task.held_out]


def rows(tasks: Iterable[Task]) -> str:
    """As JSON Lines of messages, without the answers."""
    return "".join(
        json.dumps({"messages": task.row()["messages"][:-1]}, ensure_ascii=False) + "\n"  # type: ignore[index]
        for task in tasks
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m quickstart.preferences", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", metavar="DIR")
    folder = Path(parser.parse_args(arguments).folder)
    folder.mkdir(parents=True, exist_ok=True)
    learnt, held_out = prompts()
    (folder / "prompts.jsonl").write_text(rows(learnt), encoding="utf-8")
    (folder / "held-out.jsonl").write_text(rows(held_out), encoding="utf-8")
    print(f"prompts.jsonl: {len(learnt):,} rows, held-out.jsonl: {len(held_out):,} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
