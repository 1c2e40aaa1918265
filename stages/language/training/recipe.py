"""The recipe of the embedded model: every number that decides what is trained, read from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lauter.stages.language.fasttext.read import MOST_BUCKETS, MOST_COLUMNS

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Sampling(_Part):
    """How many lines an epoch has of each label, and what they are made of."""

    lines: Positive
    """Lines of a label with `rich` word types. Above, they grow with the square root of the types."""
    rich: Positive
    """Word types from which evidence is rich."""
    most_lines: Positive
    """Lines that no label has more of."""
    thin_lines: Positive
    """Lines of a label without any word type; between the two the number grows with the word types."""
    thin_slope: Annotated[float, Field(ge=0)]
    """Lines that each word type adds below `rich`."""
    sources: dict[str, Annotated[float, Field(ge=0.001, le=1000)]]
    """Weight of each source among those of a label, in whole thousandths. A source that is not named is left out."""
    lists: tuple[str, ...] = Field(default=(), strict=False)
    """Sources that are lists of words. Lines of text from such a source were drawn from it: their words are counted."""
    least_entries: Positive
    """Lines or words below which a source of a label is left out, if it has others."""
    most_words: Positive
    """Words, the most frequent first, that are read of a list."""
    power_in_quarters: Annotated[int, Field(ge=1, le=4)]
    """Words of a list are drawn by this power of their counts, in quarters: 3 is the power 3/4, that makes rare words
    more frequent (T. Mikolov et al., arXiv:1310.4546, section 2.2, for the same reason)."""
    words_median: Annotated[float, Field(gt=0)]
    """Median of the words of a line that is drawn from a list. The logarithm is normally distributed."""
    words_spread: Annotated[float, Field(gt=0)]
    """Standard deviation of that logarithm."""
    words_least: Positive
    words_most: Positive
    crop: Share
    """Share of the lines of running text that are cut to a random part."""

    @model_validator(mode="after")
    def _least_is_below_most(self) -> Sampling:
        if self.words_least > self.words_most:
            raise ValueError(f"words_least {self.words_least} is above words_most {self.words_most}")
        return self


class HeldOut(_Part):
    """What is kept out of training to score with."""

    one_line_in: Annotated[int, Field(ge=2)]
    """Of the lines of running text, one in this many."""
    lines: Positive
    """Of these, the most that a label is scored with."""
    one_type_in: Annotated[int, Field(ge=2)]
    """Of the word types of a label's lists, one in this many."""
    least_types: Positive
    """But at least this many, as long as they are not more than an eighth."""
    frequent: Annotated[int, Field(ge=0)]
    """The most frequent words of each list, which are not kept out."""
    word_lines: Positive
    """Lines of such types that a label is scored with."""
    words: Positive
    """Words of each."""


class Network(_Part):
    """The shape of the model, and how its numbers are found."""

    dim: Annotated[int, Field(ge=16, le=MOST_COLUMNS, multiple_of=16)]
    members: Positive
    """Models of which each has its part of the dimensions, is trained alone and from other lines, and whose logits are
    averaged: their errors by chance cancel (L. Hansen, P. Salamon, IEEE TPAMI 12, 1990)."""
    minn: Positive
    maxn: Positive
    buckets: Annotated[int, Field(ge=1, le=MOST_BUCKETS)]
    """Numbers that n-grams are hashed to."""
    words: Annotated[int, Field(ge=0)]
    """Whole words with a row of their own: those that are drawn most often."""
    epochs: Positive
    batch: Annotated[int, Field(ge=4, multiple_of=4)]
    """Lines between two changes of the output matrix."""
    rate: Annotated[float, Field(gt=0)]
    """Adagrad's rate for the rows of features, falling to 0 in a straight line."""
    output_rate: Annotated[float, Field(gt=0)]
    """The same for the output matrix, as a multiple of `rate`."""
    word_dropout: Share
    """Share of the word rows of a line that are left out, so that n-grams learn to do without."""
    ngram_dropout: Share
    adjustment: Annotated[float, Field(ge=0)]
    """How much labels with few word types are preferred (see `network.raised_logits`)."""
    temperature: Annotated[float, Field(gt=0)]
    """What the output matrix is divided by in the end, so that answers are right as often as their probabilities say
    (C. Guo et al., arXiv:1706.04599, section 4.2)."""
    favoured: dict[str, float] = Field(default_factory=dict)
    """Labels that are preferred, and by how many nats: a text of the web is in English far more often than in a
    language that is like it."""
    smoothing: Share
    """Share of a line's probability that is spread over all labels (C. Szegedy et al., arXiv:1512.00567, section 7)."""

    @model_validator(mode="after")
    def _members_and_ngrams_can_be(self) -> Network:
        if self.dim % (16 * self.members):
            raise ValueError(f"dim {self.dim} is no multiple of 16 for each of {self.members} members")
        if self.minn > self.maxn:
            raise ValueError(f"minn {self.minn} is above maxn {self.maxn}")
        return self


class Quantisation(_Part):
    """How the rows of features are made small (H. Jegou et al., Product Quantization, IEEE TPAMI 33, 2011)."""

    part: Positive
    """Numbers of a row that one byte stands for."""
    features: Positive
    """Rows that are kept: words, and the buckets of n-grams that are drawn most often."""
    sample: Positive
    """Rows that centroids are found with."""
    iterations: Positive
    """Rounds of k-means."""


class Words(_Part):
    """The lists of words beside the model (`word_lists`, `evidence.weigh`)."""

    most: Positive
    """Words of a label's list."""
    most_favoured: Positive
    """Of that of a label that `network.favoured` names."""
    missing: Annotated[float, Field(gt=0)]
    """Of the words of a text in a language with t known word types, the share that is new is taken to be
    `missing` * t ^ -`missing_power`."""
    missing_power: Annotated[float, Field(gt=0, le=1)]
    weight: Annotated[float, Field(ge=0, le=100)]
    """Of the evidence in the choice among labels."""


class Recipe(_Part):
    """All of it."""

    seed: Annotated[int, Field(ge=0)]
    without: tuple[str, ...] = Field(default=(), strict=False)
    """Labels of the data that are not trained."""
    sampling: Sampling
    held_out: HeldOut
    network: Network
    quantisation: Quantisation
    words: Words

    @model_validator(mode="after")
    def _parts_divide_the_dimension(self) -> Recipe:
        # Told before the training, not after it.
        if self.network.dim % self.quantisation.part:
            raise ValueError(
                f"quantisation.part {self.quantisation.part} does not divide network.dim {self.network.dim}"
            )
        return self

    @staticmethod
    def read(path: Path) -> Recipe:
        """Read a recipe.

        Raises:
            ValueError: The file is no YAML, or not a recipe; the message says where and what.
            OSError: The file cannot be read.
        """
        try:
            return Recipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            raise ValueError(f"{path} is no YAML: {problem}") from None
        except ValidationError as problem:
            first = problem.errors()[0]
            where = "".join(f"{step}." for step in first["loc"]).rstrip(".")
            raise ValueError(f"{path}: {where}: {first['msg']}" if where else f"{path}: {first['msg']}") from None
