"""The language stage on real pages: against the language that they declare, and how often it sees a rare one.

The texts are those of a finished build of all test pages, as its extraction and normalisation left them.

1. Documentation pages (the sets docs-*) declare their language in their path; some are in part not translated. Where
   lid.176 and CLD2 both name the declared language, it is taken as confirmed, and the stage must agree: 98 % is wanted.
2. Paragraphs of pages in English, German, French, Russian or Chinese, as lid.176 and CLD2 agree: how many does the
   stage take for a language that it knows from little text (level "word list only", or evidence tier C or D)? At its
   default thresholds, and before any; at most 0.1 % is wanted. A paragraph is a line of the text, each counted once.

What is asked is the stage with its defaults, on each text as a document.

    python benchmarks/language_pages.py [RUN] [--model MODEL] [--errors N]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from peers import identifiers  # type: ignore[import-not-found]

from lauter.pipeline import schema
from lauter.pipeline.contract import StageContext
from lauter.stages.language import Language, LanguageConfig
from lauter.stages.language.labels import is_unidentified, support

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or ROOT.parent / "shared" / "data")
LARGE = ("eng", "deu", "fra", "rus", "cmn")
LEAST_CHARS = (60, 20)
BATCH = 2000


class Answers(NamedTuple):
    """What the stage says of each of some texts."""

    labels: list[str]
    scores: list[float]
    kept: list[bool]
    """Whether it keeps it by its thresholds."""


def ask(texts: Sequence[str], model: str) -> Answers:
    """The stage with its defaults."""
    stage = Language(LanguageConfig(model=model), StageContext())
    stage.open()
    found = Answers([], [], [])
    for first in range(0, len(texts), BATCH):
        part = texts[first : first + BATCH]
        columns = stage.apply(pa.record_batch({"text": pa.array(part, pa.large_string())})).columns
        judged = pa.record_batch({name: columns[name] for name in stage.scores.names})
        found.labels.extend(columns["language"].cast(pa.string()).to_pylist())
        found.scores.extend((score or 0) / schema.RATIO_SCALE for score in columns["language_score"].to_pylist())
        found.kept.extend((stage.decide(judged).reason == 0).tolist())
    return found


def texts_by_url(run: Path) -> dict[str, str]:
    pages = ds.dataset(run / "documents" / "pages", format="parquet").to_table(columns=["url", "text"])
    return dict(zip(pages["url"].to_pylist(), pages["text"].to_pylist(), strict=True))


def declared() -> Iterator[tuple[str, str]]:
    """URL and language, as `pt-BR`, of the pages that declare it; a URL of two languages is left out."""
    found: dict[str, set[str]] = {}
    with gzip.open(DATA / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["id"].startswith("docs-") and row["gt"].get("lang"):
                found.setdefault(row["url"], set()).add(row["gt"]["lang"])
    for url, names in found.items():
        if len(names) == 1:
            yield url, names.pop()


def thin_labels() -> frozenset[str]:
    return frozenset(label for label, known in support.embedded().items() if known.is_thin)


def kind(label: str, language: str) -> str:
    """What sort of error an answer is."""
    if is_unidentified(label):
        return "no language"
    table = support.embedded()
    clusters = {table[name].cluster for name in table if identifiers.alike(name[:3], language)} - {""}
    return "sister in one cluster" if label in table and table[label].cluster in clusters else "another language"


def agreement(texts: dict[str, str], peers: Sequence[identifiers.Peer], model: str, errors: int) -> bool:
    rows = [(url, name.split("-")[0]) for url, name in declared() if url in texts]
    pages = [texts[url] for url, _ in rows]
    ours = ask(pages, model)
    theirs = [peer.answer(pages) for peer in peers]
    alike = identifiers.alike
    right = [alike(label[:3], language) for label, (_, language) in zip(ours.labels, rows, strict=True)]
    agrees = [[alike(code, row[1]) for code, row in zip(each, rows, strict=True)] for each in theirs]
    print(f"{len(rows):,} pages that declare a language; share that each agrees with, confirmed or not:")
    for name, each in zip(("lauter", *(peer.name for peer in peers)), (right, *agrees), strict=True):
        print(f"  {name:<14}{np.mean(each):.4f}")
    confirmed = [place for place in range(len(rows)) if all(each[place] for each in agrees)]
    share = float(np.mean([right[place] for place in confirmed]))
    both = float(np.mean([right[place] and ours.kept[place] for place in confirmed]))
    languages = Counter(rows[place][1] for place in confirmed)
    print(f"{len(confirmed):,} of them confirmed by both peers, in {len(languages)} languages")
    print(f"  the stage agrees: {share:.4f} (wanted 0.98: {'yes' if share >= 0.98 else 'NO'}); and keeps: {both:.4f}")
    wrong = [place for place in confirmed if not right[place]]
    for name, count in Counter(kind(ours.labels[place], rows[place][1]) for place in wrong).most_common():
        print(f"  {count:>4} {name}")
    for (language, label), count in Counter((rows[at][1], ours.labels[at]) for at in wrong).most_common(errors):
        print(f"  {count:>4} of {languages[language]:>3} {language} answered {label}")
    unsure = Counter(rows[place][1] for place in confirmed if right[place] and not ours.kept[place])
    if unsure:
        print("  right but dropped as unsure:", ", ".join(f"{name} {count}" for name, count in unsure.most_common()))
    for place in wrong[:errors]:
        print(f"  {rows[place][1]} {ours.labels[place]} {ours.scores[place]:.2f} {rows[place][0]}")
    return share >= 0.98


def false_positives(texts: dict[str, str], peers: Sequence[identifiers.Peer], model: str, errors: int) -> bool:
    pages = list(texts.values())
    first, second = (peer.answer(pages) for peer in peers)
    paragraphs: dict[str, str] = {}
    for page, one, other in zip(pages, first, second, strict=True):
        language = next((code for code in LARGE if identifiers.alike(code, one)), None)
        if language is not None and identifiers.alike(language, other):
            for line in page.split("\n"):
                if len(line) >= min(LEAST_CHARS):
                    paragraphs.setdefault(line, language)
    found = ask(list(paragraphs), model)
    thin = thin_labels()
    enough = True
    lengths = np.array([len(line) for line in paragraphs])
    is_thin = np.array([label in thin for label in found.labels])
    kept, of = np.array(found.kept), np.array(list(paragraphs.values()))
    print(f"{len(thin):,} labels with thin evidence")
    for least in LEAST_CHARS:
        chosen = lengths >= least
        sure = float((is_thin & kept)[chosen].mean())
        enough &= sure <= 0.001
        print(
            f"{chosen.sum():,} paragraphs of {least} characters and more: taken for one of them {sure:.4%} "
            f"(wanted 0.1 %: {'yes' if sure <= 0.001 else 'NO'}), before thresholds {is_thin[chosen].mean():.4%}"
        )
        for language in LARGE:
            mine = chosen & (of == language)
            shares = f"{(is_thin & kept)[mine].mean():.4%}, before thresholds {is_thin[mine].mean():.4%}"
            right = np.array([label[:3] == language for label in found.labels])[mine]
            lost = 1 - kept[mine][right].mean()
            named = f"named rightly {right.mean():.4f}, of these unsure {lost:.4f}"
            print(f"  {language} {mine.sum():>7,}  {shares}; {named}")
    hits = Counter((of[at], found.labels[at]) for at in np.flatnonzero(is_thin & kept).tolist())
    for (language, label), count in hits.most_common(errors):
        print(f"  {count:>4} {language} taken for {label}")
    lines = list(paragraphs)
    for at in np.flatnonzero(is_thin & kept).tolist()[:errors]:
        print(f"  {of[at]} {found.labels[at]} {found.scores[at]:.2f} {lines[at][:100]}")
    return enough


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="?", type=Path, default=ROOT / "out" / "all-pages")
    parser.add_argument("--model", default="embedded", help="another model for the stage: a name, or a file")
    parser.add_argument("--errors", type=int, default=12, help="errors of each kind that are listed")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    texts = texts_by_url(arguments.run)
    peers = [identifiers.lid176(), identifiers.cld2()]
    agreement(texts, peers, arguments.model, arguments.errors)
    false_positives(texts, peers, arguments.model, arguments.errors)


if __name__ == "__main__":
    main()
