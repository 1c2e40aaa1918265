"""A model to talk with: a checkpoint of ours, or a Hugging Face folder as `lauter export hf` writes it."""

from __future__ import annotations

import torch

from lauter.chat.conversation import ChatError
from lauter.trainer.evaluate.subject import Subject, open_subject


def open_talker(path: str, dtype: torch.dtype, device: torch.device | str = "cpu") -> Subject:
    """Load what `open_subject` opens, with a tokenizer that knows the chat format.

    Raises:
        ChatError: the tokenizer has no control tokens of a chat.
        CheckpointError, ModelImportError, TokenizerError: see `open_subject`.
    """
    subject = open_subject(path, dtype, device)
    if not subject.tokenizer.chat:
        raise ChatError(
            f"{path}: the tokenizer has no control tokens of a chat, as <|user_start|>: the model can't have learnt to "
            "chat. Train with a tokenizer that has them (of `lauter tokenizer train`, or the embedded `apertus`), or "
            "continue texts with `lauter generate`"
        )
    return subject
