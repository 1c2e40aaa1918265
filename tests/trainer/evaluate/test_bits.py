"""Bits per byte of a corpus of bytes, against one document at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.evaluate.held_out import EvaluationError, held_out
from lauter.trainer.evaluate.likelihood import Request, likelihoods
from lauter.trainer.evaluate.subject import open_subject
from lauter.trainer.huggingface.export import export_hf
from lauter.trainer.indexed.importing import import_tokens
from lauter.trainer.indexed.writing import MegatronWriter
from tests.trainer.generate.byte_tokenizer import byte_tokenizer, files
from tests.trainer.huggingface.small import SHAPE, TOKENIZER, checkpoint, model

GERMAN = ["Grüße aus Chur", "Der Himmel ist blau. " * 20, "äöü", "kurz"]
CHINESE = ["漢字と仮名", "👩 sagt: 漢" * 3]


def corpus(folder: Path, texts: list[str], language: str, *, placeholder: bool = False) -> Path:
    """Documents of bytes; the first one with the placeholder of an e-mail address in it."""
    tokenizer = folder.with_name("tokenizer")
    tokenizer.mkdir(exist_ok=True)
    for name, content in files().items():
        (tokenizer / name).write_bytes(content)
    prefix = folder.with_name(f"{folder.name}-megatron")
    writer = MegatronWriter(prefix, SHAPE.vocabulary)
    hidden = min(byte_tokenizer().shown)
    for number, text in enumerate(texts):
        ids = [*byte_tokenizer().encode(text), 2]
        if placeholder and number == 0:
            ids[4:4] = [hidden]
        writer.write(np.array(ids, np.uint32), np.array([len(ids)], np.int64))
    writer.close()
    import_tokens([prefix], folder, tokenizer, language=language)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bits")
    corpus(folder / "german", GERMAN, "deu_Latn", placeholder=True)
    corpus(folder / "chinese", CHINESE, "cmn_Hani")
    made = checkpoint(folder / "run", model(), {"tokenizer": TOKENIZER})
    export_hf(made, folder / "hf", dtype="fp32")
    return folder


def plain(texts: list[str]) -> tuple[float, int]:
    """Nats and bytes; what is longer than 256 places is cut, with one id in common."""
    made, tokenizer = model(), byte_tokenizer()
    nats = 0.0
    for text in texts:
        ids = tokenizer.encode(text)
        for start in range(0, len(ids) - 1, SHAPE.positions):
            part = ids[start : start + SHAPE.positions + 1]
            nats -= likelihoods(made, [Request(part[:1], part[1:])])[0].log
    return nats, sum(len(text.encode()) for text in texts)


def test_every_byte_is_counted_once_and_no_control_token(folder: Path) -> None:
    wish = ["eval", str(folder / "run"), "--tasks", "bits", "--json"]
    for name in ("german", "chinese"):
        wish += ["--data", str(folder / name)]
    shown = CliRunner().invoke(app, wish)
    assert shown.exit_code == 0, shown.output
    german, chinese = json.loads(shown.stdout)["tasks"]["bits"]
    assert german["data"]["seen"] == "another corpus"
    nats, size = plain(CHINESE)
    found = chinese["languages"]["cmn_Hani"]
    assert found["bytes"] == size
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)
    assert found == chinese["languages"]["all"]
    # The placeholder stands in the first document's context; the others are as if alone.
    assert german["languages"]["deu_Latn"]["bytes"] == sum(len(text.encode()) for text in GERMAN)
    assert german["languages"]["deu_Latn"]["documents"] == len(GERMAN)


def test_a_hugging_face_folder_gives_the_same(folder: Path) -> None:
    found = []
    for name in ("run", "hf"):
        wish = ["eval", str(folder / name), "--tasks", "bits,cloze,copy", "--count", "2", "--json"]
        shown = CliRunner().invoke(app, [*wish, "--data", str(folder / "chinese")])
        assert shown.exit_code == 0, shown.output
        found.append(json.loads(shown.stdout))
    assert found[0]["tasks"] == found[1]["tasks"]
    assert [one["model"]["form"] for one in found] == ["checkpoint", "huggingface"]
    plain = CliRunner().invoke(app, ["eval", str(folder / "hf"), "--tasks", "copy,needle", "--count", "1"])
    assert "roh_Latn" in plain.stdout
    assert "needles found" in plain.stdout


def test_what_a_run_held_out_is_told_from_what_it_read(folder: Path) -> None:
    root = json.loads((folder / "german" / "corpus.json").read_text())["root"]
    subject = open_subject(str(folder / "run"), torch.float32)
    subject.meta["data"] = {"history": [{"provenance": [{"root": root}]}]}  # type: ignore[index]  # of this test alone
    subject.meta["config"] = {"data": {"hold_out_shards": 1}}  # type: ignore[index]
    assert held_out(subject, str(folder / "german"), None).told["seen"] == "held out"
    assert held_out(subject, str(folder / "german"), 2).told["seen"] == "trained on"
    assert held_out(subject, str(folder / "chinese"), None).told["seen"] == "another corpus"


def test_what_cannot_be_asked_is_said(folder: Path) -> None:
    for wrong, message in (
        (["--tasks", "bits"], "needs --data"),
        (["--tasks", "bitz"], "no task is called 'bitz'"),
        (["--tasks", "copy", "--data", "x"], "read for the task `bits` alone"),
        (["--data", str(folder / "none")], "no tokens/index.json"),
    ):
        refused = CliRunner().invoke(app, ["eval", str(folder / "run"), *wrong])
        assert refused.exit_code in (1, 2), refused.output
        assert message in refused.stderr
    missing = CliRunner().invoke(app, ["eval", str(folder / "none")])
    assert missing.exit_code == 2


def test_ids_of_another_tokenizer_are_refused(folder: Path) -> None:
    subject = open_subject(str(folder / "run"), torch.float32)
    other = json.loads(subject.tokenizer_files["tokenizer.json"])
    vocabulary = other["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    subject.tokenizer_files["tokenizer.json"] = json.dumps(other).encode()  # type: ignore[index]  # of this test alone
    with pytest.raises(EvaluationError, match="another than the model's"):
        held_out(subject, str(folder / "german"), None)
