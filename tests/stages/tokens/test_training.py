from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.cli import app
from lauter.pipeline.contract import StageContext
from lauter.pipeline.finished import NoCorpus
from lauter.pipeline.resolve import load
from lauter.stages.catalogue import CATALOGUE
from lauter.stages.pii.recognisers import KINDS
from lauter.stages.pii.spans import placeholder
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.stages.tokens.pattern import SPLIT
from lauter.stages.tokens.placeholders import PERSONAL_DATA
from lauter.stages.tokens.training import (
    CONTROLS,
    LEAST,
    SIDECAR,
    Trained,
    train_tokenizer,
    write_tokenizer,
)

SENTENCES = (
    "The ferry leaves the lower harbour at seven and comes back when the tide has turned, in the evening.",
    "Der Wirt stellte zwei Gläser auf den Tisch und fragte, ob noch jemand mit dem letzten Schiff komme.",
    "Le facteur passe tous les jours devant la maison bleue, mais il n'apporte que rarement une lettre.",
    "Паром уходит из нижней гавани в семь часов и возвращается вечером, когда меняется течение воды.",
    "In 1887 the gauge showed 2,345 millimetres; in 1923 it showed 2,410, and nobody could say why it did.",
)
ADDRESS = "mira.tobler@gasthaus-lindental.ch"


def _documents() -> list[str]:
    texts = [f"{' '.join(SENTENCES[(i + j) % 5] for j in range(3))} Note {i}." for i in range(12)]
    texts[3] += f" Write to {ADDRESS} or {ADDRESS} before Friday, and say how many of you there will be."
    texts.append(texts[5])  # A copy: dropped.
    texts.append("Το πλοίο φεύγει από το λιμάνι στις επτά και γυρίζει το βράδυ. " * 30)  # Another language: dropped.
    return texts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with dropped documents, duplicates and personal data."""
    folder = tmp_path_factory.mktemp("corpus")
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(_documents()):
            file.write(json.dumps({"id": str(number), "text": text}) + "\n")
        file.write(json.dumps({"id": "3", "text": _documents()[3]}) + "\n")  # The same record again.
    manifest = {
        "name": "small",
        "sources": [{"name": "rows", "kind": "jsonl", "paths": ["rows.jsonl"]}],
        "stages": [{"language": {"languages": ["eng_Latn", "deu_Latn", "fra_Latn", "rus_Cyrl"]}}, "pii", "dedup"],
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    options = BuildOptions(str(folder / "out"), "inline", 1, None)
    build_corpus(load(str(folder / "manifest.yaml"), CATALOGUE), options, Console(file=io.StringIO()))
    return folder / "out"


@pytest.fixture(scope="module")
def trained(run: Path) -> Trained:
    return train_tokenizer(str(run), 400)


@pytest.fixture(scope="module")
def encoder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceEncoder:
    """As a manifest's `tokenizer` section opens it."""
    out = tmp_path_factory.mktemp("tokenizer") / "made"
    write_tokenizer(trained.files, out)
    config = TokenizerConfig(tokenizer=str(out / "tokenizer.json"), sidecar=str(out / "sidecar.json"))
    encoder = HuggingFaceEncoder(config, StageContext())
    encoder.open()
    return encoder


def _kept(run: Path) -> pa.Table:
    ledger = pa.concat_tables([pq.read_table(path) for path in (run / "ledger").rglob("*.parquet")])
    return ledger.filter(pa.compute.equal(ledger.column("verdict").cast(pa.string()), "kept"))


def test_only_kept_documents_are_read(run: Path, trained: Trained) -> None:
    kept = _kept(run)
    assert 0 < trained.documents == kept.num_rows < len(_documents())
    assert trained.characters == sum(kept.column("chars").to_pylist())
    entries = json.loads(trained.files["tokenizer.json"])["model"]["vocab"]
    greek = ("Î", "Ï")  # The letters for the bytes that Greek begins with.
    assert not [name for name in entries if len(name) > 1 and name.startswith(greek)]


def test_removed_personal_data_is_one_id_and_its_placeholder_is_no_text_to_learn(
    run: Path, trained: Trained, encoder: HuggingFaceEncoder
) -> None:
    entries = json.loads(trained.files["tokenizer.json"])["model"]["vocab"]
    assert not [name for name in entries if "pii" in name and name not in CONTROLS]
    documents = pa.concat_tables([pq.read_table(path) for path in (run / "documents").rglob("*.parquet")])
    row = next(row for row in documents.to_pylist() if row["pii_spans"])
    spans = pa.array([row["pii_spans"]], documents.schema.field("pii_spans").type)
    (ids,) = encoder.encode(pa.array([row["text"]], pa.large_string()), spans).to_pylist()
    assert ids.count(SIDECAR.placeholders["email"].id) == 2
    assert encoder.decode(ids) == row["text"]
    assert ADDRESS not in row["text"]


def test_the_sidecar_has_a_token_for_all_that_the_pii_stage_removes() -> None:
    kinds = {*KINDS, "name"}
    assert kinds == set(PERSONAL_DATA) == SIDECAR.placeholders.keys()
    assert {kind: control.token for kind, control in SIDECAR.placeholders.items()} == {
        kind: placeholder(kind) for kind in kinds
    }


def test_text_is_split_as_apertus_splits_it(document: dict[str, Any]) -> None:
    assert document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == SPLIT


def test_it_has_the_ids_that_were_asked_for_controls_first(trained: Trained, encoder: HuggingFaceEncoder) -> None:
    document = json.loads(trained.files["tokenizer.json"])
    entries = document["model"]["vocab"]
    assert sorted(entries.values()) == list(range(400))
    assert trained.ids == 400
    assert {name: entries[name] for name in CONTROLS} == {name: place for place, name in enumerate(CONTROLS)}
    assert document["added_tokens"] == []
    assert encoder.engine == "fastokens"
    assert encoder.digest() == trained.digest
    assert encoder.definition.sidecar.ids() == frozenset(range(len(CONTROLS)))


@settings(max_examples=200)
@given(st.one_of(st.text(), st.lists(st.sampled_from([*CONTROLS, " ", "a", "\n"])).map("".join)))
def test_every_text_comes_back_and_none_reaches_a_control_token(encoder: HuggingFaceEncoder, text: str) -> None:
    (ids,) = encoder.encode(pa.array([text], pa.large_string()), None).to_pylist()
    assert ids[0] == 1
    assert ids[-1] == 2
    assert min([*ids[1:-1], LEAST]) >= len(CONTROLS)
    assert encoder.decode(ids) == text


def test_digits_stand_alone_and_words_are_merged(encoder: HuggingFaceEncoder) -> None:
    (ids,) = encoder.encode(pa.array(["2345 the harbour"], pa.large_string()), None).to_pylist()
    assert [encoder.decode([index]) for index in ids[1:5]] == ["2", "3", "4", "5"]
    assert len(ids) < 2 + 4 + len(" the harbour")


def test_equal_text_gives_equal_bytes_on_one_thread_and_on_two(run: Path, trained: Trained) -> None:
    script = (
        "import sys; from lauter.stages.tokens.training import train_tokenizer; "
        "sys.stdout.write(train_tokenizer(sys.argv[1], 400).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(run)],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"},
        ).stdout
        for threads in ("1", "2")
    }
    assert digests == {trained.digest}


def test_a_sample_is_a_share_of_the_documents_and_follows_the_seed(run: Path) -> None:
    half, again, other = (train_tokenizer(str(run), LEAST + 20, sample=0.5, seed=seed) for seed in (1, 1, 2))
    assert 0 < half.documents < train_tokenizer(str(run), LEAST).documents
    assert half == again
    assert half.digest != other.digest


def test_too_small_a_vocabulary_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match=f"--vocabulary {LEAST - 1}: 27 control tokens and 256 bytes are {LEAST} ids"):
        train_tokenizer(str(run), LEAST - 1)
    assert train_tokenizer(str(run), LEAST).ids == LEAST


def test_more_ids_than_the_text_has_pairs_for_are_refused(run: Path) -> None:
    with pytest.raises(ValueError, match=r"make [0-9]+ ids, not 60000; take --vocabulary [0-9]+ or less"):
        train_tokenizer(str(run), 60_000)


def test_a_share_outside_its_range_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match="--sample 0: a share"):
        train_tokenizer(str(run), 400, sample=0)


def test_a_run_without_kept_documents_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match="no kept document is there to train on; raise --sample"):
        train_tokenizer(str(run), 400, sample=1e-9)


def test_a_folder_without_a_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoCorpus, match="holds no finished corpus"):
        train_tokenizer(str(tmp_path), 400)


def test_the_command_writes_both_files_and_never_overwrites(run: Path, trained: Trained, tmp_path: Path) -> None:
    command = ["tokenizer", "train", str(run), "--out", str(tmp_path / "new"), "--vocabulary", "400", "--json"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["digest"] == trained.digest
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == trained.files
    second = CliRunner().invoke(app, command)
    assert second.exit_code == 2
    assert "is there already" in second.stderr


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    found = CliRunner().invoke(
        app, ["tokenizer", "train", str(tmp_path), "--out", str(tmp_path / "new"), "--vocabulary", "400"]
    )
    assert found.exit_code == 2
    assert "holds no finished corpus; run `lauter build` to its end" in found.stderr
    assert not (tmp_path / "new").exists()
