"""A folder of training data of three languages and noise, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from lauter.stages.language.training.recipe import Recipe

WORDS = {
    "deu_Latn": "der die und nicht über straße haus schön geht grüße für auch noch wasser baum kind schule morgen",
    "fra_Latn": "le la et pas déjà maison l'eau où être garçon voilà ça école demain enfant arbre pour encore",
    "rus_Cyrl": "и в не что дом вода хорошо привет ещё объект школа завтра дерево ребёнок для также",
    "tha_Thai": "สวัสดี ครับ ภาษาไทย น้ำ บ้าน โรงเรียน พรุ่งนี้ ต้นไม้ เด็ก",
}
RECIPE = {
    "seed": 6,
    "sampling": {
        "lines": 60, "rich": 20, "most_lines": 70, "thin_lines": 10, "thin_slope": 1.0,
        "sources": {"list": 2.0, "text": 1.0, "noise": 1.0}, "lists": ["counted"],
        "least_entries": 2, "most_words": 1000, "power_in_quarters": 4, "words_median": 8.0, "words_spread": 0.5,
        "words_least": 2, "words_most": 20, "crop": 0.5,
    },
    "held_out": {
        "one_line_in": 5, "lines": 5, "one_type_in": 9, "least_types": 1, "frequent": 3, "word_lines": 2, "words": 4,
    },
    "network": {
        "dim": 32, "members": 2,
        "minn": 2, "maxn": 4, "buckets": 4096, "words": 40, "epochs": 3, "batch": 8, "rate": 1.0,
        "output_rate": 0.3, "word_dropout": 0.2, "ngram_dropout": 0.1, "adjustment": 0.3,
        "temperature": 1.25, "smoothing": 0.01,
    },
    "quantisation": {"part": 2, "features": 1200, "sample": 600, "iterations": 4},
    "words": {"most": 30, "most_favoured": 40, "missing": 3.0, "missing_power": 0.4, "weight": 1.0},
}  # fmt: skip


def recipe(**network: float) -> Recipe:
    """The recipe of the tests, with other numbers in its part `network`."""
    return Recipe.model_validate({**RECIPE, "network": {**RECIPE["network"], **network}})  # type: ignore[dict-item]


def write_data(folder: Path) -> Path:
    """Lines and lists of four languages, and lines of noise."""
    folder.mkdir()
    for label, text in WORDS.items():
        words = text.split()
        counts = (f"list\t{word}\t{100 - place}\n" for place, word in enumerate(words))
        (folder / f"{label}.words").write_text("".join(counts), "utf-8")
        glue = "" if label.endswith("Thai") else " "
        lines = (f"text\t{glue.join(words[place:] + words[:place])}\n" for place in range(len(words)))
        (folder / f"{label}.txt").write_text("".join(lines), "utf-8")
    noise = (f"noise\t{'xq zk wvj'[place % 5 :]} qx{'vzk'[place % 3 :]}\n" for place in range(12))
    (folder / "zxx_Zzzz.txt").write_text("".join(noise), "utf-8")
    return folder
