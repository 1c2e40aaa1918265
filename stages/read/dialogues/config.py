"""Parameters of the reader of dialogues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from lauter.pipeline.contract import StageConfig
from lauter.stages.read.rows import MAX_TEXT_BYTES

Shape = Literal["messages", "sharegpt", "alpaca", "preference"]

FIELDS: Mapping[Shape, frozenset[str]] = {
    "messages": frozenset({"messages", "tools", "enable_thinking"}),
    "sharegpt": frozenset({"conversations", "system", "tools"}),
    "alpaca": frozenset({"instruction", "input", "output", "system", "history"}),
    "preference": frozenset(
        {"prompt", "question", "chosen", "rejected", "system", "tools", "enable_thinking"}
        | {"score_chosen", "score_rejected"}
    ),
}
"""What `lauter.chat.formats` reads of a row."""


class DialogueColumns(StageConfig):
    """Names of the columns beside the turns; a row need not have them."""

    id: str | None = "id"
    """An identifier that stays with the dialogue when the file is copied or split; without one the turns are the
    identity."""

    url: str | None = None
    """Where it was found."""

    date: str | None = None
    """When it was written: ISO 8601, or a timestamp in Parquet."""

    licences: str | None = None
    """Its licences: a text, or a list of texts that all hold; for the stage `licence`."""

    generator: str | None = None
    """The model that wrote its answers; for the stage `terms`."""


class DialoguesConfig(StageConfig):
    """Which shape the rows have, and what is taken of them."""

    shape: Shape = "messages"
    """`messages`: OpenAI's, with tools; `sharegpt`: `conversations` of `from` and `value`; `alpaca`: `instruction`,
    `input`, `output`; `preference`: a prompt with a `chosen` and a `rejected` answer."""

    take: Literal["dialogue", "prompt", "rejected"] = "dialogue"
    """`dialogue`: all of it, the chosen answer of a preference; `prompt`: all before the last answer, for which nothing
    carries loss; `rejected`: the other answer of a preference."""

    names: dict[str, str] = Field(default_factory=dict)
    """A field of the shape -> the column that holds it, where the names differ: `{messages: dialog}`."""

    columns: DialogueColumns = DialogueColumns()
    """Names of the other columns."""

    licence: str | None = None
    """SPDX expression of rows that declare none, as the data set's card has it."""

    generator: str | None = None
    """The model of rows that name none; `human` for what people wrote."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, le=1 << 31)
    """Bytes of a line (JSONL) above which a row becomes `record-too-large`."""

    max_text_bytes: int = Field(default=MAX_TEXT_BYTES, ge=1, le=1 << 31)
    """Bytes of a dialogue's text, as UTF-8, above which a row becomes `text-too-large`."""

    @model_validator(mode="after")
    def _taken(self) -> DialoguesConfig:
        if self.take == "rejected" and self.shape != "preference":
            raise ValueError("take: rejected is for `shape: preference`")
        known = sorted(FIELDS[self.shape])
        unknown = sorted(self.names.keys() - known)
        if unknown:
            raise ValueError(f"names: `shape: {self.shape}` has no field {unknown[0]!r}; it has {', '.join(known)}")
        return self
