"""Gate of the toxicity stage: posts that the model had not seen, beside word lists; ordinary pages; who is suspected.

    python -m benchmarks.gates toxicity

Four tables:

* AUC and F1 by language from the card, on sentences kept out of training by template, beside the same of the word
  lists, measured here on the same posts. The published figures of Detoxify are of other posts, the tests of Jigsaw's
  three challenges: .9864 of `original`, .9374 of `unbiased` (its bias metric), .9211 of `multilingual` (its README).
* The shipped model on sets that it was not trained on, because their licence does not allow it.
* The share of ordinary pages, and of made-up medical, legal and quoting texts, that the stage drops.
* HateCheck's families that are not hateful: the shares judged toxic at even odds and above the stage's threshold,
  from the card.

With the package alt-profanity-check installed (English only, a linear model), it stands beside ours.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.gates.public_data import public_data
from lauter.pipeline.contract import StageContext
from lauter.stages.classifier.measures import area, best_f1
from lauter.stages.toxicity import Toxicity, ToxicityConfig
from lauter.stages.toxicity.config import MAX_SCORE
from lauter.stages.toxicity.embedded import Embedded
from lauter.stages.toxicity.lexicon import Lexicon

NAME = "toxicity"

LABELS = {
    "ar": "arb_Arab", "de": "deu_Latn", "en": "eng_Latn", "es": "spa_Latn", "fr": "fra_Latn", "hi": "hin_Latn",
    "it": "ita_Latn", "ja": "jpn_Jpan", "ko": "kor_Hang", "nl": "nld_Latn", "pl": "pol_Latn", "pt": "por_Latn",
    "ru": "rus_Cyrl", "zh": "cmn_Hani", "id": "ind_Latn",
}  # fmt: skip
UNTRAINED = {
    "olid": "unstated, research", "portuguese-hs": "unstated", "l-hsab-ar": "unstated",
    "russian-toxic": "unstated", "korean-hs": "CC-BY-SA-4.0", "japanese-toxic": "Apache-2.0",
    "indonesian-hs": "CC-BY-NC-SA-4.0",
}  # fmt: skip
"""Sets that the model was not trained on, and their licences. Russian, Korean, Japanese and Indonesian have a list.
SG-HateCheck is left out: its Chinese sentences are those of HateCheck's templates, and the model knows them (.9995)."""

_FEWEST = 30
"""Sentences of a family that is looked at by itself. Smaller ones (homonyms of slurs: 16) are looked at together."""

INNOCENT = (
    "The patient presented with rectal bleeding and a tumour of the anus; the vagina and the penis were not affected.",
    "Symptoms of gonorrhoea include a discharge from the penis, pain during sex and swollen testicles.",
    "Breast cancer screening is offered to women between the ages of fifty and sixty-nine every two years.",
    "The defendant was convicted of rape, murder and the sexual abuse of a minor, and sentenced to life in prison.",
    "Section 130 makes incitement to hatred against national, racial or religious groups punishable by law.",
    "The court held that calling the plaintiff a bastard was an insult within the meaning of the statute.",
    "Gay and lesbian couples may adopt children under the same conditions as any other married couple.",
    "Muslims, Jews and Christians met in the town hall to speak about their schools and their festivals.",
    "My neighbour is a Black woman who teaches mathematics at the school for blind and deaf children.",
    "The report quotes the attackers as having shouted that all foreigners should go home.",
    "Der Patient litt an Hodenkrebs; eine Infektion des Penis wurde ausgeschlossen.",
    "Homosexuelle wurden im Nationalsozialismus verfolgt, Juden ermordet und Behinderte getötet.",
    "Le tribunal a condamné l'accusé pour viol et meurtre à trente ans de réclusion criminelle.",
    "La mujer fue operada de un cáncer de mama y los médicos esperan que se recupere pronto.",
)
"""Medical, legal, quoting texts and ones that name groups of people; made up for this table."""


def measure() -> Mapping[str, float]:
    """The numbers that may not fall."""
    lists = Lexicon()
    ours = Embedded.load(None, lists)
    card: dict[str, Any] = json.loads(
        resources.files("lauter.stages.toxicity").joinpath("models/embedded/card.json").read_text("utf-8")
    )
    measured = {"card_is_of_the_model": float(card["digest"] == ours.model.digest)}
    measured |= _held_out(card, lists)
    measured |= _untrained(ours, lists)
    measured |= _ordinary()
    return {**measured, **_families(card)}


def _held_out(card: Mapping[str, Any], lists: Lexicon) -> dict[str, float]:
    posts = [row for name in card["trained on"] for row in _rows(name)]
    print(f"{'held out':10}{'posts':>7}{'AUC':>8}{'F1':>8}{'lists AUC':>11}{'lists F1':>10}")
    measured, of_lists = {}, []
    for code, row in card["languages"].items():
        own = [post for post in posts if post["lang"] == code]
        scores, toxic = _scores(lists, own), np.array([post["toxic"] == 1 for post in own])
        of_lists.append(area(scores, toxic))
        f1 = best_f1(scores, toxic)[0]
        print(f"{code:10}{len(own):7,}{row['auc']:8.4f}{row['best_f1']:8.4f}{of_lists[-1]:11.4f}{f1:10.4f}")
        measured[f"auc_held_out_{code}"] = row["auc"]
    print(f"{'macro':17}{card['macro_auc']:8.4f}{'':8}{float(np.mean(of_lists)):11.4f}")
    return {**measured, "auc_held_out_macro": card["macro_auc"]}


def _untrained(ours: Embedded, lists: Lexicon) -> dict[str, float]:
    rival = importlib.util.find_spec("profanity_check") is not None
    print(
        f"\n{'never trained on':26}{'posts':>7}{'AUC':>8}{'F1':>8}{'lists AUC':>11}{'alt-profanity-check':>21}  licence"
    )
    measured = {}
    for name, licence in UNTRAINED.items():
        rows = _rows(name)
        for code in sorted({row["lang"] for row in rows} & LABELS.keys()):
            own = [row for row in rows if row["lang"] == code]
            toxic = np.array([row["toxic"] == 1 for row in own])
            known = LABELS[code] in ours.languages
            scores, of_lists = _scores(ours, own) if known else None, _scores(lists, own)
            told = (
                f"{area(scores, toxic):8.4f}{best_f1(scores, toxic)[0]:8.4f}" if scores is not None else f"{'-':>8}" * 2
            )
            other = f"{_rival(own, toxic):21.4f}" if rival and code == "en" else f"{'-':>21}"
            print(f"{name + ' ' + code:26}{len(own):7,}{told}{area(of_lists, toxic):11.4f}{other}  {licence}")
            if scores is not None:
                measured[f"auc_{name}_{code}"] = area(scores, toxic)
    return measured


def _ordinary() -> dict[str, float]:
    stage = Toxicity(ToxicityConfig(), StageContext())
    stage.open()
    found = pages()
    columns = {"text": [text for text, _ in found], "language": [label for _, label in found]}
    dropped = _dropped(stage, columns)
    labels = ["deu_Latn", "deu_Latn", "fra_Latn", "spa_Latn"]
    innocent = {"text": list(INNOCENT), "language": ["eng_Latn"] * (len(INNOCENT) - len(labels)) + labels}
    tripped = _dropped(stage, innocent)
    print(f"\nordinary pages: {int(dropped.sum())} of {len(dropped):,} dropped; medical, legal, quoting: "
          f"{int(tripped.sum())} of {len(tripped)}")  # fmt: skip
    for text, trips in zip(INNOCENT, tripped, strict=True):
        if trips:
            print(f"  dropped: {text}")
    return {"ordinary_pages_kept": 1 - dropped.mean(), "innocent_texts_kept": 1 - tripped.mean()}


def _families(card: Mapping[str, Any]) -> dict[str, float]:
    print("\nHateCheck, families that are not hateful: share judged toxic at even odds and where the stage drops")
    dropped, small, few = [], 0.0, 0
    for family, row in card["families"].items():
        if not row["hateful"]:
            share = row[f"judged_at_{MAX_SCORE['embedded']}"]
            print(f"  {family:24}{row['texts']:6,}{row['judged_at_0.5']:8.4f}{share:8.4f}")
            if row["texts"] >= _FEWEST:
                dropped.append(share)
            else:
                small, few = small + share * row["texts"], few + row["texts"]
    return {"worst_innocent_family_kept": 1 - max(dropped), "small_innocent_families_kept": 1 - small / max(few, 1)}


def _rows(name: str) -> list[dict[str, Any]]:
    path = public_data("toxicity") / f"{name}.jsonl.gz"
    if not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pages() -> list[tuple[str, str]]:
    """Ordinary pages that say which language they are in, or nothing and are taken as English."""
    found = []
    with gzip.open(public_data("ground_truth.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            truth = row["gt"] if isinstance(row["gt"], dict) else {}
            code = str(row.get("lang") or truth.get("lang") or "en")[:2].lower()
            if truth.get("text") and code in LABELS:
                found.append((str(truth["text"]), LABELS[code]))
    return found


def _dropped(stage: Toxicity, columns: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    batch = pa.record_batch({
        "text": pa.array(columns["text"], pa.large_string()), "language": pa.array(columns["language"], pa.string()),
    })  # fmt: skip
    scores = {**stage.apply(batch).columns, "language": batch.column("language")}
    return stage.decide(pa.record_batch(scores)).reason > 0


def _scores(model: Embedded | Lexicon, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    text = pa.array([str(row["text"]) for row in rows], pa.large_string())
    label = pa.array([LABELS[row["lang"]] for row in rows], pa.string())
    found: NDArray[np.float64] = model.score(text, label).fill_null(0).to_numpy().astype(np.float64)
    return found


def _rival(rows: Sequence[Mapping[str, Any]], toxic: NDArray[np.bool_]) -> float:
    from profanity_check import predict_prob

    return area(np.asarray(predict_prob([str(row["text"]) for row in rows])), toxic)
