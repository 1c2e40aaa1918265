from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.apertus import build
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.huggingface.tokenizer import (
    TokenizerError,
    control_tokens,
    huggingface_tokenizer,
    pieces,
    same_vocabulary,
    vocabulary_digest,
)
from tests.trainer.generate.byte_tokenizer import files

TEXTS = [
    "Das Wetter ist schön, nicht wahr?\n\n  Ja: 12'345 mal.",
    "日本語とاللغة العربية, naïve café 👩‍👩‍👧",
    "def f(x):\n\treturn x ** 2  # e = mc²",
    "a",
    "   ",
]


def load(written: dict[str, bytes], folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    from transformers import AutoTokenizer

    for name, content in written.items():
        (folder / name).write_bytes(content)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def tekken() -> HuggingFaceEncoder:
    encoder = HuggingFaceEncoder(TokenizerConfig(), StageContext())
    encoder.open()
    return encoder


def test_the_embedded_tokenizer_gives_the_ids_of_the_corpus_with_bos(
    tekken: HuggingFaceEncoder, tmp_path: Path
) -> None:
    theirs = load(huggingface_tokenizer(tekken.files(), 4096), tmp_path)
    corpus = tekken.encode(pa.array(TEXTS, pa.large_string()), None).to_pylist()
    assert [ids[0] for ids in corpus] == [1] * len(TEXTS)
    # A document ends with EOS; a text that is to be continued does not.
    assert theirs(TEXTS)["input_ids"] == [ids[:-1] for ids in corpus]
    assert [theirs.decode(ids[1:-1]) for ids in corpus] == TEXTS
    assert [theirs.decode(ids, skip_special_tokens=True) for ids in corpus] == TEXTS
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id, theirs.unk_token_id) == (1, 2, 11, 0)
    assert theirs.model_max_length == 4096


def test_apertus_has_its_chat_and_its_latex_pieces_in_a_models_folder_too(tmp_path: Path) -> None:
    theirs = load(huggingface_tokenizer(build(), 4096), tmp_path)
    named = {"<|user_start|>": 65, "<|assistant_end|>": 68, "<think>": 32, "<email-pii>": 37}
    assert {name: theirs.convert_tokens_to_ids(name) for name in named} == named
    assert named.keys() < set(theirs.all_special_tokens)
    inner = theirs("x}", add_special_tokens=False)["input_ids"]
    assert theirs("\\begin{x}<|user_start|>")["input_ids"] == [1, 14, *inner, 65]


@pytest.fixture
def small(tmp_path: Path) -> Any:  # noqa: ANN401 - transformers has no types
    return load(huggingface_tokenizer(files(), 256), tmp_path)


def test_control_tokens_are_special_and_a_template_puts_bos_first(small: Any) -> None:  # noqa: ANN401
    sidecar = json.loads(files()["sidecar.json"])
    assert {name: small.convert_tokens_to_ids(name) for name in control_tokens(sidecar)} == control_tokens(sidecar)
    assert set(small.all_special_tokens) == set(control_tokens(sidecar))
    assert small("a b").input_ids[0] == 1
    assert small("a b", add_special_tokens=False).input_ids == small("a b").input_ids[1:]
    assert small("a", "b").input_ids == [*small("a").input_ids, *small("b").input_ids]


def test_text_of_strangers_can_be_kept_from_writing_control_tokens(small: Any) -> None:  # noqa: ANN401
    assert 2 in small("</s>").input_ids
    ids = small("</s>", split_special_tokens=True).input_ids
    assert ids[0] == 1 and 2 not in ids
    assert small.decode(ids[1:]) == "</s>"


def with_added(added: dict[str, int]) -> dict[str, bytes]:
    """The tokenizer with control tokens that its vocabulary lacks."""
    found = files()
    sidecar = json.loads(found["sidecar.json"])
    return {**found, "sidecar.json": json.dumps({**sidecar, "added": added}).encode()}


def test_control_tokens_outside_the_vocabulary_keep_their_ids(tmp_path: Path) -> None:
    first = max(pieces(files()["tokenizer.json"])) + 1
    theirs = load(huggingface_tokenizer(with_added({"<b>": first + 1, "<a>": first}), 256), tmp_path)
    assert theirs.convert_tokens_to_ids(["<a>", "<b>"]) == [first, first + 1]


def test_an_id_that_no_hugging_face_file_can_give_is_told() -> None:
    first = max(pieces(files()["tokenizer.json"])) + 1
    with pytest.raises(TokenizerError, match=f"'<a>' has id {first - 1}|'<a>' has id {first + 50}"):
        huggingface_tokenizer(with_added({"<a>": first - 1}), 256)


def test_an_imported_tokenizer_stays_as_it_is() -> None:
    own = huggingface_tokenizer(files(), 256)
    assert huggingface_tokenizer(own, 512) == own


def test_broken_files_are_told() -> None:
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json"):
        huggingface_tokenizer({"sidecar.json": b"{}"}, 256)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is no JSON"):
        huggingface_tokenizer({**files(), "tokenizer.json": b"{"}, 256)
    with pytest.raises(TokenizerError, match="no vocabulary of a known form"):
        pieces(b'{"model": {}}')


def test_a_unigram_has_its_pieces_in_order() -> None:
    document = {"model": {"vocab": [["<unk>", 0.0], ["a", -1.0]]}, "added_tokens": [{"id": 2, "content": "<s>"}]}
    assert pieces(json.dumps(document).encode()) == {0: "<unk>", 1: "a", 2: "<s>"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    (tmp_path / "tokenizer").mkdir()
    for name, content in huggingface_tokenizer(files(), 256).items():
        (tmp_path / "tokenizer" / name).write_bytes(content)
    return Checkpoint(tmp_path, {"tokenizer": {"digest": None, "bos": 1, "eos": 2, "pad": 3}})


def renamed(**names: str) -> bytes:
    """The corpus's tokenizer.json with other names for some pieces."""
    document = json.loads(files()["tokenizer.json"])
    entries = document["model"]["vocab"]
    document["model"]["vocab"] = {names.get(name, name): index for name, index in entries.items()}
    return json.dumps(document).encode()


def test_the_corpus_of_the_same_vocabulary_fits_an_import(checkpoint: Checkpoint) -> None:
    assert same_vocabulary(checkpoint, files()["tokenizer.json"], bos=1, eos=2) == []
    # Another name of a filler that no text yields.
    assert same_vocabulary(checkpoint, renamed(**{"<pad>": "[INST]"})) == []


def test_other_pieces_at_the_same_ids_are_named(checkpoint: Checkpoint) -> None:
    entries = json.loads(files()["tokenizer.json"])["model"]["vocab"]
    [told] = same_vocabulary(checkpoint, renamed(a="b", b="a2"))[:1]
    assert told == f"id {entries['a']} is 'b' in the corpus and 'a' in the model"
    many = same_vocabulary(checkpoint, renamed(**{name: f"{name}?" for name in "abcdefgh"}))
    assert len(many) == 6 and many[-1] == "8 ids differ in all"


def test_ids_that_the_model_lacks_and_other_controls_are_named(checkpoint: Checkpoint) -> None:
    document = json.loads(files()["tokenizer.json"])
    document["model"]["vocab"]["new"] = 9999
    assert same_vocabulary(checkpoint, json.dumps(document).encode(), eos=5) == [
        "eos is id 5 in the corpus and 2 in the model",
        "id 9999 is 'new' in the corpus and nothing in the model",
    ]


def test_without_a_tokenizer_nothing_fits(tmp_path: Path) -> None:
    found = same_vocabulary(Checkpoint(tmp_path, {"tokenizer": {}}), files()["tokenizer.json"])
    assert len(found) == 1 and "import the model with it" in found[0]


def test_a_corpus_tokenizer_in_a_checkpoint_is_compared_too(tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    for name, content in files().items():
        (tmp_path / "tokenizer" / name).write_bytes(content)
    found = Checkpoint(tmp_path, {"tokenizer": {"bos": 1, "eos": 2}})
    assert same_vocabulary(found, renamed(**{"<pad>": "[INST]"})) == []
    assert len(same_vocabulary(found, renamed(a="b2"))) == 1


def test_the_digest_is_of_ids_and_pieces_only() -> None:
    document = json.loads(files()["tokenizer.json"])
    reordered = {
        **document,
        "model": {**document["model"], "vocab": dict(reversed(document["model"]["vocab"].items()))},
    }
    assert vocabulary_digest(json.dumps(reordered).encode()) == vocabulary_digest(files()["tokenizer.json"])
    assert vocabulary_digest(renamed(a="a2")) != vocabulary_digest(files()["tokenizer.json"])
