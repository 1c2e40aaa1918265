"""The control tokens of a chat by name, and the texts that stand in every conversation."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from lauter.chat.conversation import ChatError

SYSTEM_START, SYSTEM_END = "<|system_start|>", "<|system_end|>"
DEVELOPER_START, DEVELOPER_END = "<|developer_start|>", "<|developer_end|>"
USER_START, USER_END = "<|user_start|>", "<|user_end|>"
ASSISTANT_START, ASSISTANT_END = "<|assistant_start|>", "<|assistant_end|>"
INNER_PREFIX, INNER_SUFFIX = "<|inner_prefix|>", "<|inner_suffix|>"
TOOLS_PREFIX, TOOLS_SUFFIX = "<|tools_prefix|>", "<|tools_suffix|>"

NAMES = (
    *(SYSTEM_START, SYSTEM_END, DEVELOPER_START, DEVELOPER_END, USER_START, USER_END),
    *(ASSISTANT_START, ASSISTANT_END, INNER_PREFIX, INNER_SUFFIX, TOOLS_PREFIX, TOOLS_SUFFIX),
)
"""The control tokens of a chat, in the order of their ids in Apertus's vocabulary, 61 to 72 (its tokenizer.json)."""

IDENTITY = "You are Apertus, a helpful assistant created by the SwissAI initiative."
KNOWLEDGE_CUTOFF = "2024-04"
"""Both as Apertus's chat template has them: crawls up to spring 2024 (arXiv 2509.14233, section 3)."""


def default_system(date: datetime.date | None) -> str:
    r"""The system text where a conversation has none: who speaks, what it can know, and the day where one is given.

    >>> default_system(None)
    'You are Apertus, a helpful assistant created by the SwissAI initiative.\nKnowledge cutoff: 2024-04'
    """
    lines = [IDENTITY, f"Knowledge cutoff: {KNOWLEDGE_CUTOFF}"]
    return "\n".join(lines if date is None else [*lines, f"Current date: {date:%Y-%m-%d}"])


def chat_ids(sidecar: Mapping[str, Any]) -> dict[str, int]:
    """Name -> id of a chat's control tokens, from what `sidecar.json` of a tokenizer says.

    Raises:
        ChatError: it lacks one.
    """
    added: Mapping[str, int] = sidecar.get("added") or {}
    missing = [name for name in NAMES if name not in added]
    if missing:
        raise ChatError(
            f"the tokenizer has no {' and no '.join(missing[:2])}"
            f"{f' ({len(missing)} of {len(NAMES)} missing)' if len(missing) > 2 else ''}: a conversation needs the "
            "control tokens of the chat format; take a tokenizer of `lauter tokenizer`"
        )
    return {name: int(added[name]) for name in NAMES}
