"""One row of a data set as one row of `schema.RECORD`: its dialogue, who wrote it, and what may be done with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lauter.chat.conversation import AssistantTurn, ChatError, Conversation
from lauter.chat.formats import alpaca, messages, preference, sharegpt
from lauter.pipeline import identity
from lauter.stages.read.columns import document_id
from lauter.stages.read.dialogues.config import DialoguesConfig, Shape
from lauter.stages.read.dialogues.turns import Mark, marked
from lauter.stages.read.rows import Row, escaped, seconds

Fields = Mapping[str, Any]

CONVERSATIONS: Mapping[Shape, Callable[[Fields], Conversation]] = {
    "messages": messages.conversation,
    "sharegpt": sharegpt.conversation,
    "alpaca": alpaca.conversation,
}

MOST_TOLD = 200
"""Characters of what is wrong with a row that are told."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED = re.compile(r"(?<!\w)b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"")
"""What a message quotes, text or bytes: it may be a dialogue's own words, which no ledger holds."""


def conversation_of(row: Fields, config: DialoguesConfig) -> Conversation:
    """What is taken of a row. Raises ChatError for a row that has not the shape."""
    try:
        return _taken(row, config)
    except ChatError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A row of a form that nobody thought of ends as one, and does not end the build.
        raise ChatError(f"{type(error).__name__} while it was read") from error


def _taken(row: Fields, config: DialoguesConfig) -> Conversation:
    # A field that is declared to stand elsewhere is looked for there alone.
    fields = {name: value for name, value in row.items() if name not in config.names}
    fields |= {field: row[column] for field, column in config.names.items() if column in row}
    if config.shape != "preference":
        found = CONVERSATIONS[config.shape](fields)
        return found.prompt if config.take == "prompt" else found
    pair = preference.preference(fields)
    if config.take == "prompt":
        return pair.prompt
    answer: AssistantTurn = pair.chosen if config.take == "dialogue" else pair.rejected
    return replace(pair.prompt, turns=(*pair.prompt.turns, answer))


def row_of(fields: Fields, config: DialoguesConfig, source: str, file: str, offset: int, length: int) -> Row:
    """The row, with a reason where it ends in the reader."""
    columns = config.columns
    own = fields.get(columns.id) if columns.id else None
    identifier = own if isinstance(own, (str, int)) and not isinstance(own, bool) else None
    url = _text(fields.get(columns.url or ""))
    when = _text(fields.get(columns.date or ""))
    row = Row(
        identity.range_id(source, file, offset, offset + length),
        offset,
        length,
        escaped(url.encode()) if url else None,
        seconds(when or ""),
        licences=_licences(fields.get(columns.licences or ""), config.licence),
        generator=_generator(fields.get(columns.generator or ""), config.generator),
    )
    if identifier not in (None, ""):
        row = row._replace(doc_id=document_id(source, identifier, None, None, b""))
    try:
        conversation = conversation_of(fields, config)
    except ChatError as error:
        return row._replace(reason="no-dialogue", fault=_QUOTED.sub("…", str(error))[:MOST_TOLD])
    if config.take != "prompt" and not _answered(conversation):
        return row._replace(reason="no-answer")
    found = marked(conversation)
    text = _clean(found.text)
    if not text or text.isspace():
        return row._replace(reason="no-text")
    data = text.encode()
    if len(data) > config.max_text_bytes:
        return row._replace(reason="text-too-large")
    if identifier in (None, ""):
        row = row._replace(doc_id=document_id(source, None, row.url, when, found.identity))
    return row._replace(text=data, marks=tuple(map(_mark, found.marks)))


def _answered(conversation: Conversation) -> bool:
    last = conversation.turns[-1]
    return isinstance(last, AssistantTurn) and bool(last.blocks)


def _mark(mark: Mark) -> Mapping[str, object]:
    return {**mark._asdict(), "literal": None if mark.literal is None else _clean(mark.literal)}


def _clean(text: str) -> str:
    """The same code points, but a surrogate that JSON spells alone is U+FFFD: marks count code points."""
    return _SURROGATE.sub("\ufffd", text)


def _text(value: object) -> str | None:
    return _clean(value) if isinstance(value, str) and value else None


def _licences(value: object, otherwise: str | None) -> tuple[str, ...] | None:
    """What a row declares; what its source does only where the row says nothing, and not where it can't be read."""
    if value in (None, "", []):
        return (otherwise,) if otherwise else None
    items = value if isinstance(value, list) else [value]
    found = tuple(text for text in map(_text, items) if text)
    return found if len(found) == len(items) else None


def _generator(value: object, otherwise: str | None) -> str | None:
    """As licences; several models are told with commas, and what is no name is one that nobody knows."""
    if value in (None, "", []):
        return otherwise
    return ", ".join(_clean(str(one)) for one in (value if isinstance(value, list) else [value]))
