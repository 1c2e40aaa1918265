"""A small tokenizer of XLM-R's kind, made on the spot."""

from __future__ import annotations

from pathlib import Path

TEXTS = [
    "All human beings are born free and equal in dignity and rights.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
]


def make_tokenizer(folder: Path) -> int:
    """Write tokenizer.json; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=marks, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([*TEXTS, "< / s >"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    size: int = tokenizer.get_vocab_size()
    return size
