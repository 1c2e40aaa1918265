"""What nobody can measure: what a provider says of itself, its models and its sources.

The fields follow the template of the public summary of training content (AI Act, Art. 53(1)(d); Commission, 24 July
2025). All are optional: the report names one that is missing and never invents it. They describe a corpus and decide
nothing in it, so they are in no task's key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lauter.pipeline.quantity import Quantity

Category = Literal["crawled", "public-dataset", "licensed", "third-party", "user-data", "synthetic", "other"]


def _day(value: object) -> object:
    # YAML makes a date of 2026-03-01 and leaves "2026-03-01", in quotes, a text; a time of day says too much.
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no date; write 2026-03-01") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"{value!r} is no date; write 2026-03-01")


Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class CrawlerSection(_Declared):
    """The robot that fetched a source (template, section 2.3)."""

    name: Text | None = None
    """Its product token or User-Agent."""
    operator: Text | None = None
    purpose: Text | None = None
    behaviour: Text | None = None
    """What it did about robots.txt and other preference signals, captchas and paywalls."""


class CollectedSection(_Declared):
    """When a source was gathered, both days included."""

    start: Day | None = Field(default=None, alias="from")
    end: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError(f"`from` {self.start} is after `to` {self.end}")
        return self


class AboutSection(_Declared):
    """What a source is: the block `about:` of a source."""

    title: Text | None = None
    url: Text | None = None
    version: Text | None = None
    licence: Text | None = None
    """An SPDX identifier, or the licence's name or terms in words."""
    category: Category | None = None
    """The section of the template that it belongs to: 2.1 to 2.6. Without it a source whose kept records have URLs is
    reported as crawled, since that section asks for most."""
    description: Text | None = None
    crawler: CrawlerSection | None = None
    collected: CollectedSection | None = None


class ExpectSection(_Declared):
    """How large a source is, where its files are not: the block `expect:` of a source. Numbers as 4815e9, 15T, 200M.

    Where `bytes` are given the work is forecast from them, else from the tokens, else from the documents.
    """

    tokens: Quantity | None = None
    """Tokens that it gives to the corpus."""
    documents: Quantity | None = None
    """Documents that it gives to the corpus."""
    bytes: Quantity | None = None
    """Bytes of its files, as they lie compressed."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.tokens is None and self.documents is None and self.bytes is None:
            raise ValueError("say at least one of tokens, documents and bytes")
        return self


class BaseModelSection(_Declared):
    """A model that a model was made from."""

    name: Text
    summary: Text | None = None
    """Where its own public summary is."""


class ModelSection(_Declared):
    """A model that was trained on the corpus (template, section 1.2)."""

    name: Text
    version: Text | None = None
    placed_on_market: Day | None = None
    """When it was placed on the Union market."""
    based_on: Annotated[tuple[BaseModelSection, ...], Field(strict=False)] | None = None
    """An empty list says: on none."""


class AnswerSection(_Declared):
    """Whether data of a kind was used, and what it was."""

    used: bool
    modalities: Texts | None = None
    description: Text | None = None


class SyntheticSection(AnswerSection):
    """The same of data that models made (template, section 2.5)."""

    models: Texts | None = None
    """Which models made it."""


class SummarySection(_Declared):
    """This version of the summary itself (template, header). No build knows the day on which it is published."""

    version: Text | None = None
    updated: Day | None = None
    previous: Texts | None = None
    """Where earlier versions are."""


class RepresentativeSection(_Declared):
    """The authorised representative of a provider outside the Union."""

    name: Text
    contact: Text | None = None


class ProviderSection(_Declared):
    """Who answers for the models: the block `provider:`."""

    summary: SummarySection | None = None
    name: Text | None = None
    contact: Text | None = None
    """Address and how to reach the provider."""
    representative: RepresentativeSection | None = None
    sme: bool | None = None
    """Whether it is a small or medium-sized enterprise: its list of domains may be shorter (section 2.3)."""
    models: Annotated[tuple[ModelSection, ...], Field(strict=False, min_length=1)] | None = None
    other_modalities: Text | None = None
    """Images, audio, video: what else the models were trained on, and how much. Lauter measures text only."""
    content_types: Text | None = None
    """What kinds of text: news, fiction, scientific text, source code, ..."""
    characteristics: Text | None = None
    """Other characteristics of the data as a whole, such as regions or demographics."""
    continuous_training: bool | None = None
    """Whether a model goes on being trained on new data after it is placed on the market."""
    public_datasets: Text | None = None
    """A description of the public datasets that are not listed one by one (section 2.1)."""
    licensed: AnswerSection | None = None
    """Data under a licence from its rightsholders (section 2.2.1)."""
    third_party: AnswerSection | None = None
    """Private data from others (section 2.2.2)."""
    crawled: AnswerSection | None = None
    """Data crawled and scraped by the provider or on its behalf (section 2.3)."""
    user_data_of_model: AnswerSection | None = None
    """Interactions of users with the provider's models (section 2.4)."""
    user_data_of_services: AnswerSection | None = None
    """Data of users of the provider's other services (section 2.4)."""
    synthetic: SyntheticSection | None = None
    other_data: AnswerSection | None = None
    """Data from elsewhere, such as paper that was scanned or text written for the purpose (section 2.6)."""
    code_of_practice: bool | None = None
    """Whether the provider has signed the Code of Practice (section 3.1)."""
    reservations: Text | None = None
    """Measures that respect reservations of rights beyond those of the build, and before it (section 3.1)."""
    copyright_policy: Text | None = None
    """Where the provider's copyright policy is."""
    rightsholder_contact: Text | None = None
    """Where a rightsholder can complain."""
    illegal_content: Text | None = None
    """Measures against illegal content beyond those of the build (section 3.2)."""
    other: Text | None = None
    """Whatever else is to be said (section 3.3)."""
    licence: Text | None = None
    """The licence of the corpus itself, for its Croissant description."""
    url: Text | None = None
    """Where the corpus can be had."""
    citation: Text | None = None
    """How the corpus is cited, for its Croissant description."""


def plain(section: _Declared | None) -> Mapping[str, Any]:
    """What was declared as plain JSON data, without the fields that were not."""
    return {} if section is None else section.model_dump(mode="json", by_alias=True, exclude_none=True)
