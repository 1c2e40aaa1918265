"""Dialogues through a build: shards are the chat format's ids and loss, the audit holds, and a takedown blanks one."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from lauter.chat.control import ASSISTANT_START, USER_START, chat_ids
from lauter.chat.encode import encode
from lauter.chat.formats.messages import conversation
from lauter.chat.pieces import pieces
from lauter.pipeline import identity, schema
from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.contract import StageContext
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.yaml_lines import ManifestError
from lauter.stages.catalogue import CATALOGUE
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from tests.stages.tokens.byte_tokenizer import write_byte_tokenizer

DATA = Path(__file__).parents[1] / "data" / "dialogues"
EXAMPLE = Path(__file__).parents[2] / "manifests" / "instruct.yaml"
MANIFEST: dict[str, Any] = {
    "name": "talk",
    "seed": 5,
    "sources": [
        {
            "name": "messages",
            "kind": "dialogues",
            "paths": ["messages.jsonl"],
            "options": {"columns": {"licences": "licence", "generator": "generator"}},
        },
        {"name": "prompts", "kind": "dialogues", "paths": ["pairs.jsonl"], "options": {"shape": "preference"}},
        {"name": "pages", "kind": "jsonl", "paths": ["pages.jsonl"]},
    ],
    "stages": [{"terms": None, "sources": ["messages"]}, "normalise", "turns", "brands"],
    "streams": {"sources": "each"},
}
MANIFEST["sources"][1]["options"]["take"] = "prompt"


def write(folder: Path, manifest: dict[str, Any]) -> str:
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    return str(folder / "manifest.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("talk")
    shutil.copy(DATA / "messages.jsonl", found)
    shutil.copy(DATA / "preference.jsonl", found / "pairs.jsonl")
    (found / "pages.jsonl").write_text(json.dumps({"id": "page", "text": "A page about <|user_start|> cats."}) + "\n")
    manifest = load(write(found, {**MANIFEST, "tokenizer": write_byte_tokenizer(found)}), CATALOGUE)
    build_corpus(manifest, BuildOptions(str(found / "out"), "inline", 1, None), Console(file=io.StringIO()))
    return found


def shard(folder: Path, stream: str) -> dict[bytes, dict[str, Any]]:
    table = pq.read_table(folder / "out" / "tokens" / stream / "00000.parquet")
    assert table.schema.remove_metadata().equals(schema.DIALOGUE_TOKENS)
    return {row["doc_id"]: row for row in table.to_pylist()}


def violations(folder: Path) -> list[str]:
    found: list[str] = audit(Storage(str(folder / "out")), CATALOGUE).violations
    return found


def test_shards_are_what_the_chat_format_says(folder: Path) -> None:
    config = {name: str(folder / f"{name}.json") for name in ("tokenizer", "sidecar")}
    encoder = HuggingFaceEncoder(TokenizerConfig.model_validate(config), StageContext())
    encoder.open()
    sidecar = json.loads((folder / "sidecar.json").read_text())
    ids = chat_ids(sidecar)
    rows = shard(folder, "messages")
    matched = 0
    for line in (DATA / "messages.jsonl").read_text().splitlines()[:53]:
        fields = json.loads(line or "{}")
        row = rows.get(identity.native_id("messages", fields.get("id", "")))
        if row is None:
            continue
        expected = encode(
            pieces(conversation(fields), open_answer=False),
            lambda text: encoder.encode(pa.array([text], pa.large_string()), None)[0].as_py()[1:-1],
            ids,
            bos=sidecar["bos"]["id"],
        )
        assert (row["tokens"], row["loss_spans"]) == (expected.ids, expected.loss_spans)
        matched += 1
    assert matched == len(rows) == 47
    prompts = shard(folder, "prompts")
    assert len(prompts) == 6
    assert all(row["loss_spans"] == [] and row["tokens"][-1] == ids[ASSISTANT_START] for row in prompts.values())
    (page,) = shard(folder, "pages").values()
    assert page["loss_spans"] is None
    assert page["tokens"][-1] == sidecar["eos"]["id"] and ids[USER_START] not in page["tokens"]


def test_every_row_is_in_the_ledger_once(folder: Path) -> None:
    ledger = pq.read_table(folder / "out" / "ledger" / "messages" / "messages.jsonl.parquet")
    reasons = Counter((str(row["stage"]), str(row["reason"])) for row in ledger.to_pylist() if row["verdict"] != "kept")
    assert ledger.num_rows == 63
    assert reasons == {
        ("read", "no-dialogue"): 8,
        ("read", "invalid-json"): 2,
        ("read", "no-answer"): 1,
        ("terms", "generator-terms"): 1,
        ("terms", "generator-unknown"): 1,
        ("terms", "generator-undeclared"): 1,
        ("brands", "claims-a-brand"): 1,
        ("brands", "names-a-brand"): 1,
    }
    assert violations(folder) == []


def test_a_takedown_leaves_neither_words_nor_lengths_of_turns(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "out", tmp_path / "out")
    gone = identity.native_id("messages", "m01")
    before = shard(folder, "messages")
    take_down(Storage(str(tmp_path / "out")), [demand("doc-id", gone.hex())], with_copies=False)
    after = shard(tmp_path, "messages")
    assert after[gone] == {**before[gone], "tokens": [3] * before[gone]["length"], "loss_spans": [], "removed": True}
    assert {name: row for name, row in after.items() if name != gone} == {
        name: row for name, row in before.items() if name != gone
    }
    assert violations(tmp_path) == []


def test_the_example_is_a_manifest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, name in (("LAUTER_TOKENIZER", "tokenizer"), ("LAUTER_SIDECAR", "sidecar")):
        monkeypatch.setenv(variable, str(folder / f"{name}.json"))
    manifest = load(str(EXAMPLE), CATALOGUE)
    assert [source.kind for source in manifest.sources] == ["dialogues"] * 5
    monkeypatch.delenv("LAUTER_SIDECAR")
    with pytest.raises(ManifestError, match="name its tokens `bos` and `eos`, or a `sidecar`"):
        load(str(EXAMPLE), CATALOGUE)


def test_what_would_tear_turns_apart_is_refused(folder: Path) -> None:
    change = {
        "stages": ["normalise", "passages"],
        "sharding": {"repeats": {"tokens": 50}},
        # Without the sidecar that names them.
        "tokenizer": {"tokenizer": str(folder / "tokenizer.json"), "bos": "<s>", "eos": "</s>"},
    }
    with pytest.raises(ManifestError) as raised:
        load(write(folder, {**MANIFEST, **change}), CATALOGUE)
    for message in (
        "'passages' would cut turns apart, and messages, prompts has dialogues",
        "repeats can't be cut out of dialogues (messages, prompts)",
        "the tokenizer has no control token <|assistant_end|>",
    ):
        assert message in str(raised.value)
