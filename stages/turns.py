"""The stage `turns`: how long a dialogue and its parts are, and whether it ends with an answer; limits for all of it.

Only texts with marks are measured; others have nulls and are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from lauter.chat.control import ASSISTANT_END, ASSISTANT_START, TOOLS_PREFIX, USER_START
from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.stages.speakers import Speaker, stretches

SCORES = schema.fields(
    schema.SCORE,
    "user_turns",
    "user_chars",
    "answer_chars",
    "shortest_answer",
    "thought_chars",
    "tool_calls",
    "ends_with_answer",
)


class TurnsConfig(StageConfig):
    """Limits; what is None limits nothing. Lengths are code points, placeholders and white space counted."""

    min_turns: int | None = Field(default=None, ge=1)
    """Fewest turns of the user."""
    max_turns: int | None = Field(default=None, ge=1)
    """Most turns of the user."""
    min_user_chars: int | None = Field(default=None, ge=0)
    """Least length of all that the user says."""
    max_user_chars: int | None = Field(default=None, ge=0)
    """Greatest length of it."""
    min_answer_chars: int | None = Field(default=None, ge=0)
    """Least length of the shortest answer."""
    max_answer_chars: int | None = Field(default=None, ge=0)
    """Greatest length of all answers."""
    ends_with_answer: bool = False
    """Whether a dialogue must end with words to the user, and not with a tool's call."""


class Turns:
    """Measures dialogues, and drops those beyond the limits."""

    name: ClassVar[str] = "turns"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = TurnsConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "marks")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = SCORES
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("turns-out-of-limits"),
        Reason("user-length"),
        Reason("answer-length"),
        Reason("no-final-answer"),
    )
    decision_fields: ClassVar[frozenset[str]] = frozenset(TurnsConfig.model_fields)

    def __init__(self, config: TurnsConfig, context: StageContext) -> None:
        self._config = config

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Measure each dialogue; drops nothing."""
        rows = [
            {} if marks is None else measured(marks, len(text or ""))
            for text, marks in zip(batch.column("text").to_pylist(), batch.column("marks").to_pylist(), strict=True)
        ]
        columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in SCORES}
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Compare with the limits; the first one that is not kept gives the reason, and the rule says what it was."""
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        for row, measures in enumerate(scores.select(SCORES.names).to_pylist()):
            broken = next(self._broken(measures), None) if measures["user_turns"] is not None else None
            if broken is not None:
                reason[row], rules[row] = broken[0], {"signal": broken[1], "text": broken[2]}
        return Verdict(reason, rule=pa.array(rules, schema.RULE))

    def _broken(self, measures: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
        """Place of the reason, column and what was found of each limit that is not kept."""
        config = self._config
        limits = (
            (1, "user_turns", config.min_turns, config.max_turns),
            (2, "user_chars", config.min_user_chars, config.max_user_chars),
            (3, "shortest_answer", config.min_answer_chars, None),
            (3, "answer_chars", None, config.max_answer_chars),
        )
        for code, column, least, most in limits:
            value = measures[column]
            if least is not None and value < least:
                yield code, column, f"{value} < {least}"
            if most is not None and value > most:
                yield code, column, f"{value} > {most}"
        if config.ends_with_answer and not measures["ends_with_answer"]:
            yield 4, "ends_with_answer", "the last words are not to the user"


def measured(marks: Sequence[Mapping[str, Any]], length: int) -> dict[str, int | bool]:
    """The columns of `SCORES` of one dialogue; `shortest_answer` is 0 where there is none, or a turn says nothing."""
    said = stretches(marks, length)

    def lengths(speaker: Speaker) -> list[int]:
        return [one.end - one.start for one in said if one.speaker is speaker]

    answers = lengths(Speaker.ANSWER)
    # Blocks may be none in a row, and `normalise` may leave none of an answer's characters.
    silent = any(
        one["control"] == ASSISTANT_START and after["control"] == ASSISTANT_END and one["end"] == after["start"]
        for one, after in pairwise(marks)
    )
    return {
        "user_turns": sum(mark["control"] == USER_START for mark in marks),
        "user_chars": sum(lengths(Speaker.USER)),
        "answer_chars": sum(answers),
        "shortest_answer": 0 if silent else min(answers, default=0),
        "thought_chars": sum(lengths(Speaker.THOUGHTS)),
        "tool_calls": sum(mark["control"] == TOOLS_PREFIX for mark in marks),
        "ends_with_answer": bool(said) and said[-1].speaker is Speaker.ANSWER,
    }
