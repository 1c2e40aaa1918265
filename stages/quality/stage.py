"""The quality stage: scores from text, decisions from scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.pipeline.histograms import Histogram
from lauter.stages.classifier.model import Classifier
from lauter.stages.kernels.quality import measure
from lauter.stages.kernels.segmentation import word_begins
from lauter.stages.kernels.words import text_buffers
from lauter.stages.quality import classifier
from lauter.stages.quality.by_language import thresholds_for, thresholds_of
from lauter.stages.quality.c4 import C4_SCORES, c4_columns, check_c4
from lauter.stages.quality.rules import RULES, broken
from lauter.stages.quality.scores import SCORES, score_columns
from lauter.stages.quality.stop_words import StopWords, load_stop_words
from lauter.stages.quality.thresholds import QualityConfig, Thresholds
from lauter.stages.quantiles import counted, populations

LANGUAGE = "language"


class Quality:
    """Gopher's quality and repetition rules, FineWeb's quality rules and, if asked for, C4's, in every script.

    Words are cut by `kernels.words`, and by ICU's dictionaries where a script puts no spaces (`kernels.segmentation`),
    never by the language. Lines are not blank, but where bullets and ellipses are counted; paragraphs are runs of lines
    without a blank one between.
    What the rules mean in other scripts:

    * Scripts without spaces: rules on word length and on the ends of lines have a say only where thresholds are set for
      the language (`by_language`). Most words are letters for which there is no dictionary (Yi, Javanese, …): these
      count as 1/2 or 1/3 of a word, and a step of an n-gram is 2 or 3 of them.
    * There is no list of stop words for the language, or no language: the stop-word rule has no say.

    With a `classifier` there is a learned score too (`classifier`), which decides after all rules. `decide` wants the
    column `language` beside the scores if the config has thresholds by language, or a limit for that score.
    """

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("icu4py",)
    Config: ClassVar[type[StageConfig]] = QualityConfig
    reads: ClassVar[tuple[str, ...]] = ("text", LANGUAGE)
    documents: ClassVar[pa.Schema] = pa.schema([])
    scores: ClassVar[pa.Schema] = pa.schema([*SCORES, *C4_SCORES, schema.SCORE.field(classifier.COLUMN)])
    reasons: ClassVar[tuple[Reason, ...]] = (*(Reason(rule.reason) for rule in RULES), Reason(classifier.REASON))
    decision_fields: ClassVar[frozenset[str]] = frozenset(Thresholds.model_fields) | {
        *("languages", "languages_file", "min_classifier", "keep_best", "keep_best_of", "min_documents")
    }

    @classmethod
    def check_config(cls, config: QualityConfig) -> None:
        """Read the files. Raises ValueError, with file and perhaps line, for what cannot be used."""
        check_c4(config)
        if config.languages_file is not None:
            thresholds_of(config.languages_file)
        if config.stop_words is not None:
            load_stop_words(config.stop_words, config.stop_word_flags)
        if config.classifier is not None:
            classifier.load(config.classifier)

    def __init__(self, config: QualityConfig, context: StageContext) -> None:
        self.config = config
        self.context = context
        self._stop_words: StopWords | None = None
        self._classifier: Classifier | None = None
        self._populations: Mapping[int, Histogram] = {}

    def open(self) -> None:
        """Load the stop words and the classifier."""
        self._stop_words = load_stop_words(self.config.stop_words, self.config.stop_word_flags)
        if self.config.classifier is not None:
            self._classifier = classifier.load(self.config.classifier)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Score a batch with the columns `text` and `language`; drops nothing. A null text counts as empty."""
        if self._stop_words is None:
            raise RuntimeError("open() comes before apply()")
        languages = batch.column(LANGUAGE).cast(pa.string())
        spans = np.zeros((batch.num_rows, 2), np.int64)
        for language in languages.unique().to_pylist():
            place = self._stop_words.span(language) if language else None
            if place is not None:
                spans[_rows(languages, language)] = place
        offsets, data = texts = text_buffers(batch.column("text"))
        counts = measure(
            offsets,
            data,
            word_begins(offsets, data),
            self.config.short_line_length,
            self._stop_words.hashes,
            spans,
            self.config.stop_word_flags,
        )
        columns = score_columns(counts, spans[:, 1] > spans[:, 0]) | c4_columns(self.config.c4, texts)
        columns[classifier.COLUMN] = classifier.scored(self._classifier, batch.column("text"), languages)
        return Verdict(np.zeros(batch.num_rows, np.uint8), columns)

    @classmethod
    def surveys(cls, config: QualityConfig) -> bool:
        """Whether a share of the classifier's best is kept (`surveying.SurveyingStage`)."""
        return config.keep_best is not None or bool(config.keep_best_of)

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """Language and learned score of each document that has one, as one number."""
        return counted(scores.column(LANGUAGE), scores.column(classifier.COLUMN))

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn how many documents of the run have each score in each language."""
        self._populations = populations(number, documents)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """The first rule that each document breaks, with the score and the threshold as evidence.

        Raises `ValueError` if the config has thresholds by language and `scores` no column `language`.
        """
        rows = scores.num_rows
        settings, setting = self._settings(scores)
        reason = np.zeros(rows, np.uint8)
        evidence: list[dict[str, str | None] | None] = [None] * rows
        for number, rule in enumerate(RULES, 1):
            limits = [rule.limit(each) for each in settings]
            column = rule.values(scores)
            judged = np.asarray(column.is_valid()) & np.array([limit is not None for limit in limits])[setting]
            value = np.asarray(column.fill_null(0)).astype(np.int64)
            limit = np.array([each or 0 for each in limits], np.int64)[setting]
            for row in np.flatnonzero((reason == 0) & judged & broken(rule, value, limit)):
                reason[row] = number
                text = rule.evidence(int(value[row]), int(limit[row]))
                evidence[row] = {"agent": None, "signal": rule.family, "line": None, "text": text}
        for place, text in self._below(scores):
            if reason[place] == 0:
                reason[place] = len(self.reasons)
                evidence[place] = {"agent": None, "signal": classifier.SIGNAL, "line": None, "text": text}
        return Verdict(reason, rule=cast(pa.StructArray, pa.array(evidence, schema.RULE)))

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: QualityConfig
    ) -> ReportSection | None:
        """What the classifier decided, and the languages that it does not know; None without one."""
        return classifier.classifier_report(summary, config)

    def _below(self, scores: pa.RecordBatch) -> list[tuple[int, str]]:
        config = self.config
        if config.min_classifier is None and not self.surveys(config):
            return []
        if LANGUAGE not in scores.schema.names:
            raise ValueError("limits of the quality classifier need the column `language` beside the scores")
        labels: list[str] = scores.column(LANGUAGE).cast(pa.string()).fill_null("").unique().to_pylist()
        limits = {
            label: classifier.limit_of(
                label,
                config.keep_best_of.get(label, config.keep_best),
                config.min_classifier,
                config.min_documents,
                self._populations,
            )
            for label in labels
        }
        return classifier.below(scores, limits)

    def _settings(self, scores: pa.RecordBatch) -> tuple[list[Thresholds], NDArray[np.int64]]:
        # All thresholds in use, and which of them holds for each row.
        setting = np.zeros(scores.num_rows, np.int64)
        settings: list[Thresholds] = [self.config]
        if LANGUAGE not in scores.schema.names:
            if self.config.languages or self.config.languages_file:
                raise ValueError("quality thresholds by language need the column `language` beside the scores")
            return settings, setting
        languages = scores.column(LANGUAGE).cast(pa.string())
        for language in languages.unique().drop_null().to_pylist():
            own = thresholds_for(self.config, language)
            if own is not self.config:
                setting[_rows(languages, language)] = len(settings)
                settings.append(own)
        return settings, setting


def _rows(column: pa.Array[Any], value: object) -> NDArray[np.intp]:
    # Where a column has a value that is not null.
    return np.flatnonzero(np.asarray(pc.is_in(column, value_set=pa.array([value], column.type))))
