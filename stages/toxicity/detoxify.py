"""Scores from a checkpoint of Detoxify (Hanu and Unitary team, 2020), read from local files.

The package of that name fetches files by name and unpickles them. Here the checkpoint is read with `weights_only=True`,
which refuses anything but tensors and plain containers, and the encoder's config.json and tokenizer.json are files too;
nothing is fetched. A checkpoint is a dict of `state_dict` and `config`, where `config.arch.args` holds
`num_classes` and `model_name`, and `config.dataset.args.classes` names the first logits; each is a probability of its
own, by a sigmoid.

The published checkpoint could not be reached when this was written: tested against models of the same architecture
with random weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """A checkpoint, ready to judge one text at a time."""

    def __init__(self, checkpoint: str, encoder_config: str, tokenizer: str, threads: int) -> None:
        """Load the checkpoint and the encoder's config.json and tokenizer.json.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ValueError: The checkpoint is not of the form described above, or does not fit the encoder.
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
        self._model.eval()
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # What the tokenizer puts around a text: the marks of its beginning and end.
        self._begin, self._end = self._tokenizer.encode("").ids
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._marks = [token.content for token in added if token.special]
        self.classes: tuple[str, ...] = tuple(_RENAMED.get(each, each) for each in classes)

    def probability(self, text: str, label: str) -> float:
        """The highest probability of a class over the chunks of a text.

        Chunks are of 512 tokens with the marks of beginning and end, in order and without overlap. Each is computed on
        its own, so that a text's last bits do not depend on which others are in the batch.

        Raises:
            ValueError: The checkpoint has no such class.
        """
        if label not in self.classes:
            raise ValueError(f"the checkpoint has no class {label}, but {', '.join(self.classes)}")
        place = self.classes.index(label)
        with self._torch.inference_mode():
            logits = [float(self._logits(chunk)[place]) for chunk in self._chunks(text)]
        return float(1 / (1 + np.exp(-np.float64(max(logits)))))

    def _chunks(self, text: str) -> list[list[int]]:
        # A page that holds "</s>" or "<pad>" would put that mark into the middle of a chunk. The tokeniser cannot be
        # told otherwise: in a unigram vocabulary the marks are pieces like any other.
        for mark in self._marks:
            text = text.replace(mark, " ")
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        room = _MAX_TOKENS - 2
        return [[self._begin, *ids[at : at + room], self._end] for at in range(0, max(len(ids), 1), room)]

    def _logits(self, ids: list[int]) -> Any:  # noqa: ANN401 - a torch tensor; torch has no types without the extra
        return self._model(input_ids=self._torch.tensor([ids])).logits[0]


def _without_position_ids(state: dict[str, Any]) -> dict[str, Any]:
    """Checkpoints written before transformers 4.31 hold the counter 0, 1, 2 ... that later versions make themselves."""
    return {name: value for name, value in state.items() if not name.endswith("embeddings.position_ids")}
