"""Prompts from files: conversations that end with the user's turn, and answers that others gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.chat.conversation import AssistantTurn, ChatError, Conversation
from lauter.chat.formats.messages import conversation
from lauter.chat.formats.preference import preference
from lauter.trainer.data.errors import UnfitError

ROWS = 1024
"""Of a Parquet file, read at once."""
TOLD = 20
"""Problems that are told of; more are counted."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be answered."""

    conversation: Conversation
    offered: tuple[AssistantTurn, ...]
    """Answers by others: candidates beside the reference model's own."""


def read_prompts(paths: Sequence[str]) -> Iterator[Prompt]:
    """Prompts of all files in order, one row in memory at a time.

    Raises:
        UnfitError: a file can't be read, or rows are none of the forms; all such rows are looked for before it is
            raised, at the end of the last file.
    """
    problems: list[str] = []
    count = 0
    for path in paths:
        for place, row in _rows(path):
            try:
                yield _prompt(row)
            except ChatError as error:
                count += 1
                if count <= TOLD:
                    problems.append(f"{path}: {place}: {error}")
    if count > TOLD:
        problems.append(f"and {count - TOLD} more rows")
    if problems:
        raise UnfitError(problems)


def _prompt(row: dict[str, Any]) -> Prompt:
    if row.get("chosen") is not None:
        pair = preference(row)
        return Prompt(pair.prompt, (pair.chosen, pair.rejected))
    whole = conversation(row)
    last = whole.turns[-1] if whole.turns else None
    return Prompt(whole.prompt, (last,)) if isinstance(last, AssistantTurn) else Prompt(whole, ())


def _rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows, and where each stands."""
    file = Path(path)
    try:
        if file.suffix == ".parquet":
            number = 0
            with pq.ParquetFile(file) as source:
                for batch in source.iter_batches(ROWS, use_threads=False):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"row {number}", row
            return
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"line {number}", _object(line)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise UnfitError([f"{path}: can't be read as prompts ({error}); give JSON Lines or .parquet"]) from error


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # The latter: brackets in brackets, thousands deep.
        row = None
    # What is no object has no `messages`, and is told of with its place.
    return row if isinstance(row, dict) else {}
