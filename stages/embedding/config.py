"""Parameters of the embedding stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lauter.pipeline.contract import ModelPath, StageConfig

Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]


def _name(item: tuple[object, object]) -> str:
    return str(item[0])


def _all_listed(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    # By name, as the order of a mapping is no part of a task's key, and the scores of a document have no names.
    return {name: [item] if isinstance(item, str) else item for name, item in sorted(value.items(), key=_name)}


class Limits(StageConfig):
    """What a document's score must be, to be kept; every limit that is given has a say."""

    min_score: Probability | None = None
    """The least probability."""
    max_score: Probability | None = None
    """The highest probability."""
    keep_best: Share | None = None
    """The share of the language's documents that is kept, the highest scores first: 0.33 or 0.1 for quality."""
    keep_lowest: Share | None = None
    """The share of the language's documents that is kept, the lowest scores first: 0.95 for toxicity."""


class Decision(Limits):
    """The limits of one head."""

    languages: dict[str, Limits] = Field(default_factory=dict)
    """Other limits for single languages, `deu_Latn: {keep_best: 0.1}`; what an entry does not name is as above."""
    min_documents: int = Field(default=100, ge=1)
    """Documents of a language in the run below which no share of it is taken: of fewer, the best tenth is chance."""

    def of(self, language: str | None) -> Limits:
        """The limits for a language."""
        own = self.languages.get(language or "")
        if own is None:
            return self
        given = {name: getattr(own, name) for name in own.model_fields_set}
        return Limits.model_validate({name: getattr(self, name) for name in Limits.model_fields} | given)


class PlacementConfig(StageConfig):
    """What one task takes of a machine."""

    cpus: float = Field(default=1.0, gt=0)
    """CPUs, or a part of one."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs, or a part of one."""


class EmbeddingConfig(StageConfig):
    """The encoder, the heads that its one pass feeds, and what is decided from their scores."""

    weights: ModelPath
    """The encoder's weights: .safetensors or .bin of a model of the XLM-R class (needs the extra `embedding`), or a
    graph for onnxruntime, .onnx (the extra `onnx`)."""
    tokenizer: ModelPath
    """The encoder's tokenizer.json."""
    encoder_config: ModelPath | None = None
    """The encoder's config.json; an .onnx needs none."""
    heads: Annotated[
        Mapping[str, Annotated[tuple[ModelPath, ...], Field(strict=False, min_length=1)]],
        BeforeValidator(_all_listed),
        Field(min_length=1, max_length=256),
    ]
    """Name of a head -> its files (`lauter embedding train`), one for some languages each. Scores stand in the order of
    these names."""
    decisions: dict[str, Decision] = Field(default_factory=dict)
    """Name of a head -> what its scores must be. A head without an entry is only scored."""
    max_chunks: int = Field(default=64, ge=1)
    """Chunks of a document that are judged for a head that takes the highest; of a longer one, so many evenly spread
    ones."""
    chunk_tokens: int = Field(default=512, ge=16, le=512)
    """Tokens of a chunk, the marks of beginning and end included."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the encoder runs. With `cuda` the stage is a step of its own, a GPU a task."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """In what the encoder of torch computes."""
    batch_tokens: int = Field(default=512, ge=512)
    """Tokens that the encoder sees at once. On a GPU 16,384 or more; on a CPU more gains nothing."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of one worker."""
    placement: PlacementConfig | None = None
    """Whether the stage is a step of its own after all others that read text, and what a task of it takes. None: it is
    with `device: cuda` alone."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = sorted(set(self.decisions) - set(self.heads))
        if unknown:
            raise ValueError(f"`decisions` names {', '.join(unknown)}, and no head is called so")
        if not self.weights.endswith(".onnx") and self.encoder_config is None:
            raise ValueError("weights of torch need `encoder_config`, the encoder's config.json")
        return self
