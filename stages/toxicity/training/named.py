"""Sentences of our own that name groups of people and say nothing against them (`named.yaml`)."""

from __future__ import annotations

from collections.abc import Container
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from lauter.stages.toxicity.training.sets import Post

NAMED = "named"
"""The set, as recipe and card call it."""
LICENCE = "Apache-2.0"
_FILE = "training/named.yaml"


class _Sentences(BaseModel):
    """The groups of a language, each in the forms that its sentences need, and the sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[tuple[str, ...], ...] = Field(min_length=1)
    sentences: tuple[str, ...] = Field(min_length=1)


def named_posts(languages: Container[str]) -> list[Post]:
    """Each sentence with each group, in some languages by their codes, in the order of the file."""
    data = yaml.safe_load(resources.files("lauter.stages.toxicity").joinpath(_FILE).read_text("utf-8"))
    posts = []
    for language, entry in data.items():
        if language not in languages:
            continue
        own = _Sentences.model_validate(entry)
        posts += [
            Post(NAMED, language, _capital(sentence.format(*forms)), toxic=False, family="", place=-1)
            for sentence in own.sentences
            for forms in own.groups
        ]
    return posts


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
