"""How toxic a document is: by an embedded classifier, by word lists, or by a checkpoint of Detoxify.

Writes `toxicity` in ten-thousandths and `toxicity_model`, who judged (1 word lists, 2 embedded, 3 Detoxify); both null
where no model knows the language: not judged is not clean, and a document that was not judged is kept. The report lists
such languages.

`embedded`, the default, is a linear classifier for 11 languages (`embedded.py`; its card has the figures). Languages
that only have a list get its score. Where a text in one of the 11 is dense in the words of its list (a list's score
above 0.5), the list has a say too: 0.5 to 1 of the list become 0.9 to 1, so that all scores of a language are of one
scale, with the limits of both models in one place, and the higher one stands.

`lexicon` is the lists alone: it counts swear words, slurs and insults in 29 languages (`lexicon.py` has the formula),
and knows words, not meaning. On posts of the 11 languages the classifier's macro AUC is .86 and that of the lists .51;
at their thresholds neither drops any of 1,482 ordinary pages.

`detoxify` runs a trained network from local files (`detoxify.py`), about one 512-token chunk a second on one core; as a
cascade it sees only what the embedded model finds neither clean nor foul.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Placement, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.pipeline.histograms import Histogram
from lauter.stages.quantiles import counted, key_of, most_kept, populations
from lauter.stages.toxicity.config import MAX_SCORE, ToxicityConfig
from lauter.stages.toxicity.detoxify import Detoxify
from lauter.stages.toxicity.embedded import Embedded, classifier_of
from lauter.stages.toxicity.lexicon import Lexicon
from lauter.stages.toxicity.report import COLUMN, MODELS, toxicity_report

__all__ = ["Toxicity", "ToxicityConfig"]

_TOXIC, _TOXIC_SHARE = 1, 2  # places in `reasons`, from 1


class Toxicity:
    """Scores toxicity, and drops documents above a threshold."""

    name: ClassVar[str] = "toxicity"
    version: ClassVar[int] = 6
    libraries: ClassVar[tuple[str, ...]] = ("badwords-py",)
    Config: ClassVar[type[StageConfig]] = ToxicityConfig
    reads: ClassVar[tuple[str, ...]] = ("text", "language")
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = schema.fields(schema.SCORE, "toxicity", COLUMN)
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("toxic"), Reason("toxic-share"))
    decision_fields: ClassVar[frozenset[str]] = frozenset({"max_score", "keep_lowest", "min_documents"})

    @classmethod
    def check_config(cls, config: ToxicityConfig) -> None:
        """Read the model file. Raises ValueError for one that is none, OSError for one that cannot be read."""
        if config.model_file is not None:
            classifier_of(config.model_file)

    @classmethod
    def placement(cls, config: ToxicityConfig) -> Placement | None:
        """A step of its own on a GPU (`contract.PlacedStage`)."""
        return Placement(float(config.threads), 1.0) if config.device == "cuda" else None

    def __init__(self, config: ToxicityConfig, context: StageContext) -> None:
        self._config = config
        self._lexicon: Lexicon | None = None
        self._embedded: Embedded | None = None
        self._detoxify: Detoxify | None = None
        self._populations: Mapping[int, Histogram] = {}

    def open(self) -> None:
        """Load lists, classifier or checkpoint.

        Raises:
            MissingExtraError: torch or transformers is not installed (`pip install lauter[toxicity]`).
            ValueError: A model file is none, or the checkpoint has no class `label`.
            OSError: A model file cannot be read.
        """
        config = self._config
        self._lexicon = Lexicon()
        if config.model == "embedded" or config.cascade is not None:
            self._embedded = Embedded.load(config.model_file, self._lexicon)
        if config.model == "detoxify":
            if config.checkpoint is None or config.encoder_config is None or config.tokenizer is None:
                raise ValueError("the detoxify model needs `checkpoint`, `encoder_config` and `tokenizer`")
            model = Detoxify(
                config.checkpoint, config.encoder_config, config.tokenizer, config.threads, config.device,
                config.batch_tokens,
            )  # fmt: skip
            model.probabilities([""], config.label, 1)
            self._detoxify = model

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score each text; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._lexicon is None:
            raise RuntimeError("open() comes before apply()")
        text = cast(pa.LargeStringArray, batch.column("text").cast(pa.large_string()).fill_null(""))
        language = cast(pa.StringArray, batch.column("language").cast(pa.string()))
        score, who = np.zeros(len(text), np.uint16), np.zeros(len(text), np.uint8)
        if self._embedded is not None:
            _fill(score, who, self._embedded.score(text, language), MODELS.index("embedded") + 1)
        if self._detoxify is None:
            self._ask_lists(self._lexicon, text, language, score, who)
        else:
            self._ask_detoxify(self._detoxify, text, language, score, who)
        unjudged = who == 0
        return Verdict(
            reason=np.zeros(batch.num_rows, np.uint8),
            columns={
                "toxicity": pa.array(score, pa.uint16(), mask=unjudged),
                COLUMN: pa.array(who, pa.uint8(), mask=unjudged),
            },
        )

    @classmethod
    def surveys(cls, config: ToxicityConfig) -> bool:
        """Whether a share of each language is kept (`surveying.SurveyingStage`)."""
        return config.keep_lowest is not None

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """Language and score of each document that was judged."""
        return counted(scores.column("language"), scores.column("toxicity"))

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn how many documents of the run have each score, by language."""
        self._populations = populations(number, documents)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what is above `max_score` or beyond the share of its language; a rule never names a word."""
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        limits: dict[tuple[str | None, int], tuple[int, int]] = {}
        columns = (scores.column(name).to_pylist() for name in ("toxicity", COLUMN, "language"))
        for row, (score, who, label) in enumerate(zip(*columns, strict=True)):
            if score is None:
                continue
            if (label, who) not in limits:
                limits[label, who] = self._limit(label, MODELS[who - 1])
            most, kind = limits[label, who]
            if score > most:
                reason[row] = kind
                told = f"{_decimal(score)} > {_decimal(most)}"
                rules[row] = {"signal": f"toxicity by {MODELS[who - 1]}", "text": told}
        return Verdict(reason=reason, rule=cast(pa.StructArray, pa.array(rules, schema.RULE)))

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: ToxicityConfig) -> ReportSection:
        """How documents were scored, how many were dropped, and which languages nobody judged."""
        return toxicity_report(summary, _languages(config), config)

    def _limit(self, label: str | None, model: str) -> tuple[int, int]:
        """The highest score that is kept of a language, and the reason of those above it."""
        config = self._config
        population = self._populations.get(key_of(label))
        if config.keep_lowest is not None and population and population.documents >= config.min_documents:
            most = most_kept(population, config.keep_lowest)
            absolute = schema.RATIO_SCALE if config.max_score is None else quantised(config.max_score)
            return (most, _TOXIC_SHARE) if most <= absolute else (absolute, _TOXIC)
        return quantised(MAX_SCORE[model] if config.max_score is None else config.max_score), _TOXIC

    def _ask_lists(
        self,
        model: Lexicon,
        text: pa.LargeStringArray,
        language: pa.StringArray,
        score: NDArray[np.uint16],
        who: NDArray[np.uint8],
    ) -> None:
        """Judge by word lists what nobody has judged, and what is dense in their words whoever has."""
        found = model.score(text, language)
        value = found.fill_null(0).to_numpy()
        as_embedded = _as_embedded(value)
        taken = np.where(who == 0, found.is_valid().to_numpy(zero_copy_only=False), as_embedded > score)
        score[taken] = np.where(who == 0, value, as_embedded)[taken]
        who[taken] = MODELS.index("lexicon") + 1

    def _ask_detoxify(
        self,
        model: Detoxify,
        text: pa.LargeStringArray,
        language: pa.StringArray,
        score: NDArray[np.uint16],
        who: NDArray[np.uint8],
    ) -> None:
        """Show Detoxify the documents in its languages; in a cascade, those that the embedded model doubts."""
        wanted = frozenset(self._config.languages)
        asked = np.array([label in wanted for label in language.to_pylist()], np.bool_)
        if self._config.cascade is not None:
            low, high = map(quantised, self._config.cascade)
            asked &= (who == 0) | ((score >= low) & (score <= high))
        rows = np.flatnonzero(asked)
        if len(rows):
            texts = [str(body) for body in text.take(pa.array(rows)).to_pylist()]
            found = np.array(model.probabilities(texts, self._config.label, self._config.max_chunks))
            score[rows] = np.rint(found * schema.RATIO_SCALE).astype(np.uint16)
            who[rows] = MODELS.index("detoxify") + 1


def _languages(config: ToxicityConfig) -> frozenset[str]:
    """The labels of the languages that some model of the configuration judges."""
    lexicon = Lexicon()
    if config.model == "lexicon":
        return lexicon.languages
    if config.model == "detoxify" and config.cascade is None:
        return frozenset(config.languages)
    others = frozenset(config.languages) if config.model == "detoxify" else lexicon.languages
    return others | Embedded.load(config.model_file, lexicon).languages


def _fill(score: NDArray[np.uint16], who: NDArray[np.uint8], found: pa.UInt16Array, model: int) -> None:
    """Take the scores that a model gave."""
    given = found.is_valid().to_numpy(zero_copy_only=False)
    score[given] = found.fill_null(0).to_numpy()[given]
    who[given] = model


def _as_embedded(value: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Scores of word lists on the scale of the embedded model, its limit where theirs is; 0 up to theirs."""
    theirs, ours = quantised(MAX_SCORE["lexicon"]), quantised(MAX_SCORE["embedded"])
    above = np.maximum(value.astype(np.int64) - theirs, 0)
    scaled = ours + -(-above * (schema.RATIO_SCALE - ours) // (schema.RATIO_SCALE - theirs))
    return np.where(above > 0, scaled, 0).astype(np.uint16)


def quantised(value: float) -> int:
    """A share in ten-thousandths, half to even."""
    return round(value * schema.RATIO_SCALE)


def _decimal(score: int) -> str:
    """0.8215 for 8215."""
    return f"{score / schema.RATIO_SCALE:.4f}"
