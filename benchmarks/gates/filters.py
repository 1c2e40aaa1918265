"""Quality filters: the share of documents on which Lauter decides as datatrove does, with the same words.

On English pages words are what stands between white space; on texts in all scripts they are Lauter's for both, and so
are C4's sentences. datatrove is in the extra `bench`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from benchmarks.gates.public_data import public_data

NAME = "filters"
PARAGRAPHS = 10
"""Paragraphs of the Universal Declaration of Human Rights that make a text."""
UNCUT = ("_Bali", "_Bopo", "_Java", "_Lana", "_Tale", "_Talu", "_Tavt", "_Yiii")
"""Scripts that nothing cuts into words: there a step of Lauter's n-grams is two or three letters, and datatrove's one.
By single letters all texts of these scripts repeat too much."""


def measure() -> Mapping[str, float]:
    """Agreement by kind of text and family of rules, and on all of them."""
    from benchmarks.peers.quality_filters import ours, theirs
    from lauter.stages.kernels.segmentation import words_of

    found: dict[str, float] = {}
    alike = total = 0
    for kind, texts, words in (
        ("English pages", english_pages(), str.split),
        ("pages and declarations", other_pages() + declarations(), words_of),
    ):
        peer = theirs(texts, words)
        mine = ours(texts, list(peer))
        print(f"{len(texts)} {kind}: family, kept by Lauter, kept by datatrove, equal")
        for family, kept in peer.items():
            equal = sum(a == b for a, b in zip(mine[family], kept, strict=True))
            alike, total = alike + equal, total + len(texts)
            found[f"{kind}: {family}"] = equal / len(texts)
            print(f"  {family:18} {sum(mine[family]):6} {sum(kept):6} {equal / len(texts):9.4%}")
    found["all decisions"] = alike / total
    print(f"all decisions {alike / total:.4%}")
    return found


def pages() -> list[dict[str, str]]:
    """Hand-made extractions of real pages, with their language where it is known."""
    with gzip.open(public_data("ground_truth.jsonl.gz"), "rt", encoding="utf-8") as lines:
        truths = [json.loads(line)["gt"] for line in lines]
    return [truth for truth in truths if truth.get("text")]


def is_english(truth: Mapping[str, str]) -> bool:
    """Whether a page is labelled English, or not labelled, and is mostly ASCII."""
    text = truth["text"]
    return truth.get("lang", "en").startswith("en") and sum(map(str.isascii, text)) > 0.9 * len(text)


def english_pages() -> list[str]:
    """Texts of English pages."""
    return [truth["text"] for truth in pages() if is_english(truth)]


def other_pages() -> list[str]:
    """Texts of all other pages."""
    return [truth["text"] for truth in pages() if not is_english(truth)]


def declarations() -> list[str]:
    """The Universal Declaration of Human Rights in all languages but those of `UNCUT`, some paragraphs a text."""
    with pa.CompressedInputStream(str(public_data("language", "test-udhr.tsv.zst")), "zstd") as stream:
        lines = [line.split("\t") for line in stream.read().decode().splitlines()]
    by_label: dict[str, list[str]] = {}
    for label, *_, text in lines:
        if label.endswith(UNCUT):
            continue
        by_label.setdefault(label, []).append(text)
    return [
        "\n".join(own[start : start + PARAGRAPHS])
        for own in by_label.values()
        for start in range(0, len(own), PARAGRAPHS)
    ]


def differing(texts: Sequence[str], words: Callable[[str], list[str]]) -> list[tuple[str, int, bool]]:
    """(family, text, kept by Lauter) of every decision that differs: for who wants to explain them."""
    from benchmarks.peers.quality_filters import ours, theirs

    peer = theirs(texts, words)
    mine = ours(texts, list(peer))
    return [
        (family, number, mine[family][number])
        for family, kept in peer.items()
        for number in range(len(texts))
        if mine[family][number] != kept[number]
    ]
