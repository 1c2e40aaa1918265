"""The thresholds of the quality rules, with their sources.

*Gopher*: MassiveText's quality and repetition filters (arXiv 2112.11446, section A.1.1 and table A1), set on English.
*FineWeb*: the three filters found by comparing good and bad crawls (arXiv 2406.17557, section 3.6), set on English.
*C4*: Raffel et al. 2020 (JMLR 21:140, section 2.2). Off unless asked for: FineWeb-2 runs none of them, and the rule for
ends of lines cost FineWeb 30 % of its tokens (arXiv 2406.17557, section 3.5). C4's list of bad words is no rule, as
the toxicity stage has lists.
*FineWeb-2*: how these were carried to 1,868 languages (arXiv 2506.20920): rules that do not carry over are off, and the
rest has values by language.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from lauter.pipeline.contract import FilePath, ModelPath, StageConfig
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE

Share = Annotated[float, Field(gt=0, le=1)]


class Thresholds(StageConfig):
    """A document is dropped if a score lies beyond its threshold; a threshold that is `None` switches its rule off.

    The defaults are meant for a corpus of many languages. `stages.quality.PUBLISHED` has the values for English.
    A rule has no say on a document whose score is null: see `stages.quality.Quality`.
    """

    min_words: int | None = 50
    """Fewest words. Gopher: 50. Words of scripts without spaces are those of a dictionary (`kernels.segmentation`)."""
    max_words: int | None = 100_000
    """Most words. Gopher: 100,000."""
    min_mean_word_length: float | None = 2.0
    """Shortest mean word, in code points. Gopher: 3, to which Vietnamese, written in syllables, comes close."""
    max_mean_word_length: float | None = 20.0
    """Longest mean word, in code points. Gopher: 10. FineWeb-2: 15 for German, 9 in the median language. 20 leaves room
    for polysynthetic languages and for scripts whose vowel signs are code points of their own: of 391 translations of
    the Universal Declaration of Human Rights, in parts of ten paragraphs, the longest means are 16.0 in Greenlandic
    (4 of its 6 parts are above 15), 13.1 in Malayalam and 11.0 in Ashéninka."""
    max_symbol_ratio: float | None = 0.1
    """Most "#" per word, and most ellipses per word. Gopher: 0.1."""
    max_bullet_line_ratio: float | None = 0.9
    """Largest share of lines that start with a bullet. Gopher: 0.9."""
    max_ellipsis_line_ratio: float | None = 0.3
    """Largest share of lines that end with an ellipsis. Gopher: 0.3."""
    min_alphabetic_word_ratio: float | None = 0.78
    """Smallest share of words with a letter. Gopher: 0.8; FineWeb-2: 0.784 in the median language."""
    min_stop_words: int | None = 2
    """Fewest different stop words of the document's language. Gopher: 2 of 8 English ones; FineWeb-2: 2 in every
    language."""
    max_duplicate_paragraph_ratio: float | None = None
    """Largest share of paragraphs that came before. Gopher: 0.3; FineWeb-2: off."""
    max_duplicate_paragraph_char_ratio: float | None = None
    """Largest share of characters in such paragraphs. Gopher: 0.2; FineWeb-2: off."""
    max_duplicate_line_ratio: float | None = 0.3
    """Largest share of lines that came before. Gopher: 0.3; FineWeb-2: 0.428 in the median language."""
    max_duplicate_line_char_ratio: float | None = 0.1
    """Largest share of characters in such lines. Gopher: 0.2; FineWeb: 0.1 in the paper, 0.01 as
    it was run; FineWeb-2: 0.1."""
    max_top_ngram_ratios: tuple[float | None, float | None, float | None] | None = Field(
        default=(0.20, 0.18, 0.16), strict=False
    )
    """Largest share of characters in the most frequent 2-, 3- and 4-gram of words. Gopher: 0.20, 0.18, 0.16."""
    max_duplicate_ngram_ratios: (
        tuple[float | None, float | None, float | None, float | None, float | None, float | None] | None
    ) = Field(default=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=False)
    """Largest share of characters in 5- to 10-grams of words that came before. Gopher: 0.15, 0.14, … 0.10."""
    min_line_punctuation_ratio: float | None = None
    """Smallest share of lines that end a sentence. FineWeb: 0.12; FineWeb-2: set in 316 of 1,929
    languages."""
    max_short_line_ratio: float | None = None
    """Largest share of short lines. FineWeb: 0.67; FineWeb-2: off."""
    max_newline_ratio: float | None = 0.3
    """Most line breaks per word. FineWeb, as it was run: 0.3; FineWeb-2: by language."""
    min_c4_sentences: int | None = None
    """Fewest sentences in the lines that C4 keeps. C4: 5; FineWeb-2 runs none of C4's rules. Needs `c4`."""
    min_c4_line_ratio: float | None = None
    """Smallest share of characters in lines that C4 keeps; C4 itself removes the other lines. Needs `c4`."""
    max_lorem_ipsum_lines: int | None = None
    """Most lines with "lorem ipsum". C4: 0. Needs `c4`."""
    max_curly_bracket_lines: int | None = None
    """Most lines with "{". C4: 0, which was to keep code out. Needs `c4`."""


class C4Lines(StageConfig):
    """Which lines C4 keeps (`kernels.c4`); others count for nothing, and no text is changed."""

    terminal: bool = True
    """Whether a line must end in . ? ! or a quotation mark. FineWeb left this out: it cost 30 % of all tokens."""
    min_words: int = 3
    """Words that a line has at least."""
    max_word_length: int | None = 1_000
    """Code points that a word of a line has at most."""
    javascript: bool = True
    """Whether lines that say "javascript" go."""
    policy: bool = True
    """Whether lines about cookies, privacy and terms of use go."""


class QualityConfig(Thresholds):
    """Thresholds for all languages, exceptions by language, and the two parameters of the scores themselves."""

    languages: dict[str, Thresholds] = Field(default_factory=dict)
    """Thresholds by language, e.g. `deu: {max_duplicate_line_ratio: 0.263}`. What an entry does not name is as in
    `languages_file`, else as above. The key is a value of the language column; for a label with a script ("srp_Cyrl")
    the bare language serves too."""
    languages_file: FilePath | None = None
    """A languages file (`lauter lang thresholds`), whose `quality` is read. For labels in scripts without spaces it is
    the only place, but for `languages`, where a threshold of word lengths or ends of lines is taken from."""
    short_line_length: int = Field(default=30, ge=0)
    """Code points that a line has at most to be short. FineWeb: 30."""
    stop_words: FilePath | None = None
    """A languages file whose `stop_words` are used in place of the built-in ones."""
    exact_stop_words: bool = False
    """Whether a stop word must stand as it is written, in this case and without punctuation at it, as datatrove wants
    it. Else "Of," is a stop word too."""
    c4: C4Lines | None = None
    """Count what C4's rules are about: `c4: {}`. Left out, its scores are null and its rules have no say."""
    classifier: ModelPath | None = None
    """A model of `lauter quality train`: its score of each document is stored, and decides where a limit is set."""
    min_classifier: float | None = Field(default=None, ge=0, le=1)
    """The least probability of being good. A document in a language that the classifier does not know is kept."""
    keep_best: Share | None = None
    """The share of each language's documents that is kept, the best by the classifier: 0.33 or 0.1, as Apertus took of
    FineWeb2-HQ. Those that tie with the last are kept too."""
    keep_best_of: dict[str, Share] = Field(default_factory=dict)
    """Other shares for single languages, `deu_Latn: 0.1`."""
    min_documents: int = Field(default=100, ge=1)
    """Documents of a language in the run below which no share of it is taken."""

    @property
    def stop_word_flags(self) -> int:
        """How stop words are hashed (`kernels.words`)."""
        return 0 if self.exact_stop_words else FOLD_CASE | DROP_PUNCTUATION

    @model_validator(mode="after")
    def _limits_have_a_classifier(self) -> Self:
        decides = self.min_classifier is not None or self.keep_best is not None or self.keep_best_of
        if decides and self.classifier is None:
            raise ValueError("`min_classifier` and `keep_best` need a `classifier`: `lauter quality train` makes one")
        return self


PUBLISHED = QualityConfig(
    min_mean_word_length=3.0,
    max_mean_word_length=10.0,
    min_alphabetic_word_ratio=0.8,
    max_duplicate_paragraph_ratio=0.3,
    max_duplicate_paragraph_char_ratio=0.2,
    max_duplicate_line_char_ratio=0.01,
    min_line_punctuation_ratio=0.12,
    max_short_line_ratio=0.67,
)
"""The values of Gopher and FineWeb, for English, as they were run."""
