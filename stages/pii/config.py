"""The parameters of the stage `pii`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from lauter.pipeline.contract import FilePath, ModelPath, StageConfig
from lauter.stages.pii.recognisers import check

OF_TEXT = ("secret", "iban", "card", "crypto", "email", "ip", "mac", "phone", "id")


class PiiConfig(StageConfig):
    """What is taken for personal data, and what stands in its place."""

    entities: tuple[str, ...] = Field(default=OF_TEXT, strict=False)
    """What is looked for: these, `coordinates`, and instead of `id` single formats of `national_id.FORMATS` (all become
    `<id-pii>`). Not places by default: a page about a bridge says where it stands."""
    code_entities: tuple[str, ...] = Field(default=("secret", "email"), strict=False)
    """What is looked for in source code, the records with a `path`: what cannot be code itself. Four numbers with dots
    are a version there, and long numbers are constants."""
    ids_need_context: bool = True
    """Take a national identifier only where more than its check digits speaks for it: a word such as "PESEL" before it,
    or a document from its country; single formats are sure by themselves (`national_id.FORMATS`)."""
    public_ips_only: bool = True
    """Leave private, loopback, documentation and reserved addresses: they are the same in every network and name no
    one, and tutorials are full of them."""
    phones_by_place: bool = True
    """Look for national telephone numbers that a word in their line announces ("Tel.", "call"), by the plans of the
    regions that the document's URL (its country's domain) or else its language names."""
    phone_regions: tuple[str, ...] = Field(default=(), strict=False)
    """Regions (ISO 3166-1 alpha-2) whose national telephone numbers are looked for in every document, announced or not.
    Numbers with a country code (+41 …) are always found where `phone` is among the entities. None by default: read by
    eye, 171 of 171 numbers with country code in 52 MB of real pages were telephone numbers, but only about nine in ten
    of those without."""
    recognisers: tuple[FilePath, ...] = Field(default=(), strict=False)
    """Presidio recognisers of your own: Python files with classes of `presidio_analyzer.EntityRecognizer` that need no
    arguments, or Presidio's YAML. Each reads every document whole."""
    least_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What one of your own recognisers must give a match at least. No words around it raise its score: there is no
    language model."""
    names: tuple[ModelPath, ...] = Field(default=(), strict=False)
    """spaCy pipelines that find names of persons, each a wheel or zip; a document is read by those of its language.
    None by default: they run at 0.05 MB/s a core, and are wrong about one name in ten."""
    replacement: Literal["placeholder", "surrogate"] = "placeholder"
    """`surrogate`: an invented value of the same form, drawn from seed and doc_id. A placeholder is one token, and says
    that something was removed."""
    max_candidates_per_document: int = Field(default=100_000, ge=1)
    """Places to look at in one text or title. A document with more of them is dropped (`pii-unchecked`): it cannot be
    cleaned in bounded time, and an unclean one must not pass."""
    max_spans_per_1000_chars: int | None = Field(default=None, ge=0)
    """Drop a document with more placeholders, those of its title included, than this per 1,000 code points of its text
    (`pii-too-dense`); off by default."""

    @field_validator("entities", "code_entities")
    @classmethod
    def _known(cls, entities: tuple[str, ...]) -> tuple[str, ...]:
        check(entities)
        return entities
