"""The conversion of the embedded tokenizer: exact, reproducible, and deaf to control tokens in text."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lauter.stages.tokens.definition import canonical_json
from lauter.stages.tokens.encoder import HuggingFaceEncoder
from lauter.stages.tokens.engine import FastokensEngine, HuggingFaceEngine
from lauter.stages.tokens.placeholders import PERSONAL_DATA, PLACEHOLDERS
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.sidecar import Sidecar
from lauter.stages.tokens.tekken import FOLDER, SOURCE_SHA256, convert, main

SPECIAL_COUNT = 1000
ABC = [b"a", b"b", b"c", b" "]


class Reference(Protocol):
    def encode_ordinary(self, text: str) -> list[int]: ...

    def encode_ordinary_batch(self, text: list[str], *, num_threads: int) -> list[list[int]]: ...


@pytest.fixture(scope="module")
def special(document: dict[str, Any]) -> list[str]:
    vocabulary = document["model"]["vocab"].items()
    return [name for name, index in sorted(vocabulary, key=lambda entry: entry[1]) if index < SPECIAL_COUNT]


def tekken_file(tokens: list[bytes], **config: object) -> bytes:
    entries = [{"rank": i, "token_bytes": base64.b64encode(token).decode()} for i, token in enumerate(tokens)]
    defaults = {
        "pattern": r"\s?\w+|\s",
        "default_vocab_size": len(tokens) + 32,
        "default_num_special_tokens": 32,
        "version": "v3",
    }
    return json.dumps({"config": {**defaults, **config}, "vocab": entries}).encode()


BYTES = [bytes([byte]) for byte in range(256)]


def test_the_committed_files_are_whole_canonical_and_named_in_the_notice(document: dict[str, Any]) -> None:
    content = (FOLDER / "tokenizer.json").read_bytes()
    assert canonical_json(document) == content
    assert sorted(document["model"]["vocab"].values()) == list(range(131_072))
    assert document["added_tokens"] == []
    assert len(document["model"]["merges"]) == 130_072 - 256
    sidecar = Sidecar.model_validate_json((FOLDER / "sidecar.json").read_bytes())
    assert sidecar.canonical() == (FOLDER / "sidecar.json").read_bytes()
    assert {part: (control.id, control.token) for part, control in sidecar.controls().items()} == {
        "bos": (1, "<s>"),
        "eos": (2, "</s>"),
        "pad": (11, "<pad>"),
        "unk": (0, "<unk>"),
        **{f"placeholder {kind!r}": (control.id, control.token) for kind, control in PLACEHOLDERS.items()},
    }
    names = {index: name for name, index in document["model"]["vocab"].items()}
    assert [names[control.id] for control in PLACEHOLDERS.values()] == [f"<{kind}-pii>" for kind in PERSONAL_DATA]
    assert [control.id for control in PLACEHOLDERS.values()] == [36, 37, 38, *range(73, 81)]
    assert sidecar.ids() == set(range(SPECIAL_COUNT))
    notice = (FOLDER / "NOTICE").read_text("utf-8")
    for name in ("tokenizer.json", "sidecar.json"):
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() in notice
    assert SOURCE_SHA256 in notice


def test_every_merge_makes_a_token_of_higher_rank_in_order_of_rank(document: dict[str, Any]) -> None:
    vocabulary = document["model"]["vocab"]
    made = []
    for merge in document["model"]["merges"]:
        left, right = merge.split(" ")
        made.append(vocabulary[left + right])
        assert max(vocabulary[left], vocabulary[right]) < made[-1]
    assert made == sorted(set(made))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=14),
    st.lists(st.text("abc ", max_size=24), min_size=1, max_size=12),
)
def test_any_byte_pair_vocabulary_gives_tiktokens_ids(joins: list[tuple[int, int]], texts: list[str]) -> None:
    import tiktoken

    made = list(ABC)
    for left, right in joins:
        made.append(made[left % len(made)] + made[right % len(made)])
    tokens = BYTES + list(dict.fromkeys(token for token in made if len(token) > 1 and b" " not in token[1:]))
    try:
        files = convert(tekken_file(tokens))
    except ValueError:
        assume(False)
    ranks = {token: 32 + rank for rank, token in enumerate(tokens)}
    reference = tiktoken.Encoding("x", pat_str=r"\s?\w+|\s", mergeable_ranks=ranks, special_tokens={})
    expected = [index for text in texts for index in reference.encode_ordinary(text)]
    tokenizer = files["tokenizer.json"].decode()
    assert HuggingFaceEngine(tokenizer).encode(texts)[0].tolist() == expected
    assert FastokensEngine(tokenizer).encode(texts)[0].tolist() == expected


def test_conversion_says_what_is_wrong_with_a_file() -> None:
    for source, words in (
        (tekken_file(BYTES, version="v11"), "version v11"),
        (tekken_file(BYTES[1:]), "a byte is no token"),
        (tekken_file([*BYTES, b"ab", b"ab"]), "different byte strings"),
        (tekken_file([*BYTES, b"abc", b"ab"]), "not made of two tokens"),
        (tekken_file([*BYTES, *(b"<pad>"[:end] for end in range(2, 6))]), "name of an ordinary one"),
    ):
        with pytest.raises(ValueError, match=words):
            convert(source)


def test_conversion_to_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "small.json"
    source.write_bytes(tekken_file([*BYTES, b"ab", b" ab"]))
    main(str(source), str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sidecar.json", "tokenizer.json"]
    assert json.loads((tmp_path / "out" / "tokenizer.json").read_bytes())["model"]["merges"] == ["a b", "Ġ ab"]
    assert f"{hashlib.sha256(source.read_bytes()).hexdigest()} small.json" in capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_no_special_name_is_a_piece_of_text(document: dict[str, Any], special: list[str]) -> None:
    """The plain file is safe too, for whoever loads it: the pattern cuts every special name, and no merge makes one."""
    from tokenizers import Tokenizer

    cut = Tokenizer.from_str(json.dumps(document)).pre_tokenizer.pre_tokenize_str
    assert all(len(cut(name)) > 1 for name in special)
    joined = {merge.replace(" ", "") for merge in document["model"]["merges"]}
    assert not joined & set(special)
    assert not set(BYTE_LETTERS) & set(special)


@pytest.mark.slow
def test_special_names_in_text_are_text(
    tekken: HuggingFaceEncoder, reference: Reference, document: dict[str, Any], special: list[str]
) -> None:
    frames = ("{}", " {}", "{} ", "a{}b", "\n{}\n", "{}{}", "<{}>", "«{}»", "1{}1")
    texts = [frame.replace("{}", name) for name in special for frame in frames]
    expected = [reference.encode_ordinary(text) for text in texts]
    flat = np.array([index for ids in expected for index in ids])
    assert flat.min() >= SPECIAL_COUNT
    plain = canonical_json(document).decode()
    for engine in (FastokensEngine(plain), HuggingFaceEngine(plain), HuggingFaceEngine(tekken.definition.sealed)):
        assert np.array_equal(engine.encode(texts)[0], flat)
    assert tekken.encode(pa.array(texts, pa.large_string()), None).to_pylist() == [[1, *ids, 2] for ids in expected]


SPECIAL_STRINGS = st.sampled_from(["<s>", "</s>", "<unk>", "<pad>", "[INST]", "[/INST]", "<SPECIAL_999>", "ÿ0", "ÿ1"])


@settings(max_examples=300, deadline=None)
@given(text=st.lists(SPECIAL_STRINGS | st.text(max_size=12), max_size=8).map("".join))
def test_any_text_has_tiktokens_ids_and_comes_back(tekken: HuggingFaceEncoder, reference: Reference, text: str) -> None:
    ids = tekken.encode(pa.array([text], pa.large_string()), None).to_pylist()[0]
    assert ids == [1, *reference.encode_ordinary(text), 2]
    assert min(ids[1:-1], default=SPECIAL_COUNT) >= SPECIAL_COUNT
    assert tekken.decode(ids) == text


def assert_parity(tekken: HuggingFaceEncoder, reference: Reference, texts: list[str]) -> None:
    ids = tekken.encode(pa.array(texts, pa.large_string()), None).to_pylist()
    assert ids == [[1, *row, 2] for row in reference.encode_ordinary_batch(texts, num_threads=1)]
    assert [tekken.decode(row) for row in ids] == texts
    other = HuggingFaceEngine(tekken.definition.sealed).encode(texts)[0]
    assert other.tolist() == [index for row in ids for index in row[1:-1]]


def test_real_text_has_tiktokens_ids(tekken: HuggingFaceEncoder, reference: Reference, real_texts: list[str]) -> None:
    assert_parity(tekken, reference, real_texts[::60])


@pytest.mark.soak
def test_all_real_text_has_tiktokens_ids(
    tekken: HuggingFaceEncoder, reference: Reference, real_texts: list[str]
) -> None:
    assert_parity(tekken, reference, real_texts)


@pytest.mark.soak
@pytest.mark.parametrize("frame", ["a{0}b{0}1{0}A{0}a", "{0}{0}b \n{0}\n  {0} {0}.{0}/", "x  {0}"])
def test_every_code_point_has_tiktokens_ids(tekken: HuggingFaceEncoder, reference: Reference, frame: str) -> None:
    """The engines have regular expressions of their own: their Unicode tables must agree wherever the pattern looks."""
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for start in range(0, len(points), 50_000):
        assert_parity(tekken, reference, [frame.format(point) for point in points[start : start + 50_000]])


@pytest.mark.soak
@pytest.mark.parametrize("text", ["a", " ", "\n", ".", "-", "1", "\u0301", "สวัสดี", "語", "aA", ".\n ", "\0", "é", "z!"])
def test_long_runs_have_tiktokens_ids(tekken: HuggingFaceEncoder, reference: Reference, text: str) -> None:
    assert_parity(tekken, reference, [text * (200_000 // len(text))])


@pytest.mark.soak
def test_the_committed_files_are_those_that_the_original_gives(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "-d",
        str(tmp_path),
        "mistral-common==1.13.1",
    ]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("pip can't download mistral-common 1.13.1")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        source = wheel.read("mistral_common/data/tekken_240718.json")
    assert hashlib.sha256(source).hexdigest() == SOURCE_SHA256
    assert convert(source) == {name: (FOLDER / name).read_bytes() for name in ("tokenizer.json", "sidecar.json")}
