"""Scores from a checkpoint of Detoxify (Hanu and Unitary team, 2020), read from local files.

The package of that name fetches files by name and unpickles them. Here the checkpoint is read with `weights_only=True`,
which refuses anything but tensors and plain containers, and the encoder's config.json and tokenizer.json are files too;
nothing is fetched. A checkpoint is a dict of `state_dict` and `config`, where `config.arch.args` holds
`num_classes` and `model_name`, and `config.dataset.args.classes` names the first logits; each is a probability of its
own, by a sigmoid.

Chunks of all texts of a batch are put in order of their length and judged together, filled up to the longest with a
mask; what that changes is the last bits of a float, and scores are rounded to four places.

The published checkpoint could not be reached when this was written: tested against models of the same architecture
with random weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Names that the older checkpoints give the same classes.
_RENAMED = {"toxic": "toxicity", "severe_toxic": "severe_toxicity", "identity_hate": "identity_attack"}
_MODELS = frozenset({
    "AlbertForSequenceClassification",
    "BertForSequenceClassification",
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
})  # fmt: skip
_MAX_TOKENS = 512
"""Tokens that the encoder of each of these models sees at once, its two marks included."""


class MissingExtraError(ImportError):
    """The packages of an extra are not installed."""


class Detoxify:
    """A checkpoint, ready to judge."""

    def __init__(
        self, checkpoint: str, encoder_config: str, tokenizer: str, threads: int, device: str, batch_tokens: int
    ) -> None:
        """Load the checkpoint and the encoder's config.json and tokenizer.json.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ValueError: The checkpoint is not of the form described above, or does not fit the encoder, or there is no
                such device.
        """
        try:
            import torch
            import transformers
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError(
                f"the detoxify model needs {error.name}, which is not installed: pip install lauter[toxicity]"
            ) from error
        torch.set_num_threads(threads)
        self._torch = torch
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
        try:
            arch = loaded["config"]["arch"]["args"]
            classes = loaded["config"]["dataset"]["args"]["classes"]
            name, labels, state = arch["model_name"], arch["num_classes"], loaded["state_dict"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{checkpoint} is no checkpoint of Detoxify: {error} is missing") from error
        if name not in _MODELS:
            raise ValueError(f"{checkpoint} has a model that is not known here: {name}")
        model_class = getattr(transformers, name)
        config = model_class.config_class.from_json_file(encoder_config)
        config.num_labels = labels
        self._model: PreTrainedModel = model_class(config)
        try:
            self._model.load_state_dict(_without_position_ids(state))
        except RuntimeError as error:
            raise ValueError(f"the weights of {checkpoint} do not fit {encoder_config}: {error}") from error
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device: cuda` was asked for, and torch sees no GPU here")
        self._device = device
        self._batch_tokens = batch_tokens
        self._model.eval().to(device)
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # What the tokenizer puts around a text: the marks of its beginning and end.
        self._begin, self._end = self._tokenizer.encode("").ids
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._marks = [token.content for token in added if token.special]
        self.classes: tuple[str, ...] = tuple(_RENAMED.get(each, each) for each in classes)

    def probabilities(self, texts: Sequence[str], label: str) -> list[float]:
        """The highest probability of a class over the chunks of each text.

        Chunks are of 512 tokens with the marks of beginning and end, in order and without overlap.

        Raises:
            ValueError: The checkpoint has no such class.
        """
        if label not in self.classes:
            raise ValueError(f"the checkpoint has no class {label}, but {', '.join(self.classes)}")
        place = self.classes.index(label)
        chunks = [(row, chunk) for row, text in enumerate(texts) for chunk in self._chunks(text)]
        highest = np.full(len(texts), -np.inf)
        with self._torch.inference_mode():
            for batch in in_batches(chunks, self._batch_tokens):
                found = self._logits([chunk for _, chunk in batch])[:, place].double().cpu().numpy()
                np.maximum.at(highest, [row for row, _ in batch], found)
        return cast(list[float], (1 / (1 + np.exp(-highest))).tolist())

    def _chunks(self, text: str) -> list[list[int]]:
        # A page that holds "</s>" or "<pad>" would put that mark into the middle of a chunk. The tokeniser cannot be
        # told otherwise: in a unigram vocabulary the marks are pieces like any other.
        for mark in self._marks:
            text = text.replace(mark, " ")
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        room = _MAX_TOKENS - 2
        return [[self._begin, *ids[at : at + room], self._end] for at in range(0, max(len(ids), 1), room)]

    def _logits(self, chunks: Sequence[list[int]]) -> Any:  # noqa: ANN401 - a torch tensor; torch has no types without the extra
        width = max(map(len, chunks))
        torch = self._torch
        ids = torch.full((len(chunks), width), self._model.config.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for row, chunk in enumerate(chunks):
            ids[row, : len(chunk)] = torch.tensor(chunk)
            mask[row, : len(chunk)] = 1
        return self._model(input_ids=ids.to(self._device), attention_mask=mask.to(self._device)).logits


def in_batches(chunks: Sequence[tuple[int, list[int]]], tokens: int) -> Iterator[list[tuple[int, list[int]]]]:
    """Chunks in order of length, as many at a time as `tokens` hold when filled up to the longest."""
    batch: list[tuple[int, list[int]]] = []
    for entry in sorted(chunks, key=lambda entry: len(entry[1])):
        if batch and (len(batch) + 1) * len(entry[1]) > tokens:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _without_position_ids(state: dict[str, Any]) -> dict[str, Any]:
    """Checkpoints written before transformers 4.31 hold the counter 0, 1, 2 ... that later versions make themselves."""
    return {name: value for name, value in state.items() if not name.endswith("embeddings.position_ids")}
