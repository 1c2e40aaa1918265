"""The chat format as a Jinja template, as the folder of a tokenizer carries it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files

from lauter.chat.control import IDENTITY, KNOWLEDGE_CUTOFF, NAMES


def chat_template(control_tokens: Iterable[str] = NAMES) -> str:
    """The text of `chat_template.jinja`, for `apply_chat_template` of transformers.

    transformers makes a control token of every text that spells one. So the template breaks the names
    `control_tokens` wherever a message spells them: give it all special tokens of the tokenizer.
    """
    set_ = "".join(
        f"{{%- set {name} = {json.dumps(value, ensure_ascii=False)} -%}}"
        for name, value in (
            ("control_tokens", list(control_tokens)),
            ("IDENTITY", IDENTITY),
            ("KNOWLEDGE_CUTOFF", KNOWLEDGE_CUTOFF),
        )
    )
    return set_ + "\n" + files("lauter.chat").joinpath("template.jinja").read_text(encoding="utf-8")
