"""Pieces of a conversation as token ids, and which of them carry loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lauter.chat.conversation import ChatError
from lauter.chat.pieces import Piece


@dataclass(frozen=True, slots=True)
class Encoded:
    """A conversation as a document of tokens."""

    ids: list[int]
    """BOS first, where there is one."""
    loss_spans: list[int]
    """Starts and ends in turn, ascending: places in `ids` of the tokens that the assistant says. As labels: a token at
    place t carries loss where it is to be predicted from those before it."""


def encode(
    pieces: Iterable[Piece],
    encode_text: Callable[[str], Sequence[int]],
    control_ids: Mapping[str, int],
    *,
    bos: int | None,
) -> Encoded:
    """Ids of a conversation: control tokens by their id, each text by itself, as a model says and reads it.

    Args:
        pieces: see `pieces.pieces`.
        encode_text: ids of a plain text, without BOS. It must know no control token; one that makes an id of
            `control_ids` of a text is found out.
        control_ids: name -> id, as `control.chat_ids` reads them from a sidecar.
        bos: id that comes first, once; None where a tokenizer has none.

    Raises:
        ChatError: a text became a control token, or a control token has no id.
    """
    ids: list[int] = [] if bos is None else [bos]
    spans: list[int] = []
    reserved = set(control_ids.values()) | ({bos} if bos is not None else set())
    for piece in pieces:
        start = len(ids)
        if piece.control:
            if piece.text not in control_ids:
                raise ChatError(f"the tokenizer has no control token {piece.text!r}")
            ids.append(control_ids[piece.text])
        else:
            text = encode_text(piece.text)
            if not reserved.isdisjoint(text):
                raise ChatError("the tokenizer makes a control token of plain text: it must be one that can't")
            ids += text
        if piece.trained and len(ids) > start:
            if spans and spans[-1] == start:
                spans[-1] = len(ids)
            else:
                spans += [start, len(ids)]
    return Encoded(ids, spans)
