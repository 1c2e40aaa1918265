"""The card of a model: what trained it, the licences, how well it does on what it had not seen, and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.stages.classifier.measures import area, best_f1, calibration_error, f1
from lauter.stages.toxicity.config import MAX_SCORE
from lauter.stages.toxicity.training.named import LICENCE, NAMED
from lauter.stages.toxicity.training.recipe import Recipe
from lauter.stages.toxicity.training.train import Trained, even_weights, measured

_AT = (0.5, MAX_SCORE["embedded"])
"""Probabilities above which shares are told: even odds, and where the stage drops."""

LIMITS = (
    "Trained on posts and on sentences made to test classifiers, not on web pages; a page is judged by windows of 512 "
    "bytes.",
    "A probability is at even odds. In a crawl few pages are toxic, so it is no share of pages that are.",
    "In Spanish, Hindi (Latin letters), Italian, Dutch, Polish and Portuguese all training text is HateCheck: short "
    "sentences of hate against groups, and look-alikes. Other abuse is known there from word lists alone.",
    "Ordinary text that it learned to leave alone is of few kinds: guides to open source, and verses of the Bible.",
    "MLMA (Arabic, English, French) is labelled unevenly: no model of these posts comes far above .7 on it.",
    "Which kinds of words follow one another it learned over lists (words/kinds.txt) that were written knowing the "
    "families of HateCheck and some of its sentences: on other hate it may do less well than the figures say.",
    "Which words blame, praise, negate or name groups it knows from lists (words/NOTICE.md): AFINN is under ODbL-1.0, "
    "a licence that asks of a changed list, but not of a model or a corpus, that it be shared alike.",
    "Quoted abuse, reclaimed words and counter speech are often judged like abuse (the table of families).",
)


def card_of(trained: Trained, recipe: Recipe, licences: Mapping[str, str]) -> dict[str, Any]:
    """The card, plain data, numbers rounded to four places."""
    material, licences = trained.material, {**licences, NAMED: LICENCE}
    scores, toxic, probability = trained.held_out, material.toxic, trained.probability
    codes = sorted(recipe.languages)
    sets = np.array([post.of_set for post in material.posts])
    counted = measured(material, recipe)
    by_language = {}
    for place, code in enumerate(codes):
        rows = counted & (material.groups == place)
        own = {
            name: figures(scores[rows & (sets == name)], toxic[rows & (sets == name)]) for name in sorted({*sets[rows]})
        }
        by_language[code] = {
            "labels": list(recipe.languages[code]),
            **figures(scores[rows], toxic[rows]),
            "f1_at_half": round(f1(probability[rows] > 0.5, toxic[rows]), 4),
            **{f"judged_at_{most}": shares(probability[rows] > most, toxic[rows]) for most in _AT},
            "sets": own,
        }
    areas = [row["auc"] for row in by_language.values() if row["auc"] is not None]
    return {
        "model": "linear, hashed words and n-grams by language, pairs of kinds of words, weighed with the tone; see"
        " recipe.yaml",
        "digest": trained.model.digest,
        "task": "abusive and hateful language: probability at even odds",
        "trained on": {
            name: {"licence": licences[name], "texts": int((sets == name).sum())}
            for name in sorted([*recipe.train, *recipe.ordinary, *([NAMED] if recipe.named else [])])
        },
        "split": f"{recipe.folds} folds, grouped by template; each text is judged by a model that saw none of its fold",
        "macro_auc": round(float(np.mean(areas)), 4),
        "languages": by_language,
        "calibration": {
            "slope": trained.model.slope[0],
            "offsets": dict(trained.model.notes["languages"]),
            "expected_error": round(calibration_error(probability, toxic, even_weights(material, recipe)), 4),
        },
        "ordinary_judged_at_0.5": round(float((probability[~counted] > 0.5).mean()), 4) if not counted.all() else None,
        "families": families_of(trained, probability),
        "limits": list(LIMITS),
    }


def figures(scores: NDArray[Any], toxic: NDArray[np.bool_]) -> dict[str, Any]:
    """Texts, toxic texts, AUC and the best F1 of any threshold; null where a class is missing."""
    told: dict[str, Any] = {"texts": len(toxic), "toxic": int(toxic.sum()), "auc": None, "best_f1": None}
    if 0 < told["toxic"] < told["texts"]:
        told |= {"auc": round(area(scores, toxic), 4), "best_f1": round(best_f1(scores, toxic)[0], 4)}
    return told


def shares(judged: NDArray[np.bool_], toxic: NDArray[np.bool_]) -> list[float]:
    """The shares of toxic and of other texts that are judged toxic."""
    return [round(float(judged[toxic].mean()), 4), round(float(judged[~toxic].mean()), 4)]


def families_of(trained: Trained, probability: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """HateCheck: of each family, the sentences, whether they are hateful, and the shares judged toxic at `_AT`."""
    posts = trained.material.posts
    told = {}
    for family in sorted({post.family for post in posts if post.family}):
        rows = np.array([post.family == family for post in posts], np.bool_)
        told[family] = {
            "texts": int(rows.sum()),
            "hateful": bool(trained.material.toxic[rows][0]),
            **{f"judged_at_{most}": round(float((probability[rows] > most).mean()), 4) for most in _AT},
        }
    return told


def to_json(card: Mapping[str, Any]) -> str:
    """The card's file."""
    return json.dumps(card, ensure_ascii=False, indent=1) + "\n"
