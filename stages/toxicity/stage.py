"""How toxic a document is: the share of its words that a word list of its language holds, or a Detoxify checkpoint.

Writes `toxicity` in ten-thousandths; null where the model cannot judge the language: not judged is not clean, and a
document that was not judged is kept.

`lexicon`, the default, counts swear words, slurs and insults in 29 languages (`lexicon.py` has the formula). It knows
words, not meaning: hatred in polite words passes, and a page that quotes slurs is hit. It is meant to take out what is
dense in abuse, and at the default `max_score` it drops none of 1,995 ordinary web pages (1.9 % hold any term). Share of
posts above `max_score` in public sets, toxic / not toxic; HateCheck is made to be hard, and its posts that are not
hateful quote slurs and swear on purpose:

* English: Davidson 81 % / 2 %, Surge 27 % / 2 %, OLID 27 % / 2 %, Toxic Spans 9 %, HateCheck 14 % / 26 %.
* German: GermEval 2018 7 % / 0 %. French: MLMA 7 % / 1 %. Portuguese: 12 % / 3 %. Russian: 13 % / 3 %.
  Indonesian: 20 % / 1 %. Japanese: 12 % / 0 %. Korean: 2 % / 0 %. Chinese: COLD 2 % / 0 %. Arabic: 0 to 2 % / 0 to 2 %.
* Multilingual HateCheck: de 7 / 12 %, es 10 / 13 %, fr 7 / 11 %, it 10 / 16 %, nl 6 / 7 %, pl 8 / 9 %, pt 7 / 10 %,
  zh 5 / 6 %. Thai: no toxic posts at hand; 2 of 18 of SEA-HateCheck that are not.

In 810 ordinary Chinese, Japanese, Korean and Thai texts (language test sets) no term was found, nor in 133 web pages
in the first three.

`detoxify` runs a trained classifier from local files (`detoxify.py`): about one 512-token chunk a second on one core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import ModelPath, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.toxicity.detoxify import Detoxify
from lauter.stages.toxicity.lexicon import Lexicon
from lauter.stages.toxicity.report import toxicity_report

_TOXIC = 1  # place in `reasons`, from 1


class ToxicityConfig(StageConfig):
    """Parameters of the toxicity stage."""

    model: Literal["lexicon", "detoxify"] = "lexicon"
    """Word lists, or a checkpoint (needs the extra `toxicity`)."""
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
    threads: int = Field(default=1, ge=1)
    """For `detoxify`: CPU threads of one worker."""
    max_score: float = Field(default=0.5, ge=0, le=1)
    """Score above which a document is dropped. For `lexicon`, 0.5 is one word in 50 (more in
    `lexicon.py`); for `detoxify`, a probability."""

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        files = (self.checkpoint, self.encoder_config, self.tokenizer)
        if self.model == "detoxify" and None in files:
            raise ValueError("the detoxify model needs `checkpoint`, `encoder_config` and `tokenizer`")
        if self.model == "lexicon" and any(files):
            raise ValueError("model files are for the detoxify model; set `model: detoxify`")
        return self


class Toxicity:
    """Scores toxicity, and drops documents above a threshold."""

    name: ClassVar[str] = "toxicity"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("badwords-py",)
    Config: ClassVar[type[StageConfig]] = ToxicityConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "language")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "toxicity")
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("toxic"),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"max_score"})

    def __init__(self, config: ToxicityConfig, context: StageContext) -> None:
        self._config = config
        self._model: Lexicon | Detoxify | None = None

    def open(self) -> None:
        """Load the lists or the checkpoint.

        Raises:
            MissingExtraError: torch or transformers is not installed (`pip install lauter[toxicity]`).
            ValueError: The checkpoint is none of Detoxify, or has no class `label`.
        """
        config = self._config
        if config.model == "lexicon":
            self._model = Lexicon()
            return
        if config.checkpoint is None or config.encoder_config is None or config.tokenizer is None:
            raise ValueError("the detoxify model needs `checkpoint`, `encoder_config` and `tokenizer`")
        model = Detoxify(config.checkpoint, config.encoder_config, config.tokenizer, config.threads)
        model.probability("", config.label)
        self._model = model

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score each text; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        text = cast(pa.LargeStringArray, batch.column("text").cast(pa.large_string()).fill_null(""))
        language = cast(pa.StringArray, batch.column("language").cast(pa.string()))
        match self._model:
            case Lexicon():
                score: pa.Array = self._model.score(text, language)
            case Detoxify():
                score = self._probabilities(self._model, text, language)
            case None:
                raise RuntimeError("open() comes before apply()")
        return Verdict(reason=np.zeros(batch.num_rows, np.uint8), columns={"toxicity": score})

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what is above `max_score`; the rule names score and threshold, never a word."""
        most = round(self._config.max_score * schema.RATIO_SCALE)
        column = scores.column("toxicity").to_pylist()
        toxic = [score is not None and score > most for score in column]
        rules = [
            {"signal": "toxicity", "text": f"{_decimal(score)} > {_decimal(most)}"} if drop else None
            for score, drop in zip(column, toxic, strict=True)
        ]
        return Verdict(
            reason=np.where(toxic, _TOXIC, 0).astype(np.uint8),
            rule=cast(pa.StructArray, pa.array(rules, schema.RULE)),
        )

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: ToxicityConfig) -> ReportSection:
        """How documents were scored and how many were dropped."""
        return toxicity_report(summary, config.model, config.max_score)

    def _probabilities(self, model: Detoxify, text: pa.LargeStringArray, language: pa.StringArray) -> pa.Array:
        wanted = frozenset(self._config.languages)
        values = [
            round(model.probability(body, self._config.label) * schema.RATIO_SCALE) if label in wanted else None
            for body, label in zip(text.to_pylist(), language.to_pylist(), strict=True)
        ]
        return pa.array(values, pa.uint16())


def _decimal(score: int) -> str:
    """0.8215 for 8215."""
    return f"{score / schema.RATIO_SCALE:.4f}"
