"""Encoders of the XLM-R class from local files, and the mean of what they give: one vector a chunk.

torch: config.json, and weights as safetensors or as a .bin that is read with `weights_only=True`, which refuses
anything but tensors. ONNX: a graph with the inputs `input_ids` and `attention_mask` whose first output is the last
hidden state. Nothing is fetched. The vector of a chunk is the mean over its tokens, marks included, as Apertus and
FineWeb2-HQ have it (arXiv:2502.10361); padding is masked.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lauter.stages.encoders.batches import batches
from lauter.stages.encoders.extras import MissingExtraError

if TYPE_CHECKING:
    import torch

Device = Literal["cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]

_MODELS = {"bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel"}
"""`model_type` of a config.json -> class of transformers."""
_NO_PART = ("lm_head.", "cls.", "classifier.", "pooler.")
"""Weights of a checkpoint that the encoder has no use for."""


class Model(Protocol):
    """An encoder."""

    def hidden(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """The means over the tokens of each row, shape (rows, width), from ids and mask of shape (rows, length)."""
        ...


def load(weights: str, config: str | None, device: Device, precision: Precision, threads: int) -> Model:
    """An encoder that is ready: of ONNX where the file ends in .onnx, else of torch.

    Raises:
        MissingExtraError: What it runs on is not installed.
        ValueError: The files are none, do not fit each other, or the device is not there.
        OSError: A file cannot be read.
    """
    if weights.endswith(".onnx"):
        return OnnxModel(weights, device, threads)
    if config is None:
        raise ValueError("an encoder of torch needs its config.json: `encoder_config`")
    return TorchModel(weights, config, device, precision, threads)


def embed(model: Model, chunks: Sequence[Sequence[int]], batch_tokens: int, pad: int) -> NDArray[np.float32]:
    """The vector of each chunk, shape (n, width), n > 0; that of a chunk depends on no other chunk (`batches`)."""
    found: NDArray[np.float32] | None = None
    for batch in batches(chunks, batch_tokens, pad):
        vectors = model.hidden(batch.ids, batch.mask)
        if found is None:
            found = np.empty((len(chunks), vectors.shape[1]), np.float32)
        found[batch.place] = vectors[: len(batch.place)]
    if found is None:
        raise ValueError("there is no chunk to embed")
    return found


def width_of(model: Model, tokens: int, pad: int) -> int:
    """The width of the model's vectors, from a chunk as long as any will be.

    Raises:
        ValueError: It takes no chunk of so many tokens.
    """
    # Of an id that is no padding: models of RoBERTa's kind give that one no position.
    chunk = [0 if pad else 1] * tokens
    try:
        return int(embed(model, [chunk], tokens, pad).shape[1])
    except Exception as error:
        # torch's is an IndexError or a RuntimeError, that of onnxruntime is of a hidden module.
        told = " ".join(str(error).split())[:200]
        raise ValueError(f"the encoder takes no chunk of {tokens} tokens; set `chunk_tokens` lower: {told}") from error


def digest_of(weights: str, tokenizer: str) -> str:
    """What a head says of the encoder that it was trained on: SHA-256 over the digests of weights and tokenizer."""
    whole = hashlib.sha256()
    for path in (weights, tokenizer):
        with Path(path).open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


class TorchModel:
    """An encoder of transformers."""

    def __init__(self, weights: str, config: str, device: Device, precision: Precision, threads: int) -> None:
        """Load the files; see `load` for what it raises."""
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtraError(
                f"an encoder of torch needs {error.name}, which is not installed: pip install lauter[embedding]"
            ) from error
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device: cuda`, and torch sees no GPU here")
        torch.set_num_threads(threads)
        self._torch, self._device = torch, device
        try:
            values = json.loads(Path(config).read_text("utf-8"))
            name = _MODELS[values["model_type"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{config} is the config.json of none of {', '.join(_MODELS)}: {error}") from error
        cls: Any = getattr(transformers, name)
        self._model = cls(cls.config_class.from_dict(values), add_pooling_layer=False)
        own = self._model.state_dict()
        try:
            self._model.load_state_dict({key: value for key, value in _weights(weights).items() if key in own})
        except RuntimeError as error:
            raise ValueError(f"the weights of {weights} do not fit {config}: {error}") from error
        self._model.to(device, torch.bfloat16 if precision == "bfloat16" else torch.float32).eval()

    def hidden(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """As `Model` has it."""
        torch = self._torch
        with torch.inference_mode():
            here = torch.from_numpy(mask).to(self._device)
            given = torch.from_numpy(ids).to(self._device)
            last = self._model(input_ids=given, attention_mask=here).last_hidden_state.float()
            weight = here.unsqueeze(-1).float()
            means = (last * weight).sum(1) / weight.sum(1)
        found: NDArray[np.float32] = means.cpu().numpy()
        return found


class OnnxModel:
    """An encoder as a graph for onnxruntime, in the precision that it was exported with."""

    def __init__(self, weights: str, device: Device, threads: int) -> None:
        """Load the file; see `load` for what it raises."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError(
                f"an encoder of ONNX needs {error.name}, which is not installed: pip install lauter[onnx]"
            ) from error
        providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
        if providers[device] not in onnxruntime.get_available_providers():
            raise ValueError(f"`device: {device}`, and this onnxruntime has no {providers[device]}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=[providers[device]])
        except Exception as error:
            # Its exceptions are of a hidden module, one for each code.
            raise ValueError(f"{weights} cannot be run by onnxruntime: {error}") from error
        inputs = [given.name for given in self._session.get_inputs()]
        unknown = sorted(set(inputs) - {"input_ids", "attention_mask", "token_type_ids"})
        if "input_ids" not in inputs or "attention_mask" not in inputs or unknown:
            raise ValueError(f"{weights} takes {', '.join(inputs)}, and input_ids and attention_mask were expected")
        self._inputs, self._output = inputs, self._session.get_outputs()[0].name

    def hidden(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """As `Model` has it."""
        values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (last,) = self._session.run([self._output], {name: values[name] for name in self._inputs})
        weight = mask[:, :, None].astype(np.float32)
        means: NDArray[np.float32] = (last.astype(np.float32) * weight).sum(1) / weight.sum(1)
        return means


def _weights(path: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint under the names that the bare encoder gives them."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.endswith(".safetensors"):
        try:
            state = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no file of safetensors: {error}") from error
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError(f"{path} holds no weights: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no weights: a mapping of names to tensors was expected")
    found = {}
    for key, value in state.items():
        name = key.removeprefix("roberta.").removeprefix("bert.")
        if not name.startswith(_NO_PART):
            found[name] = value
    return found
