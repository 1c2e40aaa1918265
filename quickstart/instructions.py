"""`python -m quickstart.instructions DIR`: small tasks with one right answer each, in English, German and French.

Words to repeat, to pick out of a list and to count, opposites, translations, tiny sums: what a model of a few million
parameters learns to do with words that it has not seen together before. DIR/train.jsonl and DIR/held-out.jsonl have
rows of `messages`. Whether a prompt is held out, its hash decides, so that none is in both. DIR/open.jsonl has requests
with many good answers, long and short, polite and plain: something to have preferences about.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from quickstart.words import NAMES, NOUNS, NUMBERS, OPENERS, OPPOSITES, WAYS

LANGUAGES = {"en": "eng_Latn", "de": "deu_Latn", "fr": "fra_Latn"}
SYSTEM = {"en": "Answer briefly.", "de": "Antworte kurz.", "fr": "Réponds brièvement."}
HELD_OUT = 8
"""One prompt in so many is held out."""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and its one right answer."""

    language: str
    kind: str
    prompt: str
    answer: str

    @property
    def held_out(self) -> bool:
        """Whether no one may train on it."""
        return hashlib.sha256(self.prompt.encode()).digest()[0] % HELD_OUT == 0

    def row(self) -> dict[str, object]:
        """As a row of JSONL: chat messages, and what the task is."""
        messages = [
            {"role": "system", "content": SYSTEM[self.language]},
            {"role": "user", "content": self.prompt},
            {"role": "assistant", "content": self.answer},
        ]
        name = hashlib.sha256(f"{self.prompt}\0{self.answer}".encode()).hexdigest()[:16]
        return {"id": name, "language": LANGUAGES[self.language], "kind": self.kind, "messages": messages}


def _some(language: str, chance: random.Random, least: int, most: int) -> list[str]:
    return chance.sample(NOUNS[language], chance.randint(least, most))


def _say(language: str, chance: random.Random) -> tuple[list[str], str]:
    words = " ".join(_some(language, chance, 1, 4))
    return [words], words


def _times(language: str, chance: random.Random) -> tuple[list[str], str]:
    words, times = _some(language, chance, 1, 2), chance.randrange(3)
    return [" ".join(words), NUMBERS[language][times]], " ".join(words * (2 + times))


def _first(language: str, chance: random.Random) -> tuple[list[str], str]:
    words = _some(language, chance, 2, 4)
    return [", ".join(words)], words[0]


def _last(language: str, chance: random.Random) -> tuple[list[str], str]:
    words = _some(language, chance, 2, 4)
    return [", ".join(words)], words[-1]


def _count(language: str, chance: random.Random) -> tuple[list[str], str]:
    words = _some(language, chance, 1, 5)
    return [", ".join(words)], str(len(words))


def _opposite(language: str, chance: random.Random) -> tuple[list[str], str]:
    pair = list(chance.choice(OPPOSITES[language]))
    chance.shuffle(pair)
    return pair[:1], pair[1]


def _translate(language: str, chance: random.Random) -> tuple[list[str], str]:
    other, place = chance.choice(sorted(NAMES[language])), chance.randrange(len(NOUNS[language]))
    return [NOUNS[language][place], NAMES[language][other]], NOUNS[other][place]


def _sum(_language: str, chance: random.Random) -> tuple[list[str], str]:
    one, other = chance.randint(1, 5), chance.randint(1, 5)
    return [str(one), str(other)], str(one + other)


KINDS: dict[str, Callable[[str, random.Random], tuple[list[str], str]]] = {
    "say": _say,
    "times": _times,
    "first": _first,
    "last": _last,
    "count": _count,
    "opposite": _opposite,
    "translate": _translate,
    "sum": _sum,
}
"""Kind of task -> from a language and chance to what fills the prompt, and the answer."""


def tasks(seed: int) -> Iterator[Task]:
    """Tasks without end, all languages alike often, the same for the same seed.

    Words to say again come more often than other kinds, as each word of an answer is learnt from; so do facts, each of
    which must be seen some dozens of times.
    """
    chance = random.Random(seed)
    while True:
        for language in LANGUAGES:
            for kind in [*KINDS, "say", "times", "last", "opposite", "translate", "translate"]:
                filling, answer = KINDS[kind](language, chance)
                way = chance.choice(OPENERS[language]) + chance.choice(WAYS[kind][language])
                yield Task(language, kind, way.format(*filling), answer)


def training(count: int, seed: int = 28) -> list[Task]:
    """At most so many tasks, kinds and languages in turn, none of them held out; no prompt twice.

    Some kinds have few prompts: of those all are there, and of the others more.
    """
    found: dict[str, Task] = {}
    for task in islice(tasks(seed), 20 * count):
        if len(found) == count:
            break
        if not task.held_out:
            found.setdefault(task.prompt, task)
    return list(found.values())


def held_out(count: int, seed: int = 29) -> list[Task]:
    """At most so many tasks of each language, kinds in turn, with prompts that no training has, each once.

    Some kinds have few prompts, and an eighth of them is held out: of those there are fewer.
    """
    wanted = {(language, kind): -(-count // len(KINDS)) for language in LANGUAGES for kind in KINDS}
    found: dict[str, Task] = {}
    for task in islice(tasks(seed), 300 * count):
        key = (task.language, task.kind)
        if task.held_out and task.prompt not in found and wanted[key]:
            wanted[key] -= 1
            found[task.prompt] = task
    return list(found.values())


TELL: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        ("Tell me about the {0}.", "Say something about the {0}."),
        ("The {0} is old.", "I like the {0}.", "The {0} is near the {1}.", "There is a {1} beside the {0}."),
        ("Thank you.", "With pleasure."),
    ),
    "de": (
        ("Erzähle mir von: {0}.", "Sage etwas über: {0}."),
        ("Das ist alt: {0}.", "Ich mag das: {0}.", "Hier sind {0} und {1}.", "Erst {1}, dann {0}."),
        ("Danke.", "Sehr gern."),
    ),
    "fr": (
        ("Parle-moi de : {0}.", "Dis quelque chose sur : {0}."),
        ("C'est vieux : {0}.", "J'aime ça : {0}.", "Voici {0} et {1}.", "D'abord {1}, puis {0}."),
        ("Merci.", "Avec plaisir."),
    ),
}
"""Language -> requests, sentences of an answer, and what is polite at its end."""


def open_tasks(seed: int) -> Iterator[Task]:
    """Requests without one right answer: one to four sentences, half of the answers polite at the end."""
    chance = random.Random(seed)
    while True:
        for language, (requests, sentences, polite) in TELL.items():
            word = chance.choice(NOUNS[language])
            picked = chance.sample(sentences, chance.randint(1, 4))
            said = [one.format(word, chance.choice(NOUNS[language])) for one in picked]
            said += [chance.choice(polite)] if chance.random() < 0.5 else []
            yield Task(language, "tell", chance.choice(requests).format(word), " ".join(said))


def write(folder: Path, *, train: int, test: int, opened: int) -> dict[str, int]:
    """Write the three files; rows of each."""
    folder.mkdir(parents=True, exist_ok=True)
    endless = (task for task in open_tasks(30) if not task.held_out)
    files = {
        "train.jsonl": training(train),
        "held-out.jsonl": held_out(test),
        "open.jsonl": [next(endless) for _ in range(opened)],
    }
    for name, some in files.items():
        text = "".join(json.dumps(task.row(), ensure_ascii=False) + "\n" for task in some)
        (folder / name).write_text(text, encoding="utf-8")
    return {name: len(some) for name, some in files.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m quickstart.instructions", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--train", type=int, default=24_000, metavar="N", help="tasks to train on")
    parser.add_argument("--test", type=int, default=200, metavar="N", help="held-out tasks of each language")
    parser.add_argument("--open", type=int, default=6_000, metavar="N", help="requests with many good answers")
    wanted = parser.parse_args(arguments)
    rows = write(Path(wanted.folder), train=wanted.train, test=wanted.test, opened=wanted.open)
    print(", ".join(f"{name}: {count:,} rows" for name, count in rows.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
