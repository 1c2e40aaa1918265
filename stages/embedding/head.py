"""Heads: two small layers from a chunk's vector to a score, one file each.

A file is of safetensors: `hidden.weight` (hidden, width), `hidden.bias`, `out.weight` (outputs, hidden) and `out.bias`
as float32, and under the key `lauter` of its metadata what else there is to know as JSON (`Head.facts`). The shapes
are those of Apertus's toxicity heads (768-768-2) and of FineWeb2-HQ's quality heads (768-256-1, arXiv:2502.10361); any
others will do. Two outputs count as one: the log-odds of two classes are the difference of their logits. Dropout is
for training alone.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Chunks = Literal["first", "highest"]
"""What a document's score is: that of its first chunk (FineWeb2-HQ), or the highest of all chunks (Apertus's toxicity).
"""

_METADATA = "lauter"
_TENSORS = ("hidden.weight", "hidden.bias", "out.weight", "out.bias")


class NoHeadError(ValueError):
    """A file that is no head of Lauter, though it may hold the weights of one."""


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head."""

    weights: Mapping[str, NDArray[np.float32]]
    """By the names above."""
    chunks: Chunks
    """Which chunks of a document decide."""
    languages: tuple[str, ...]
    """Labels (`deu_Latn`) of the languages that it judges."""
    encoder: str
    """The encoder that it was trained on (`encoder.digest_of`)."""
    slope: float = 1.0
    offset: float = 0.0
    """Calibration of J. Platt (1999): log-odds = slope * logit + offset."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What people should know: data, licence, counts, scores."""

    @property
    def width(self) -> int:
        """Numbers of a chunk's vector."""
        return int(self.weights["hidden.weight"].shape[1])

    def raw(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits before calibration, shape (n,), of vectors of shape (n, width).

        In doubles: sums that come out otherwise in their last bits then never change a score.

        Raises:
            ValueError: The vectors have another width.
        """
        if vectors.shape[1] != self.width:
            raise ValueError(f"the head takes vectors of width {self.width}, and the encoder gives {vectors.shape[1]}")
        hidden_weight, hidden_bias, out_weight, out_bias = (self.weights[name].astype(np.float64) for name in _TENSORS)
        hidden = np.maximum(vectors.astype(np.float64) @ hidden_weight.T + hidden_bias, 0)
        out = hidden @ out_weight.T + out_bias
        found: NDArray[np.float64] = out[:, 0] if out.shape[1] == 1 else out[:, 1] - out[:, 0]
        return found

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated logits, shape (n,), of vectors of shape (n, width)."""
        return self.slope * self.raw(vectors) + self.offset

    def facts(self) -> dict[str, Any]:
        """All but the weights, as plain data."""
        return {
            "chunks": self.chunks,
            "languages": list(self.languages),
            "encoder": self.encoder,
            "slope": self.slope,
            "offset": self.offset,
            "card": dict(self.card),
        }


def save(head: Head, path: Path) -> None:
    """Write a head; the same bytes for the same head."""
    from safetensors.numpy import save as to_bytes

    facts = json.dumps(head.facts(), ensure_ascii=False, sort_keys=True)
    path.write_bytes(to_bytes({name: head.weights[name] for name in _TENSORS}, {_METADATA: facts}))


def load(path: str) -> Head:
    """A head from its file.

    Raises:
        ValueError: It is none; the message says where and why.
        OSError: It cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    Path(path).open("rb").close()
    try:
        with safe_open(path, "numpy") as stream:
            metadata = stream.metadata() or {}
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise NoHeadError(f"{path} is no file of safetensors: {error}") from error
    if _METADATA not in metadata:
        raise NoHeadError(f"{path} is no head of Lauter: `lauter embedding calibrate` makes one of bare weights")
    try:
        facts = json.loads(metadata[_METADATA])
        head = Head(
            weights=_checked(weights),
            chunks={"first": "first", "highest": "highest"}[facts["chunks"]],  # type: ignore[arg-type]
            languages=tuple(str(label) for label in facts["languages"]),
            encoder=str(facts["encoder"]),
            slope=float(facts["slope"]),
            offset=float(facts["offset"]),
            card=facts["card"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged head: {error}") from error
    if not (head.slope > 0 and isfinite(head.slope) and isfinite(head.offset)):
        raise ValueError(
            f"{path} has a calibration that keeps no order: slope {head.slope}, offset {head.offset}; calibrate it anew"
        )
    return head


def from_state(path: str) -> Mapping[str, NDArray[np.float32]]:
    """The weights of a head as others publish it: two linear layers, with or without dropout between, by any names.

    Raises:
        ValueError: The file holds anything else.
        OSError: It cannot be read.
    """
    if path.endswith(".safetensors"):
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            state: Mapping[str, Any] = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no file of safetensors: {error}") from error
    else:
        import torch

        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError(f"{path} holds no weights: {' '.join(str(error).split())[:200]}") from error
        if not isinstance(loaded, Mapping) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
            raise ValueError(f"{path} holds no weights: a mapping of names to tensors was expected")
        state = {name: value.float().numpy() for name, value in loaded.items()}
    layers = sorted(name.removesuffix(".weight") for name in state if name.endswith(".weight"))
    names = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    if len(layers) != 2 or names != set(state):
        raise ValueError(f"{path} holds {', '.join(sorted(state))}; a head has weight and bias of two layers")
    # Their names may be in any order: the first layer's outputs are what the second takes.
    if state[f"{layers[0]}.weight"].shape[0] != state[f"{layers[1]}.weight"].shape[-1]:
        layers.reverse()
    found = [state[f"{layer}.{part}"].astype(np.float32) for layer in layers for part in ("weight", "bias")]
    try:
        return _checked(dict(zip(_TENSORS, found, strict=True)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _checked(weights: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    if set(weights) != set(_TENSORS) or any(value.dtype != np.float32 for value in weights.values()):
        raise ValueError(f"it holds {', '.join(sorted(weights))}; float32 {', '.join(_TENSORS)} were expected")
    hidden_weight, hidden_bias, out_weight, out_bias = (weights[name] for name in _TENSORS)
    fits = hidden_weight.ndim == out_weight.ndim == 2 and out_weight.shape[0] in (1, 2)
    fits = fits and hidden_bias.shape == hidden_weight.shape[:1] and out_bias.shape == out_weight.shape[:1]
    if not fits or hidden_weight.shape[0] != out_weight.shape[1]:
        raise ValueError(f"its layers do not fit: {', '.join(str(weights[name].shape) for name in _TENSORS)}")
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ValueError("a weight is not finite")
    return weights
