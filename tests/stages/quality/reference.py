"""The real texts, and datatrove's decisions: its filters where it is installed, and a plain reading of them.

The reading is of datatrove 0.10.1's Gopher, FineWeb and C4 filters with their defaults and a splitter at white space.
`test_parity` holds it against the filters themselves where datatrove is installed.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauter.stages.kernels.characters import TERMINAL, expand_classes
from lauter.stages.kernels.sentences import sentence_spans

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")
STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_CLASSES = expand_classes()
_SYMBOLS = frozenset("!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»")


def english_texts() -> list[str]:
    """Hand-made extractions of real pages that are labelled English, or not labelled and at least 90 % ASCII."""
    path = DATA / "ground_truth.jsonl.gz"
    if not path.exists():
        pytest.skip("ground_truth.jsonl.gz is not under LAUTER_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        truths = [json.loads(line)["gt"] for line in lines]
    texts = [truth["text"] for truth in truths if truth.get("text") and truth.get("lang", "en").startswith("en")]
    return [text for text in texts if sum(map(str.isascii, text)) > 0.9 * len(text)]


def sentences(text: str) -> int:
    """Sentences as Lauter cuts them."""
    data = np.frombuffer(text.encode(), np.uint8)
    return len(sentence_spans(data, 0, len(data)))


def keeps_gopher_quality(text: str) -> bool:
    """MassiveText's quality rules (arXiv 2112.11446, section A.1.1)."""
    words = text.split()
    plain = [word for word in words if not all(c in _SYMBOLS or _CLASSES[ord(c)] & TERMINAL for c in word)]
    if not 50 <= len(plain) <= 100_000 or not 3 <= sum(map(len, plain)) / len(plain) <= 10:
        return False
    lines = text.splitlines()
    ellipses = text.count("...") + text.count("…")
    return (
        max(text.count("#"), ellipses) / len(words) <= 0.1
        and sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines) <= 0.9
        and sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines) <= 0.3
        and sum(any(c.isalpha() for c in word) for word in words) / len(words) >= 0.8
        and len(STOP_WORDS & set(words)) >= 2
    )


def _repeated(elements: Sequence[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = size = 0
    for element in elements:
        count += element in seen
        size += len(element) * (element in seen)
        seen.add(element)
    return count, size


def keeps_gopher_repetition(text: str) -> bool:
    """MassiveText's repetition rules (table A1)."""
    if not text:
        return False
    for elements in (re.split("\n{2,}", text.strip()), re.split("\n+", text)):
        count, size = _repeated(elements)
        if count / len(elements) > 0.3 or size / len(text) > 0.2:
            return False
    words = text.split()
    for order, most in ((2, 0.2), (3, 0.18), (4, 0.16)):
        grams = Counter(" ".join(words[at : at + order]) for at in range(len(words) - order + 1))
        if grams and (top := grams.most_common(1)[0]) and len(top[0]) * top[1] / len(text) > most:
            return False
    for order, most in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True):
        seen: set[str] = set()
        size = at = 0
        while at < len(words) - order + 1:
            gram = "".join(words[at : at + order])
            size += len(gram) * (gram in seen)
            at += order if gram in seen else 1
            seen.add(gram)
        if size / len(text) > most:
            return False
    return True


def keeps_fineweb_quality(text: str) -> bool:
    """FineWeb's rules as they were run (arXiv 2406.17557, section 3.6)."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return False
    ended = sum(_CLASSES[ord(line[-1])] & TERMINAL != 0 for line in lines)
    return bool(
        ended / len(lines) >= 0.12
        and sum(len(line) <= 30 for line in lines) / len(lines) <= 0.67
        and _repeated(lines)[1] / len(text.replace("\n", "")) <= 0.01
        and text.count("\n") / len(text.split()) <= 0.3
    )


def keeps_c4(text: str) -> bool:
    """C4's rules (JMLR 21:140, section 2.2, and its code)."""
    count = 0
    for line in map(str.strip, text.splitlines()):
        words = line.split()
        plain = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
        ends = plain.endswith((".", "?", "!", '"', "'")) and not plain.endswith("...")
        if any(len(word) > 1000 for word in words) or not ends or len(words) < 3:
            continue
        small = plain.lower()
        if "lorem ipsum" in small:
            return False
        if "javascript" in small:
            continue
        if "{" in plain:
            return False
        if not any(phrase in small for phrase in POLICY):
            count += sentences(plain)
    return count >= 5


READINGS: dict[str, Callable[[str], bool]] = {
    "gopher-quality": keeps_gopher_quality,
    "gopher-repetition": keeps_gopher_repetition,
    "fineweb-quality": keeps_fineweb_quality,
    "c4": keeps_c4,
}


def datatrove_filters() -> dict[str, Any]:
    """Filters of datatrove by the name of our family, with their defaults; skips the test where it is not installed."""
    pytest.importorskip("datatrove", reason="datatrove is in the extra `bench`")
    from benchmarks.peers.quality_filters import Splitter, filters

    return filters(Splitter(str.split))
