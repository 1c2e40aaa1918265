"""Which language a document is in: a fastText model over the first code points of its text.

Writes `language` (`deu_Latn`: ISO 639-3 and ISO 15924), `script` (`Latn`) and `language_score` (the model's probability
in ten-thousandths). A text with too few letters, or one that the model gives no language that is written in the text's
script, is `und_` and its script, without a score: an answer, not an error.

The default model is lid.176.ftz (A. Joulin et al., arXiv:1607.01759 and arXiv:1612.03651; CC-BY-SA-3.0). It knows 176
languages. A model with labels like `deu_Latn` (GlotLID: 2,102) is named in the configuration.

Measured with lid.176.ftz on the Universal Declaration of Human Rights, in the 133 of its labels that the test data has
(lower-cased text without punctuation, so harder than a page): 73.1 % of 9,521 paragraphs right, macro-F1 0.699; of the
86.9 % at or above `min_score`, 80.8 %. On ten paragraphs at a time: 78.3 %, and 84.3 % of those kept. A third of the
16,216 paragraphs in languages that it does not know passes 0.3 under a wrong label: the tail needs a larger model.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from lauter.pipeline import schema
from lauter.pipeline.contract import ModelPath, Reason, StageConfig, StageContext, Verdict
from lauter.stages.kernels.words import text_buffers
from lauter.stages.language.labels import LABEL, Meaning, is_unidentified, meanings
from lauter.stages.language.script import UNDETERMINED, count_scripts, letters_of, scripts

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

Label = Annotated[str, StringConstraints(pattern=f"^{LABEL.pattern}$")]
Probability = Annotated[float, Field(ge=0, le=1)]

_UNIDENTIFIED, _NOT_WANTED, _SCORE = 1, 2, 3  # places in `reasons`, from 1

# Share of the letters (one in four) that a language's script must have: a Japanese page full of Latin product names is
# still Japanese, an English one that quotes a Greek word is not Greek.
_SCRIPT_SHARE = 4


class LanguageConfig(StageConfig):
    """Parameters of the language stage."""

    model: ModelPath | None = None
    """fastText model (.bin or .ftz) with labels like `__label__deu_Latn` or those of lid.176; none: lid.176.ftz."""
    max_chars: int = Field(default=2000, ge=1)
    """Code points of the text, from its beginning, that the model sees."""
    min_letters: int = Field(default=10, ge=1)
    """A text with fewer letters among these is not identified."""
    min_score: Probability = 0.3
    """Probability below which a document is dropped, for languages without a threshold of their own. 0.3 is the least
    that FineWeb-2 uses for any language (arXiv:2506.20920: median minus standard deviation, clipped to 0.3 .. 0.9)."""
    thresholds: dict[Label, Probability] = Field(default_factory=dict)
    """The same for single languages: label -> probability."""
    languages: tuple[Label, ...] | None = Field(default=None, strict=False)
    """Labels to keep; none: every language. An unidentified document is kept only if its `und_` label is named here."""


class Language:
    """Identifies the language, and drops documents that are in none, in an unwanted one, or unsure."""

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("fasttext-numpy2-wheel",)
    Config: ClassVar[type[StageConfig]] = LanguageConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language", "script")
    scores: ClassVar[pa.Schema] = pa.schema([schema.DOCUMENT.field("language"), schema.SCORE.field("language_score")])
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason("language-unidentified"),
        Reason("language-not-wanted"),
        Reason("language-score"),
    )
    decision_fields: ClassVar[frozenset[str]] = frozenset({"min_score", "thresholds", "languages"})

    def __init__(self, config: LanguageConfig, context: StageContext) -> None:
        self._config = config
        self._model: _FastText | None = None
        self._meanings: dict[str, Meaning] = {}

    def open(self) -> None:
        """Load the model.

        Raises:
            ValueError: The file is no fastText model, or one with labels that are not understood.
        """
        import fasttext

        if self._config.model is not None:
            self._model = fasttext.load_model(self._config.model)
        else:
            with resources.as_file(resources.files(__package__) / "models" / "lid.176.ftz") as path:
                self._model = fasttext.load_model(str(path))
        self._meanings = meanings(self._model.get_labels())

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Identify each text; drops nothing.

        Raises:
            RuntimeError: `open` was not called.
        """
        offsets, data = text_buffers(batch.column("text"))
        counts, ends = count_scripts(data, offsets, self._config.max_chars)
        answers = [
            self._identify(data[offsets[row] : ends[row]].tobytes(), counts[row]) for row in range(batch.num_rows)
        ]
        return Verdict(
            reason=np.zeros(batch.num_rows, np.uint8),
            columns={
                "language": pa.array([label for label, _ in answers], pa.string()),
                "script": pa.array([label[4:] for label, _ in answers], pa.string()),
                "language_score": pa.array([score for _, score in answers], pa.uint16()),
            },
        )

    def decide(self, scores: pa.RecordBatch) -> Verdict:
        """Drop the unidentified, the unwanted and the unsure, in this order; the rule says what was found."""
        config = self._config
        default = _quantise(config.min_score)
        thresholds = {label: _quantise(value) for label, value in config.thresholds.items()}
        wanted = None if config.languages is None else frozenset(config.languages)
        reason = np.zeros(scores.num_rows, np.uint8)
        rules: list[dict[str, str] | None] = [None] * scores.num_rows
        answers = zip(scores.column("language").to_pylist(), scores.column("language_score").to_pylist(), strict=True)
        for row, (label, score) in enumerate(answers):
            if label is None or is_unidentified(label):
                if wanted is None or label not in wanted:
                    reason[row] = _UNIDENTIFIED
                    rules[row] = {"signal": "language", "text": label or "unknown"}
            elif wanted is not None and label not in wanted:
                reason[row] = _NOT_WANTED
                rules[row] = {"signal": "language", "text": label}
            else:
                least = thresholds.get(label, default)
                if score is None or score < least:
                    found = "unknown" if score is None else _decimal(score)
                    reason[row] = _SCORE
                    rules[row] = {"signal": "language", "text": f"{label} {found} < {_decimal(least)}"}
        return Verdict(reason=reason, rule=cast(pa.StructArray, pa.array(rules, schema.RULE)))

    def _identify(self, sample: bytes, counts: NDArray[np.int32]) -> tuple[str, int | None]:
        """Label of one text, and its score unless the label is `und_`."""
        if self._model is None:
            raise RuntimeError("open() comes before apply()")
        codes = scripts().codes
        letters = int(counts.sum())
        unidentified = f"und_{codes[int(counts.argmax())] if letters else UNDETERMINED}"
        if letters < self._config.min_letters:
            return unidentified, None
        # fastText reads one line, and stops at a token that is its own end-of-sentence mark: a page with `</s>` in its
        # text would hide what follows. The method under `predict` is called because that one makes numpy arrays.
        line = sample.replace(b"\n", b" ").replace(b"</s>", b" ") + b"\n"
        predictions = self._model.f.predict(line, 1, 0.0, "strict")
        if not predictions:
            return unidentified, None
        probability, label = predictions[0]
        language, written_in = self._meanings[label]
        score = _quantise(min(max(probability, 0.0), 1.0))  # the sum of log-probabilities may end at 1.00004
        if not written_in:
            return language, None if is_unidentified(language) else score
        script = max(written_in, key=lambda code: letters_of(code, counts))
        if letters_of(script, counts) * _SCRIPT_SHARE < letters:
            return unidentified, None
        return f"{language}_{script}", score


def _quantise(value: float) -> int:
    """A probability in ten-thousandths, half to even."""
    return round(value * schema.RATIO_SCALE)


def _decimal(score: int) -> str:
    """0.8215 for 8215."""
    return f"{score / schema.RATIO_SCALE:.4f}"
