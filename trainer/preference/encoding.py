"""Conversations as the ids that a model reads and says, with the tokenizer of its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lauter.chat.control import ASSISTANT_END, TOOLS_SUFFIX
from lauter.chat.conversation import AssistantTurn, ChatError, Conversation, Response
from lauter.chat.encode import encode
from lauter.chat.pieces import Piece, answer_pieces, pieces
from lauter.trainer.generate.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Speech:
    """A tokenizer that has the chat's control tokens."""

    tokenizer: TextTokenizer

    def __post_init__(self) -> None:
        """Raises `ChatError` where they have no ids."""
        if not self.tokenizer.chat:
            raise ChatError("the tokenizer has no control tokens for a chat: begin from a model of `lauter tune sft`")

    @property
    def ends(self) -> frozenset[int]:
        """Ids behind which the assistant says no more: of its turn, and of calls that wait for outputs."""
        return frozenset((self.tokenizer.chat[ASSISTANT_END], self.tokenizer.chat[TOOLS_SUFFIX]))

    def prompt(self, conversation: Conversation) -> list[int]:
        """BOS, the conversation, and the start of the answer. Raises `ChatError`."""
        return self._ids(pieces(conversation, open_answer=True), bos=self.tokenizer.bos)

    def answer(self, turn: AssistantTurn) -> list[int]:
        """What the assistant says, with its end. Raises `ChatError` where outputs of tools are in it."""
        said = answer_pieces(turn, closed=True)
        if not all(piece.trained for piece in said):
            raise ChatError("an answer with outputs of tools in it is no completion: the model does not say all of it")
        return self._ids(said, bos=None)

    def text(self, ids: Sequence[int]) -> str:
        """What ids say, control tokens left out."""
        return self.tokenizer.decode([one for one in ids if one not in self.tokenizer.controls])

    def _ids(self, said: list[Piece], *, bos: int | None) -> list[int]:
        return encode(said, self.tokenizer.plain, self.tokenizer.chat, bos=bos).ids


def said_turn(text: str) -> AssistantTurn:
    """An answer that is a text alone."""
    return AssistantTurn((Response(text),) if text else ())
