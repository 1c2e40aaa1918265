"""The stage `turn-languages`: in which language the user speaks, and in which one the assistant answers.

Each side's turns are judged together, by the embedded model as the stage `language` has it. Thoughts, tools and system
texts are of neither side. Only texts with marks are judged; others have nulls and are kept.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.stages.kernels.words import text_buffers
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels import is_unidentified
from lauter.stages.language.load import EMBEDDED, load
from lauter.stages.language.pieces import pieces
from lauter.stages.speakers import Speaker, stretches

SIDES = {"user_language": Speaker.USER, "answer_language": Speaker.ANSWER}
PIECE_CHARS = 700
"""As the stage `language` has it by default."""


class TurnLanguagesConfig(StageConfig):
    """Whether an answer in another language is a fault."""

    same: bool = False
    """Drop a dialogue whose answers are in another language than the user's words. Translations are such dialogues
    too, so this is for sources without them."""
    min_letters: int = Field(default=20, ge=1)
    """A side with fewer letters is not identified, and then in no other language."""


class TurnLanguages:
    """Writes `user_language` and `answer_language`, and drops dialogues where they differ, if that is asked for."""

    name: ClassVar[str] = "turn-languages"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = TurnLanguagesConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "marks")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, *SIDES)
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("languages-differ"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"same"})

    def __init__(self, config: TurnLanguagesConfig, context: StageContext) -> None:
        self._config = config
        self._identifier: Identifier | None = None

    def open(self) -> None:
        """Load the model."""
        self._identifier = load(EMBEDDED, normalised=None, sha256=None, lists=None)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Identify both sides of each dialogue; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._identifier is None:
            raise RuntimeError("open() comes before apply()")
        texts: dict[str, list[str]] = {name: [] for name in SIDES}
        marked = batch.column("marks").is_valid().to_numpy(zero_copy_only=False)
        for text, marks in zip(batch.column("text").to_pylist(), batch.column("marks").to_pylist(), strict=True):
            said = stretches(marks or (), len(text or ""))
            for name, speaker in SIDES.items():
                texts[name].append("\n\n".join(text[one.start : one.end] for one in said if one.speaker is speaker))
        columns = {}
        for name, column in texts.items():
            offsets, data = text_buffers(pa.array(column, pa.large_string()))
            units = pieces(data, offsets, PIECE_CHARS)
            found = self._identifier.judge(units, 1, self._config.min_letters, by_lines=False)
            labels = [self._identifier.names[label] for label in found.labels[:, 0].tolist()]
            columns[name] = pa.array(labels, pa.string(), mask=~marked)
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what is answered in another language, where that is a fault; the rule names both."""
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        sides = (scores.column(name).to_pylist() for name in SIDES)
        for row, (user, answer) in enumerate(zip(*sides, strict=True) if self._config.same else ()):
            known = not any(label is None or _is_none(label) for label in (user, answer))
            if known and user != answer:
                reason[row], rules[row] = 1, {"signal": "language", "text": f"{user} is answered in {answer}"}
        return Verdict(reason, rule=pa.array(rules, schema.RULE))


def _is_none(label: str) -> bool:
    return is_unidentified(label) or label.startswith("zxx_")
