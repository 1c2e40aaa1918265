"""Parameters of the toxicity stage."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from lauter.pipeline.contract import ModelPath, StageConfig

MAX_SCORE = {"embedded": 0.9, "lexicon": 0.5, "detoxify": 0.5}
"""Score of each model above which a document is dropped where the manifest says nothing. None of 1,482 ordinary pages
has a higher one of the embedded model, and none of 1,995 of the word lists."""


class ToxicityConfig(StageConfig):
    """Parameters of the toxicity stage."""

    model: Literal["embedded", "lexicon", "detoxify"] = "embedded"
    """The embedded classifier and word lists; word lists alone; or a checkpoint of Detoxify (needs the extra
    `toxicity`)."""
    model_file: ModelPath | None = None
    """For `embedded` and a cascade: a model of your own (`lauter toxicity train`)."""
    checkpoint: ModelPath | None = None
    """For `detoxify`: the checkpoint file."""
    encoder_config: ModelPath | None = None
    """For `detoxify`: the config.json of the encoder (XLM-R base for the multilingual checkpoint)."""
    tokenizer: ModelPath | None = None
    """For `detoxify`: the tokenizer.json of the encoder."""
    label: str = "toxicity"
    """For `detoxify`: the class whose probability is the score."""
    languages: tuple[str, ...] = Field(
        default=("eng_Latn", "fra_Latn", "ita_Latn", "por_Latn", "rus_Cyrl", "spa_Latn", "tur_Latn"), strict=False
    )
    """For `detoxify`: labels of the languages it judges; the default are those of its multilingual training data."""
    cascade: tuple[float, float] | None = Field(default=None, strict=False)
    """For `detoxify`: the embedded model judges first, and a document whose score is below the first number or above
    the second keeps that score; only what lies between is shown to Detoxify. None: it judges all."""
    device: Literal["cpu", "cuda"] = "cpu"
    """For `detoxify`: where it runs. With `cuda` the stage is a step of its own, a GPU a task."""
    batch_tokens: int = Field(default=2048, ge=512)
    """For `detoxify`: tokens that it sees at once; on a GPU 16,384 or more."""
    max_chunks: int = Field(default=64, ge=1)
    """For `detoxify`: chunks of 512 tokens of a document that are judged; of a longer one, so many evenly spread ones.
    """
    threads: int = Field(default=1, ge=1)
    """For `detoxify`: CPU threads of one worker."""
    max_score: float | None = Field(default=None, ge=0, le=1)
    """Score above which a document is dropped. None: 0.9 of the embedded model, 0.5 of the others, and where
    `keep_lowest` takes its share of a language nothing more. Of word lists, 0.5 is one word in 50 (more in
    `lexicon.py`); else it is a probability."""
    keep_lowest: float | None = Field(default=None, gt=0, le=1)
    """The share of each language's documents that is kept, the lowest scores first; 0.95 is Apertus's. It takes its
    part of clean languages too, and no more of foul ones."""
    min_documents: int = Field(default=100, ge=1)
    """Documents of a language in the run below which no share is taken of it: `max_score` decides there."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        files = (self.checkpoint, self.encoder_config, self.tokenizer)
        if self.model == "detoxify" and None in files:
            raise ValueError("the detoxify model needs `checkpoint`, `encoder_config` and `tokenizer`")
        if self.model != "detoxify" and (any(files) or self.cascade is not None):
            raise ValueError("model files and `cascade` are for the detoxify model; set `model: detoxify`")
        if self.model_file is not None and self.model != "embedded" and self.cascade is None:
            raise ValueError("`model_file` is for the embedded model; set `model: embedded`, or a `cascade`")
        if self.cascade is not None:
            low, high = self.cascade
            if not 0 <= low < high <= 1:
                raise ValueError(f"cascade needs two numbers of 0 to 1, the lower first, not {low} and {high}")
            if self.keep_lowest is not None:
                raise ValueError("`keep_lowest` needs one model a language: the scores of a cascade are of two")
        return self
