"""Models that the library trains, for the tests of this folder."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = {
    "deu_Latn": "der die und nicht über Straße Haus schön ’s geht Grüße für",
    "fra_Latn": "le la et pas déjà maison l'eau où être garçon voilà ça",
    "rus_Cyrl": "и в не что дом вода хорошо привет ещё объект",
    "ell_Grek": "και το να δεν σπίτι νερό καλημέρα ώρα",
    "jpn_Jpan": "東京都 こんにちは 日本語 ありがとう 水 家",
    "tha_Thai": "สวัสดี ครับ ภาษาไทย น้ำ บ้าน",
    "zxx_Zzzz": "x9f0 0x7f == {} ;; #a1b2 %%",
}
KINDS: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax", "minn": 2, "maxn": 5},
    "hs": {"loss": "hs", "minn": 2, "maxn": 4},
    "ova": {"loss": "ova", "minn": 1, "maxn": 3},
    "ns": {"loss": "ns", "minn": 3, "maxn": 6},
    "words": {"loss": "softmax", "minn": 0, "maxn": 0, "bucket": 0},
    "bigrams": {"loss": "softmax", "minn": 0, "maxn": 0, "wordNgrams": 2},
    "trigrams": {"loss": "hs", "minn": 2, "maxn": 3, "wordNgrams": 3},
    "many": {"loss": "softmax", "minn": 2, "maxn": 3, "lr": 1.0},
}
QUANTISED: dict[str, dict[str, Any]] = {
    "pairs": {"dsub": 2},
    "norms": {"dsub": 2, "qnorm": True},
    "singles": {"dsub": 1, "qnorm": True},
    "odd": {"dsub": 3},
    "cutoff": {"dsub": 2, "cutoff": 600, "qnorm": True},
    "words-cut": {"dsub": 4, "cutoff": 300},
    "retrained": {"dsub": 2, "cutoff": 500, "qnorm": True, "retrain": True, "epoch": 1, "lr": 0.05, "thread": 1},
    "output": {"dsub": 2, "qout": True, "qnorm": True},
}
TEXTS = [
    "",
    " ",
    "der die das",
    "Der Hund geht über die Straße und die Straße nicht",
    "le garçon est déjà à l'eau",
    "привет дом",
    "東京都こんにちは 日本語",
    "สวัสดีครับภาษาไทย",
    "</s> der die",
    "der </s> привет",
    "</s>",
    "__label__fra_Latn der",
    "__label__unknown der",
    "__label__",
    "a\0b der\v\f\tdie\r und",
    "𝕳𝖆𝖚𝖘 😀 e\u0301",
    "x9f0 == {} ;;",
    "wort " * 400,
    "ununterbrochen" * 300,
    "der\u00a0die\u2003und",
]


@cache
def folder() -> Path:
    """A folder for the models of this process."""
    return Path(mkdtemp(prefix="lauter-fasttext-"))


@cache
def training_file(kind: str = "softmax") -> Path:
    """Lines of the words of each label; the first labels have more. For `many`, 260 labels more: 256 is the least for
    which the library quantises an output matrix."""
    draw = random.Random(5)
    lines = []
    if kind == "many":
        lines = [f"__label__x{place:03}_Latn w{place} x{place % 9} und" for place in range(260) for _ in range(3)]
    for place, (label, words) in enumerate(WORDS.items()):
        for _ in range(120 - 10 * place):
            line = " ".join(draw.choices(words.split(), k=draw.randint(1, 8)))
            lines.append(f"__label__{label} {line}")
    draw.shuffle(lines)
    path = folder() / f"train-{'many' if kind == 'many' else 'few'}.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@cache
def trained(kind: str, quantised: str = "") -> Path:
    """The file of a model of one of `KINDS`, quantised as one of `QUANTISED`."""
    import fasttext

    # fastText initialises a tenth of its matrix per thread: with fewer than ten the rest is whatever the heap held.
    values = {"dim": 10, "epoch": 5, "lr": 0.3, "bucket": 2000, "thread": 10, "verbose": 0, **KINDS[kind]}
    model = fasttext.train_supervised(str(training_file(kind)), **values)
    if quantised:
        model.quantize(input=str(training_file(kind)), verbose=0, **QUANTISED[quantised])
    path = folder() / f"{kind}-{quantised}.{'ftz' if quantised else 'bin'}"
    model.save_model(str(path))
    return path


def buffers(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as kernels take them: read-only, as Arrow's are."""
    data = np.frombuffer(b"".join(texts), np.uint8)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    offsets.setflags(write=False)
    return data, offsets


def ask_library(path: Path, texts: list[bytes], k: int) -> list[tuple[list[str], list[float]]]:
    """Labels and probabilities as the library gives them for any bytes, a line feed being a space."""
    import fasttext

    model = fasttext.load_model(str(path))
    lines = [text.replace(b"\n", b" ") + b"\n" for text in texts]
    labels, probabilities = model.f.multilinePredict(lines, k, 0.0, "strict")
    return [(list(a), [float(x) for x in b]) for a, b in zip(labels, probabilities, strict=True)]
