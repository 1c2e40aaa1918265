"""The embedded language model beside lid.176 and CLD2, each on the languages that it knows.

Texts are lines of the Universal Declaration of Human Rights in 391 labels, which no Lauter model was trained on, and
documents made of ten of them. Of each set a peer gets only texts in its own languages, while ours may answer with any
of its 1,900 labels. What counts is the language, not the script; where the peer only knows a macrolanguage, its members
are one (`fas` for Persian and Dari), for both sides alike. The false-positive rate is the share of texts in other
languages that are taken for a language, averaged over languages: once among the peer's own texts, and once among all
texts of the set, most of whose languages the peer does not know.

Notes. The lines are normalised (no capitals, figures or punctuation): ours is made for that, the peers lose a little;
`language_pages.py` has pages as they are. The gold is as filed: some lines under `fra` are a creole. lid.176 was made
from Wikipedia and may have met quotations of the declaration.

    python benchmarks/language.py [--model MODEL] [--lines TEST.tsv.zst]

CPU seconds of one core on the documents, best of three. The last lines say whether ours is above both.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from peers import identifiers  # type: ignore[import-not-found]

from lauter.stages.language.evaluation import scores
from lauter.stages.language.evaluation.examples import read
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels.registry import resolve
from lauter.stages.language.load import EMBEDDED, load
from lauter.stages.language.pieces import pieces

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or ROOT.parent / "shared" / "data")
LINES_A_DOCUMENT = 10
ROUNDS = 3
PIECE_CHARS = 700
BATCH = 4096

Texts = Sequence[str]
Answer = Callable[[Texts], list[str]]


def ours(identifier: Identifier) -> Answer:
    """As the stage identifies a document, from the first letter on."""

    def answer(texts: Texts) -> list[str]:
        found: list[str] = []
        for first in range(0, len(texts), BATCH):
            encoded = [text.encode() for text in texts[first : first + BATCH]]
            offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
            offsets.flags.writeable = False
            units = pieces(np.frombuffer(b"".join(encoded), np.uint8), offsets, PIECE_CHARS)
            labels = identifier.judge(units, 1, 1).labels[:, 0].tolist()
            found += [identifier.names[label][:3] for label in labels]
        return found

    return answer


def documents(gold: Sequence[str], lines: Texts) -> tuple[list[str], list[str]]:
    """Ten lines of a label at a time, in the order of the set; what is left over is a shorter document."""
    of: dict[str, list[str]] = {}
    for label, line in zip(gold, lines, strict=True):
        of.setdefault(label, []).append(line)
    labels, texts = [], []
    for label, found in sorted(of.items()):
        for first in range(0, len(found), LINES_A_DOCUMENT):
            labels.append(label)
            texts.append("\n".join(found[first : first + LINES_A_DOCUMENT]))
    return labels, texts


def judged(gold: Sequence[str], answers: Sequence[str], known: frozenset[str]) -> tuple[scores.Scores, float]:
    """Scores on the texts in `known` languages, and the false-positive rate of these languages among all texts."""
    places: dict[str, int] = {code: place for place, code in enumerate(sorted(known))}
    own = len(places)

    def place(code: str) -> int:
        return places.setdefault(resolve(code, known) or code, len(places))

    truth, found = (np.array([place(code[:3]) for code in each], np.int32) for each in (gold, answers))
    among = np.arange(len(places)) < own
    mine = truth < own
    on_own = scores.summarise(scores.tally(truth[mine], found[mine], len(places)), among)
    everywhere = scores.summarise(scores.tally(truth, found, len(places)), among)
    return on_own, everywhere.false_positive_rate


def seconds(made: Callable[[], Answer], texts: Texts) -> float:
    """CPU seconds of the best round; each has a fresh identifier, for ours remembers sums of words."""
    best = float("inf")
    for _ in range(ROUNDS):
        answer = made()
        start = time.process_time()
        answer(texts)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=EMBEDDED, help="another model for ours: a name, or a file")
    parser.add_argument("--lines", type=Path, default=DATA / "language" / "test-udhr.tsv.zst")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def fresh() -> Answer:
        return ours(load(arguments.model, normalised=None if arguments.model in (EMBEDDED, "lid.176") else True))

    examples = read(arguments.lines)
    bounds = zip(examples.offsets[:-1], examples.offsets[1:], strict=True)
    lines = [examples.data[start:end].tobytes().decode() for start, end in bounds]
    sets = {"lines": (list(examples.gold), lines), "documents": documents(examples.gold, lines)}
    peers = [identifiers.lid176(), identifiers.cld2()]
    mine = fresh()
    answers = {name: mine(texts) for name, (_, texts) in sets.items()}

    print(f"{len(lines):,} lines and {len(sets['documents'][0]):,} documents of {LINES_A_DOCUMENT} of them")
    print(f"{'':<30}{'languages':>10}{'texts':>8}{'accuracy':>10}{'macro-F1':>10}{'FPR own':>10}{'FPR all':>10}")
    beaten = True
    for name, (gold, texts) in sets.items():
        for peer in peers:
            both = [
                (f"{name}: {peer.name}", peer.answer(texts)),
                (f"{name}: lauter, all labels", answers[name]),
            ]
            found = [judged(gold, each, peer.languages) for _, each in both]
            for (title, _), (score, everywhere) in zip(both, found, strict=True):
                print(
                    f"{title:<30}{score.labels:>10}{score.texts:>8,}{score.accuracy:>10.4f}{score.macro_f1:>10.4f}"
                    f"{score.false_positive_rate:>10.5f}{everywhere:>10.5f}"
                )
            (theirs, _), (own, _) = found
            wrong = (1 - theirs.macro_f1) / (1 - own.macro_f1)
            print(f"  1 - F1: {peer.name} has {wrong:.2f} times ours")
            beaten &= own.macro_f1 > theirs.macro_f1 and own.accuracy > theirs.accuracy

    _, texts = sets["documents"]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    rates = {"lauter": len(texts) / seconds(fresh, texts)}
    rates |= {peer.name: len(texts) / seconds(lambda peer=peer: peer.answer, texts) for peer in peers}  # type: ignore[misc]
    print(f"{megabytes:.1f} MB of documents, one core, CPU time, best of {ROUNDS}")
    for name, rate in rates.items():
        speed, ratio = rate * megabytes / len(texts), rates["lauter"] / rate
        print(f"  {name:<14}{rate:>8,.0f} docs/s {speed:>7.1f} MB/s   lauter is {ratio:.2f} times as fast")
    print(f"above both in accuracy and macro-F1, on lines and on documents: {'yes' if beaten else 'NO'}")


if __name__ == "__main__":
    main()
