"""The recipe of a toxicity model: which sets train it, under which licences, and every number that decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lauter.stages.classifier.train import Recipe as ClassifierRecipe


class Recipe(BaseModel):
    """All of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    train: tuple[str, ...] = Field(min_length=1, strict=False)
    """Sets that are trained on. The other sets of the data are measured only."""
    ordinary: tuple[str, ...] = Field(default=(), strict=False)
    """Sets of ordinary text, none of it toxic, that are trained on too, so that a page is not judged like a post. They
    have no part in figures and calibration."""
    named: Annotated[float, Field(ge=0)] = 0
    """The weight of each of our sentences that name groups of people and say nothing against them (`named.yaml`); that
    of other texts is 1. They have no part in figures and calibration either."""
    ordinary_texts: Annotated[int, Field(ge=1)] = 500
    """Paragraphs of each such set and language."""
    licences: tuple[str, ...] = Field(min_length=1, strict=False)
    """SPDX names of the licences that a set to train on may have, or `public-domain`."""
    languages: dict[str, Annotated[tuple[str, ...], Field(min_length=1, strict=False)]]
    """The code of a language in the sets -> the labels of the pipeline that are judged as it."""
    folds: Annotated[int, Field(ge=2, le=20)]
    """Parts of the data, each judged by a model that was trained on the others: figures and calibration come from
    them."""
    classifier: ClassifierRecipe
    """Features and cost."""

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
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}: {where}: {first['msg']}" if where else f"{path}: {first['msg']}") from None
