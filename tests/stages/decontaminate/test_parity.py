"""The rule of any shared run of words drops what datatrove's n-gram filter drops.

Its normalisation is set to what ours does too: lower case, no punctuation, no more. What is left differs by intent: its
list of punctuation is its own and puts a space in its place, where ours drops every character that Unicode calls
punctuation or a symbol and joins what stands around it; and a letter of a script without spaces is a word of ours, so
that runs of Chinese are found by neither words nor spaces of theirs. So the texts are English here, and one page in 300
differs: "pick-up sticks" has two words or three, and the piece of an item that stands there 11 words or 12.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.decontaminate import Decontaminate
from tests.stages.decontaminate.test_stage import config_of, decided, items
from tests.stages.quality.reference import english_texts

NGRAM = 12


class WhiteSpaceWords:
    def word_tokenize(self, text: str) -> list[str]:
        return text.split()


def datatrove_filter(folder: str, texts: list[str]) -> Any:  # noqa: ANN401 - datatrove has no types
    pytest.importorskip("datatrove", reason="datatrove is in the extra `bench`")
    from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import TextNormConfig, simplify_text

    norm = TextNormConfig(norm_numbers=False, norm_unicode_diacritics=False)
    step = NGramsDecontFilter(folder, config=NGramsDecontConfig(n_grams=NGRAM, norm_config=norm))
    step.tokenizer = WhiteSpaceWords()
    step._index_hashes = {}
    for text in texts:
        words = step.tokenizer.word_tokenize(simplify_text(text, norm))
        runs = (" ".join(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1))
        step._index_hashes |= {step.hash_func(run): "items" for run in runs}
    return step


@pytest.mark.slow
def test_the_same_pages_are_dropped_as_by_datatrove(tmp_path: Path) -> None:
    planted = [text for _, text in items("gsm8k", "question")]
    step = datatrove_filter(str(tmp_path / "theirs"), planted)
    from datatrove.data import Document

    config = config_of(rule="gpt3", ngram_words=NGRAM, max_documents=None)
    (tmp_path / "ours").mkdir()
    Decontaminate(config, StageContext()).prepare(str(tmp_path / "ours"))
    stage = Decontaminate(config, StageContext(artefacts=str(tmp_path / "ours")))
    draw = random.Random(3)
    texts = [
        f"{page}\n{' '.join(draw.choice(planted).split()[: draw.randrange(40)])}"
        for page in draw.sample(english_texts(), 300)
    ]
    ours = [evidence is not None for evidence in decided(stage, texts)]
    theirs = [step.filter(Document(text=text, id="")) is not True for text in texts]
    assert 100 < sum(ours) < 250, "pieces of items are long enough or not"
    differing = [text[-300:] for text, one, other in zip(texts, ours, theirs, strict=True) if one != other]
    assert len(differing) <= 0.01 * len(texts), differing
