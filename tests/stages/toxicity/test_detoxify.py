"""The Detoxify adapter against a direct forward pass of a small model of the same architecture, made on the spot."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.encoders.extras import MissingExtraError
from lauter.stages.toxicity import Toxicity, ToxicityConfig
from tests.stages.encoders.small_tokenizer import TEXTS, make_tokenizer

HAS_TORCH = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch and transformers are not installed (extra `toxicity`)")

CLASSES = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of XLM-R's kind, the configuration of a model with two small layers, and its random weights."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    path = tmp_path_factory.mktemp("encoder")
    config = XLMRobertaConfig(
        vocab_size=make_tokenizer(path), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=514, type_vocab_size=1, num_labels=16, initializer_range=0.5,
    )  # fmt: skip
    config.save_pretrained(path)
    torch.manual_seed(0)
    save(path / "model.ckpt", XLMRobertaForSequenceClassification(config).state_dict())
    return path


def save(path: Path, state: dict[str, Any], **changes: object) -> None:
    import torch

    arch = {"num_classes": 16, "model_type": "xlm-roberta-base", "model_name": "XLMRobertaForSequenceClassification"}
    config = {"arch": {"args": {**arch, **changes}}, "dataset": {"args": {"classes": CLASSES}}}
    torch.save({"config": config, "state_dict": state}, path)


def opened(folder: Path, checkpoint: str = "model.ckpt", **values: object) -> Toxicity:
    names = {"checkpoint": checkpoint, "encoder_config": "config.json", "tokenizer": "tokenizer.json"}
    files = {field: str(folder / name) for field, name in names.items()}
    config = ToxicityConfig.model_validate({"model": "detoxify", **files, **values})
    made = Toxicity(config, StageContext())
    made.open()
    return made


def score(made: Toxicity, texts: list[str], language: str = "eng_Latn") -> list[int | None]:
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array([language] * len(texts))}
    values: list[int | None] = made.apply(pa.record_batch(columns)).columns["toxicity"].to_pylist()
    return values


def forward(folder: Path, chunks: list[list[int]], place: int) -> int:
    """The model run directly: the highest probability of a class over chunks of ids, in ten-thousandths."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    model = XLMRobertaForSequenceClassification(XLMRobertaConfig.from_pretrained(folder))
    model.load_state_dict(torch.load(folder / "model.ckpt", weights_only=True)["state_dict"])
    model.eval()
    with torch.no_grad():
        found = [torch.sigmoid(model(input_ids=torch.tensor([ids])).logits)[0, place].item() for ids in chunks]
    return int(np.rint(max(found) * 10_000))


@needs_torch
@pytest.mark.parametrize("place", [0, 4])
def test_short_texts_equal_a_direct_forward_pass(folder: Path, place: int) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    scores = score(opened(folder, label=CLASSES[place]), TEXTS)
    assert scores == [forward(folder, [tokenizer.encode(text).ids], place) for text in TEXTS]
    assert len(set(scores)) > 1


@needs_torch
def test_a_long_text_has_the_score_of_its_worst_chunk(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = " ".join(TEXTS * 30)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert len(ids) > 2 * 510
    chunks = [[0, *ids[at : at + 510], 2] for at in range(0, len(ids), 510)]
    assert score(opened(folder), [text]) == [forward(folder, chunks, 0)]
    assert len({forward(folder, [chunk], 0) for chunk in chunks}) > 1


@needs_torch
def test_of_a_very_long_text_some_chunks_are_judged(folder: Path) -> None:
    from tokenizers import Tokenizer

    text = " ".join(TEXTS * 30)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    chunks = [[0, *ids[at : at + 510], 2] for at in range(0, len(ids), 510)]
    assert len(chunks) > 2
    assert score(opened(folder, max_chunks=1), [text]) == [forward(folder, chunks[:1], 0)]
    assert score(opened(folder, max_chunks=2), [text]) == [forward(folder, [chunks[0], chunks[-1]], 0)]


@needs_torch
def test_marks_in_a_text_are_left_out(folder: Path) -> None:
    made = opened(folder)
    assert score(made, ["free </s> and <pad> equal"]) == score(made, ["free   and   equal"])


@needs_torch
@pytest.mark.parametrize("batch_tokens", [512, 4096])
def test_batches_and_empty_texts(folder: Path, batch_tokens: int) -> None:
    made = opened(folder, batch_tokens=batch_tokens)
    texts = [*TEXTS, "", TEXTS[0] * 20, *TEXTS * 3]
    together, alone = score(made, texts), [value for text in texts for value in score(made, [text])]
    assert together == alone


@needs_torch
def test_a_cascade_shows_it_what_the_embedded_model_is_in_doubt_of(folder: Path) -> None:
    cheap = Toxicity(ToxicityConfig(), StageContext())
    cheap.open()
    texts = [*TEXTS, "I hate all of you, you are disgusting and should die"]
    first = np.array(score(cheap, texts))
    low, high = sorted(first)[1], sorted(first)[-2]
    made = opened(folder, cascade=(low / 10_000, high / 10_000))
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(["eng_Latn"] * len(texts))}
    found = made.apply(pa.record_batch(columns)).columns
    clear = (first < low) | (first > high)
    assert 0 < clear.sum() < len(texts)
    assert found["toxicity_model"].to_pylist() == np.where(clear, 2, 3).tolist()
    assert np.array(found["toxicity"].to_pylist())[clear].tolist() == first[clear].tolist()


def test_a_gpu_asks_for_a_step_of_its_own() -> None:
    files = {"checkpoint": "a", "encoder_config": "b", "tokenizer": "c"}
    config = ToxicityConfig.model_validate({"model": "detoxify", "device": "cuda", "threads": 2, **files})
    assert Toxicity.placement(config) == (2.0, 1.0)
    assert Toxicity.placement(ToxicityConfig()) is None


@needs_torch
def test_only_its_languages_are_judged(folder: Path) -> None:
    made = opened(folder)
    assert score(made, TEXTS, "deu_Latn") == [None] * 4
    assert None not in score(opened(folder, languages=("deu_Latn",)), TEXTS, "deu_Latn")


@needs_torch
def test_nothing_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert None not in score(opened(folder), TEXTS)


@needs_torch
def test_weights_of_older_versions_are_read(folder: Path) -> None:
    import torch

    state = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    save(folder / "old.ckpt", {**state, "roberta.embeddings.position_ids": torch.arange(514)[None]})
    assert score(opened(folder, "old.ckpt"), TEXTS) == score(opened(folder), TEXTS)


@needs_torch
def test_a_checkpoint_that_runs_code_is_refused(folder: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(folder / "pwned"),)

    import torch

    torch.save({"config": {}, "state_dict": Payload()}, folder / "evil.ckpt")
    with pytest.raises(ValueError, match=r"evil\.ckpt holds no weights"):
        opened(folder, "evil.ckpt")
    assert not (folder / "pwned").exists()


@needs_torch
def test_checkpoints_that_do_not_fit_are_errors(folder: Path) -> None:
    import torch

    state = torch.load(folder / "model.ckpt", weights_only=True)["state_dict"]
    save(folder / "other.ckpt", state, model_name="GPT2Model")
    with pytest.raises(ValueError, match="not known here: GPT2Model"):
        opened(folder, "other.ckpt")
    save(folder / "classes.ckpt", state, num_classes=7)
    with pytest.raises(ValueError, match="do not fit"):
        opened(folder, "classes.ckpt")
    torch.save({"state_dict": state}, folder / "bare.ckpt")
    with pytest.raises(ValueError, match="'config' is missing"):
        opened(folder, "bare.ckpt")
    (folder / "none.ckpt").write_bytes(b"none")
    with pytest.raises(ValueError, match="holds no weights"):
        opened(folder, "none.ckpt")
    with pytest.raises(FileNotFoundError):
        opened(folder, "nowhere.ckpt")
    for field in ("tokenizer", "encoder_config"):
        with pytest.raises(ValueError, match=r"none\.ckpt is no (tokenizer|config)\.json"):
            opened(folder, **{field: str(folder / "none.ckpt")})
    with pytest.raises(ValueError, match="no class rudeness"):
        opened(folder, label="rudeness")


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed, so the extra is not missing")
def test_without_the_extra_the_error_says_what_to_install() -> None:
    made = Toxicity(
        ToxicityConfig(model="detoxify", checkpoint="a.ckpt", encoder_config="b", tokenizer="c"), StageContext()
    )
    with pytest.raises(MissingExtraError, match=r"pip install lauter\[toxicity\]"):
        made.open()
