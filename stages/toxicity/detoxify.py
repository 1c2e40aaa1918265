"""Scores from a checkpoint of Detoxify (Hanu and Unitary team, 2020), read from local files.

The package of that name fetches files by name and unpickles them. Here the checkpoint is read with `weights_only=True`,
which refuses anything but tensors and plain containers, and the encoder's config.json and tokenizer.json are files too;
nothing is fetched. A checkpoint is a dict of `state_dict` and `config`, where `config.arch.args` holds
`num_classes` and `model_name`, and `config.dataset.args.classes` names the first logits; each is a probability of its
own, by a sigmoid.

Texts are cut to chunks of 512 tokens, and chunks of like length are judged together in batches of fixed shapes
(`stages.encoders`), so a text's score does not depend on the texts beside it.

The published checkpoint could not be reached when this was written: tested against models of the same architecture
with random weights.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lauter.stages.encoders.batches import batches
from lauter.stages.encoders.chunks import Chunker
from lauter.stages.encoders.extras import MissingExtraError

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
_CHUNK_TOKENS = 512
"""Tokens that the encoder of each of these models sees at once, its two marks included."""


class Detoxify:
    """A checkpoint, ready to judge."""

    def __init__(
        self, checkpoint: str, encoder_config: str, tokenizer: str, threads: int, device: str, batch_tokens: int
    ) -> None:
        """Load the checkpoint and the encoder's config.json and tokenizer.json.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ValueError: A file is none, or the checkpoint is not of the form described above, or does not fit the
                encoder, or there is no such device.
            OSError: A file cannot be read.
        """
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtraError(
                f"the detoxify model needs {error.name}, which is not installed: pip install lauter[toxicity]"
            ) from error
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device: cuda` was asked for, and torch sees no GPU here")
        torch.set_num_threads(threads)
        self._torch = torch
        try:
            loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError(f"{checkpoint} holds no weights: {' '.join(str(error).split())[:200]}") from error
        try:
            arch = loaded["config"]["arch"]["args"]
            classes = loaded["config"]["dataset"]["args"]["classes"]
            name, labels, state = arch["model_name"], arch["num_classes"], loaded["state_dict"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{checkpoint} is no checkpoint of Detoxify: {error} is missing") from error
        if name not in _MODELS:
            raise ValueError(f"{checkpoint} has a model that is not known here: {name}")
        model_class = getattr(transformers, name)
        try:
            config = model_class.config_class.from_json_file(encoder_config)
        except ValueError as error:
            raise ValueError(f"{encoder_config} is no config.json: {error}") from error
        config.num_labels = labels
        self._model: PreTrainedModel = model_class(config)
        try:
            self._model.load_state_dict(_without_position_ids(state))
        except RuntimeError as error:
            raise ValueError(f"the weights of {checkpoint} do not fit {encoder_config}: {error}") from error
        self._device = device
        self._batch_tokens = batch_tokens
        self._model.eval().to(device)
        self._chunker = Chunker(tokenizer, _CHUNK_TOKENS)
        self.classes: tuple[str, ...] = tuple(_RENAMED.get(each, each) for each in classes)

    def probabilities(self, texts: Sequence[str], label: str, most: int) -> list[float]:
        """The highest probability of a class over the chunks of each text.

        Args:
            texts: At least one.
            label: The class.
            most: Chunks of a text that are judged; of a longer one, so many evenly spread ones.

        Raises:
            ValueError: The checkpoint has no such class.
        """
        if label not in self.classes:
            raise ValueError(f"the checkpoint has no class {label}, but {', '.join(self.classes)}")
        place = self.classes.index(label)
        chunks: list[list[int]] = []
        first = []
        for text in texts:
            first.append(len(chunks))
            chunks += self._chunker.chunks(text, most)
        logits = np.empty(len(chunks))
        torch = self._torch
        with torch.inference_mode():
            for batch in batches(chunks, self._batch_tokens, self._chunker.pad):
                ids, mask = (torch.from_numpy(given).to(self._device) for given in (batch.ids, batch.mask))
                found = self._model(input_ids=ids, attention_mask=mask).logits[:, place].double().cpu().numpy()
                logits[batch.place] = found[: len(batch.place)]
        return cast(list[float], (1 / (1 + np.exp(-np.maximum.reduceat(logits, first)))).tolist())


def _without_position_ids(state: Mapping[str, Any]) -> dict[str, Any]:
    """Checkpoints written before transformers 4.31 hold the counter 0, 1, 2 ... that later versions make themselves."""
    return {name: value for name, value in state.items() if not name.endswith("embeddings.position_ids")}
