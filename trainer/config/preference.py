"""The section `preference`: from prompts to pairs with rewards, and the loss that learns from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lauter.trainer.config.fields import Fraction, Number, Positive, Section

Above0 = Annotated[Number, Field(gt=0)]


def _defaults(value: object) -> object:
    """A key with nothing after it means the defaults, as if it were not there."""
    return {} if value is None else value


class EndpointSection(Section):
    """A server that speaks OpenAI's chat completions."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    """Up to and with the version: `http://127.0.0.1:8000/v1`."""
    model: str
    """Its name there."""
    concurrency: Positive = 8
    """Requests at the same time."""
    tries: Positive = 5
    """Of one request, where the server is busy or away; the waits between them double from half a second."""
    timeout_seconds: Above0 = 300.0
    key_variable: str | None = None
    """Variable of the environment that holds the key; none where the server asks for none."""


class ReferencesSection(Section):
    """Completions of each prompt by the reference model, which rewards are measured against."""

    completions: Positive = 10
    """Of each prompt."""
    new_tokens: Positive = 1024
    """At most, of each; one that is cut there counts for the quantiles but is never learnt from."""
    temperature: Above0 = 1.0
    """Only at 1, with `top_p` 1, are quantile rewards uniform under the reference model."""
    top_p: Annotated[Number, Field(gt=0, le=1)] = 1.0
    batch: Positive = 16
    """Prompts that are sampled from together: the cache holds batch x completions sequences."""
    endpoint: EndpointSection | None = None
    """Who samples in place of this process: it must serve the same weights."""


class JudgeSection(Section):
    """A language model that gives a score, with a text of principles before it."""

    endpoint: EndpointSection
    charter: str
    """File with the principles, relative to the config."""
    lowest: Annotated[int, Field(ge=0, le=9)] = 1
    highest: Annotated[int, Field(ge=0, le=9)] = 9
    """Scores are one digit, so that their probabilities can be read from one token."""

    @model_validator(mode="after")
    def _scores_ascend(self) -> JudgeSection:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest ({self.lowest}) must be below highest ({self.highest})")
        return self


class RewardSection(Section):
    """What a completion is worth: one of three."""

    function: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")] | None = None
    """`module:name` or `file.py:name` (relative to the config): called with the conversation and the answer's text, it
    gives a number."""
    model: str | None = None
    """Folder of a reward model: Hugging Face's sequence classification with one label, on our architecture."""
    judge: JudgeSection | None = None

    @model_validator(mode="after")
    def _one(self) -> RewardSection:
        if sum(one is not None for one in (self.function, self.model, self.judge)) != 1:
            raise ValueError("give one of `function`, `model` and `judge`")
        return self


class PairsSection(Section):
    """Which two completions of a prompt are learnt from."""

    choice: Literal["published", "spread", "random"] = "published"
    """`published` (arXiv 2509.14233, section 4.3): one better than all of the reference model's, and one that is not
    better than `worst` of them; prompts without are left out. `spread`: the best and the worst there are. `random`: any
    two."""
    per_prompt: Positive = 1
    """At most; no completion is in two."""
    worst: Fraction = 0.2


class PreferenceSection(Section):
    """Present where a model learns from preferences (`lauter tune qrpo`, `lauter tune dpo`)."""

    prompts: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """JSON Lines or Parquet files of conversations, relative to the config: rows with `messages`, or pairs with
    `chosen` and `rejected`. What answers the last question there is a candidate beside the reference model's own."""
    data: str | None = None
    """Folder where completions, rewards and pairs are kept. Default: `preferences` in the run folder."""
    block: Positive = 256
    """Prompts of one file, which a kill loses at most."""
    beta: Above0 = 5.0
    normalised: bool = True
    """Divide beta by the completion's length in tokens."""
    largest_beta: Above0 | None = 0.1
    """Of QRPO, after the division."""
    references: Annotated[ReferencesSection, BeforeValidator(_defaults)] = ReferencesSection()
    reward: RewardSection
    pairs: Annotated[PairsSection, BeforeValidator(_defaults)] = PairsSection()


def seen_from(section: PreferenceSection, folder: Path) -> PreferenceSection:
    """The section with its paths absolute, as seen from the config's folder."""
    reward = section.reward
    if reward.function is not None and reward.function.partition(":")[0].endswith(".py"):
        file, _, name = reward.function.rpartition(":")
        reward = reward.model_copy(update={"function": f"{(folder / file).resolve()}:{name}"})
    if reward.model is not None:
        reward = reward.model_copy(update={"model": str((folder / reward.model).resolve())})
    if reward.judge is not None:
        charter = str((folder / reward.judge.charter).resolve())
        reward = reward.model_copy(update={"judge": reward.judge.model_copy(update={"charter": charter})})
    return section.model_copy(
        update={
            "prompts": tuple(str((folder / path).resolve()) for path in section.prompts),
            "data": None if section.data is None else str((folder / section.data).resolve()),
            "reward": reward,
        }
    )
