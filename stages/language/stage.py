"""Which language a document is in: by its script and a fastText model, over pieces or lines of its text.

Writes `language` (`deu_Latn`: ISO 639-3 and ISO 15924), `script` (`Latn`) and `language_score` (the probability in
ten-thousandths), and what shows that a page is in two languages: `second_language` and the share of the letters that
stand in pieces or lines of it, and the share of those that are of another script. A text with too few letters, or in a
script that no label of the model has, is `und_` and its script, without a score; what is no language is `zxx_Zzzz`.
Both are answers, not errors. How it is found stands in `identify`, what of a document is judged in `pieces`.

The default model comes with Lauter and knows 1,900 languages (its card lies beside it). `lid.176` is that of
A. Joulin et al. (arXiv:1607.01759 and arXiv:1612.03651; CC-BY-SA-3.0) with 176, `glotlid` that of A. H. Kargaran et al.
(arXiv:2310.16248) with 2,102, which is fetched once; and any supervised fastText model can be named by its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, model_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, ModelPath, Reason, ReportSection, StageConfig, StageContext, Verdict
from lauter.stages.kernels.words import text_buffers
from lauter.stages.language.hub import check
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels import LABEL, is_unidentified
from lauter.stages.language.labels.named import check_named
from lauter.stages.language.least_score import counted, decimal, model_of_file, of_file, of_run, of_table, quantised
from lauter.stages.language.load import EMBEDDED, NAMED, known_labels, load, possible
from lauter.stages.language.pieces import lines, pieces
from lauter.stages.language.report import language_report

Label = Annotated[str, StringConstraints(pattern=f"^{LABEL.pattern}$")]
Probability = Annotated[float, Field(ge=0, le=1)]

_UNIDENTIFIED, _NOT_WANTED, _SCORE, _NO_LANGUAGE = 1, 2, 3, 4  # places in `reasons`, from 1
_NOISE = "zxx_"


class RunThresholds(StageConfig):
    """Thresholds from the scores of the run itself: clip(median - standard deviation, low, high) of each label.

    The defaults are FineWeb-2's (arXiv:2506.20920).
    """

    low: Probability = 0.3
    """The least that a threshold may be."""
    high: Probability = 0.9
    """The most that it may be."""
    min_documents: int = Field(default=1000, ge=1)
    """Documents of a label in the run below which its threshold is the fixed one."""

    @model_validator(mode="after")
    def _in_order(self) -> RunThresholds:
        if self.low > self.high:
            raise ValueError(f"`low` {self.low} is above `high` {self.high}")
        return self


class LanguageConfig(StageConfig):
    """Parameters of the language stage."""

    embedded: ClassVar[tuple[str, ...]] = NAMED
    """Values of `model` that are no files."""

    model: ModelPath | Literal["embedded", "lid.176", "glotlid"] = EMBEDDED
    """A fastText model (.bin or .ftz) with labels like `__label__deu_Latn` or those of lid.176; or one by name: the
    one that comes with Lauter, `lid.176`, which does too, or `glotlid`, which is fetched once, 1.6 GB."""
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    """What the file of `model` must have: for one by path, and for `glotlid`, which has no other mark than its name."""
    normalise: bool | None = None
    """Whether the model sees text as the embedded one was trained on it: letters only, in lower case. None: only the
    embedded one does. A model that `lauter lang train` made wants true."""
    word_lists: ModelPath | None = None
    """The word lists of a model by path, `model.words` of `lauter lang train`. The embedded model has its own."""
    piece_chars: int = Field(default=700, ge=1)
    """Code points of each piece that is judged: a text of up to three times as many is judged in full, a longer one by
    its head, middle and tail."""
    lines: bool = False
    """Judge each line of the pieces, and let them vote by their letters: for sites whose pages have parts in another
    language. Short lines are judged together with the next."""
    top_k: int = Field(default=1, ge=1, le=10)
    """Languages of each document that are kept with their probabilities in `top_languages`; 1: none but the first."""
    min_letters: int = Field(default=10, ge=1)
    """A text with fewer letters in its pieces is not identified."""
    min_score: Probability | None = None
    """Probability below which a document is dropped, for labels without a threshold of their own. None: what the table
    of the embedded model says of a document in each label; for other models 0.3."""
    thresholds: dict[Label, Probability] = Field(default_factory=dict)
    """The same for single labels: label -> probability. It comes before all others."""
    run_thresholds: RunThresholds | None = None
    """Thresholds from the scores of the run itself, `{}` for the defaults. They come before `languages_file`."""
    languages_file: FilePath | None = None
    """A file of `lauter lang thresholds`: `language_score` of each label."""
    languages: tuple[Label, ...] | None = Field(default=None, strict=False)
    """Labels to keep; none: every language. What is in no language, or not identified, is kept only if its `und_` or
    `zxx_` label is named here."""


class Language:
    """Identifies the language, and drops documents that are in none, in an unwanted one, or unsure."""

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 6
    Config: ClassVar[type[StageConfig]] = LanguageConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language", "script")
    scores: ClassVar[pa.Schema] = pa.schema(
        [
            schema.DOCUMENT.field("language"),
            *schema.fields(
                schema.SCORE,
                "language_score",
                "second_language",
                "second_language_share",
                "other_script_share",
                "top_languages",
            ),
        ]
    )
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("language-unidentified"),
        Reason("language-not-wanted"),
        Reason("language-score"),
        Reason("no-language"),
    )
    decision_fields: ClassVar[frozenset[str]] = frozenset(
        {"min_score", "thresholds", "run_thresholds", "languages_file", "languages"}
    )

    @classmethod
    def check_config(cls, config: LanguageConfig) -> None:
        """Raise ValueError for a file that is not as it should be, and for labels that the model does not have.

        The labels of a model that would have to be fetched first are not known.
        """
        if config.sha256 is not None and config.model not in NAMED:
            check(Path(config.model), config.sha256)
        if config.word_lists is not None:
            if config.model in NAMED:
                raise ValueError(f"`word_lists` are of a model by path; {config.model} has none but what comes with it")
            load(config.model, normalised=bool(config.normalise), lists=Path(config.word_lists))
        if config.languages_file is not None:
            of_file(config.languages_file)
        named = [*(config.languages or ()), *config.thresholds]
        known = possible(config.model) if named else None
        if known is not None:
            check_named(named, known, config.model)

    def __init__(self, config: LanguageConfig, context: StageContext) -> None:
        self._config = config
        self._identifier: Identifier | None = None
        self._names = self._scripts = pa.array([], pa.string())
        self._is_unknown = np.empty(0, np.bool_)
        self._of_run: Mapping[str, int] = {}

    def open(self) -> None:
        """Load the model.

        Raises:
            ValueError: The file is no fastText model, or one with labels that are not understood.
        """
        config = self._config
        lists = None if config.word_lists is None else Path(config.word_lists)
        self._identifier = load(config.model, normalised=config.normalise, sha256=config.sha256, lists=lists)
        names = self._identifier.names
        self._names, self._scripts = pa.array(names, pa.string()), pa.array([name[4:] for name in names], pa.string())
        self._is_unknown = np.array([name.startswith("und_") for name in names], np.bool_)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Identify each text; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._identifier is None:
            raise RuntimeError("open() comes before apply()")
        config = self._config
        offsets, data = text_buffers(batch.column("text"))
        units = pieces(data, offsets, config.piece_chars)
        if config.lines:
            units = lines(units)
        found = self._identifier.judge(units, config.top_k, config.min_letters, by_lines=config.lines)
        first = found.labels[:, 0]
        return Verdict(
            reason=np.zeros(batch.num_rows, np.uint8),
            columns={
                "language": self._names.take(pa.array(first)),
                "script": self._scripts.take(pa.array(first)),
                "language_score": _ratios(found.probabilities[:, 0], self._is_unknown[first]),
                "second_language": self._names.take(pa.array(found.second, mask=found.second < 0)),
                "second_language_share": _ratios(found.share, found.second < 0),
                "other_script_share": _ratios(found.other_script, np.zeros(batch.num_rows, np.bool_)),
                "top_languages": self._top(found.labels, found.probabilities),
            },
        )

    @classmethod
    def surveys(cls, config: LanguageConfig) -> bool:
        """Whether thresholds come from the scores of the run (`surveying.SurveyingStage`)."""
        return config.run_thresholds is not None

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """Label and score of each document that is in a language, as one number."""
        return counted(scores)

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn how many documents of the run have each score in each language."""
        run = self._config.run_thresholds or RunThresholds()
        self._of_run = of_run(number, documents, (run.low, run.high), run.min_documents)

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop what is in no language, the unidentified, the unwanted and the unsure; the rule says what was found."""
        labels = scores.column("language").cast(pa.string()).fill_null("unknown").dictionary_encode()
        names: list[str] = labels.dictionary.to_pylist()
        index = labels.indices.to_numpy()
        score = scores.column("language_score").fill_null(0).to_numpy().astype(np.int64)
        scored = scores.column("language_score").is_valid().to_numpy(zero_copy_only=False)
        least = np.array([self._least(name) for name in names] or [0], np.int64)[index]
        reason = np.array([self._unwanted(name) for name in names] or [0], np.uint8)[index]
        unsure = (reason == 0) & ~np.array([_is_none(name) for name in names] or [False], np.bool_)[index]
        reason[unsure & (~scored | (score < least))] = _SCORE
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        for row in np.flatnonzero(reason).tolist():
            text = names[index[row]]
            if reason[row] == _SCORE:
                found = decimal(int(score[row])) if scored[row] else "unknown"
                text = f"{text} {found} < {decimal(int(least[row]))}"
            rules[row] = {"signal": "language", "text": text}
        return Verdict(reason=reason, rule=cast(pa.StructArray, pa.array(rules, schema.RULE)))

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: LanguageConfig) -> ReportSection:
        """Which languages there are, and how well the model knows them."""
        section = language_report(summary["languages"], known_labels(config.model))
        made_for = None if config.languages_file is None else model_of_file(config.languages_file)
        if config.model in NAMED and made_for in NAMED and made_for != config.model:
            return replace(section, warnings=(*section.warnings, _other_model(config, made_for)))
        return section

    def _unwanted(self, label: str) -> int:
        """The reason to drop a document for its label alone, 0 for none."""
        wanted = self._config.languages
        if wanted is not None and label in wanted:
            return 0
        if _is_none(label):
            return _NO_LANGUAGE if label.startswith(_NOISE) else _UNIDENTIFIED
        return 0 if wanted is None else _NOT_WANTED

    def _least(self, label: str) -> int:
        """The least score of a label, in ten-thousandths."""
        config = self._config
        if label in config.thresholds:
            return quantised(config.thresholds[label])
        in_file = of_file(config.languages_file) if config.languages_file is not None else {}
        for known in (self._of_run, in_file):
            if label in known:
                return known[label]
        if config.min_score is not None:
            return quantised(config.min_score)
        return of_table(known_labels(config.model).get(label))

    def _top(self, labels: NDArray[np.int32], probabilities: NDArray[np.float64]) -> pa.Array:
        """The labels of each document with their probabilities, null where only one is kept."""
        kind = schema.SCORE.field("top_languages").type
        if self._config.top_k == 1:
            return pa.nulls(len(labels), kind)
        there = labels >= 0
        each = pa.StructArray.from_arrays(
            [self._names.take(pa.array(labels[there])), _ratios(probabilities[there], np.zeros(there.sum(), np.bool_))],
            fields=list(schema.LANGUAGE),
        )
        offsets = np.append(0, np.cumsum(there.sum(axis=1))).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), each, type=kind)


def _is_none(label: str) -> bool:
    return label == "unknown" or is_unidentified(label)


def _other_model(config: LanguageConfig, made_for: str) -> str:
    name = Path(config.languages_file or "").name
    return (
        f"the thresholds of language_score in {name} are for scores of {made_for}, and the language stage used "
        f"{config.model}, whose scores mean something else: make your own with `lauter lang thresholds`, set "
        f"`run_thresholds: {{}}`, or use `model: {made_for}`"
    )


def _ratios(values: NDArray[np.float64], null: NDArray[np.bool_]) -> pa.Array:
    """Ratios in ten-thousandths, half to even; null where the mask says so."""
    return pa.array(np.rint(values * schema.RATIO_SCALE).astype(np.uint16), mask=null)
