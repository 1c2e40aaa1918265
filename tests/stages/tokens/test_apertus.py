"""Apertus's tokenizer: tekken's ids, four LaTeX pieces, names of its own, and no text that becomes a control token."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.apertus import CONTROL_COUNT, NAMED, NAMES, SIDECAR, build, build_huggingface
from lauter.stages.tokens.definition import load_definition
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.stages.tokens.engine import FastokensEngine, HuggingFaceEngine
from lauter.stages.tokens.pattern import LATEX, SPLIT
from lauter.stages.tokens.placeholders import PERSONAL_DATA
from tests.stages.tokens.conftest import DATA
from tests.stages.tokens.test_tekken import BYTES, tekken_file

PIECES = re.compile("(" + "|".join(map(re.escape, LATEX)) + ")")
NOT_CONTROL = {*LATEX.values()}


class Reference(Protocol):
    def encode_ordinary(self, text: str) -> list[int]: ...


class Published(Protocol):
    def encode(self, text: str) -> Any: ...  # noqa: ANN401 - tokenizers has no types


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("apertus") / "made"
    done = CliRunner().invoke(app, ["tokenizer", "build-apertus", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def apertus(folder: Path) -> HuggingFaceEncoder:
    """As a manifest's `tokenizer` section opens it."""
    config = TokenizerConfig(tokenizer=str(folder / "tokenizer.json"), sidecar=str(folder / "sidecar.json"))
    encoder = HuggingFaceEncoder(config, StageContext())
    encoder.open()
    assert encoder.engine == "fastokens"
    return encoder


@pytest.fixture(scope="module")
def other(apertus: HuggingFaceEncoder) -> HuggingFaceEngine:
    """What fastokens must agree with."""
    return HuggingFaceEngine(apertus.definition.sealed)


@pytest.fixture(scope="module")
def published() -> Published:
    """The form in which Apertus is published, by the library that it is published for."""
    from tokenizers import Tokenizer

    found: Published = Tokenizer.from_str(build_huggingface()["tokenizer.json"].decode())
    return found


def plain_ids(reference: Reference, text: str) -> list[int]:
    """The plain twin: the pieces are cut out, and tekken encodes what lies between."""
    found: list[int] = []
    for part in PIECES.split(text):
        found += [LATEX[part]] if part in LATEX else reference.encode_ordinary(part)
    return found


def encode(encoder: HuggingFaceEncoder, texts: list[str], spans: pa.Array | None = None) -> list[list[int]]:
    rows: list[list[int]] = encoder.encode(pa.array(texts, pa.large_string()), spans).to_pylist()
    return rows


def test_the_control_tokens_lie_where_apertus_has_them() -> None:
    ids = {name: index for index, name in enumerate(NAMES)}
    assert len(ids) == len(NAMES) == CONTROL_COUNT
    told = {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3, "<filename>": 18, "<reponame>": 31, "<think>": 32}
    told |= {"</answer>": 35, "<iban-pii>": 36, "<email-pii>": 37, "<ip-pii>": 38, "<file_sep>": 39, "<pr>": 42}
    told |= {"<pr_diff_hunk_comment_line>": 57, "<|fim_begin|>": 58, "<|system_start|>": 61, "<|user_start|>": 65}
    told |= {"<|assistant_end|>": 68, "<|tools_suffix|>": 72, "<SPECIAL_73>": 73, "<SPECIAL_999>": 999, **LATEX}
    assert {name: ids[name] for name in told} == told
    assert [ids[name] for name in NAMED] == list(range(18, 73))
    parts = {"unk": 0, "bos": 1, "eos": 2, "pad": 3}
    parts |= {"placeholder 'iban'": 36, "placeholder 'email'": 37, "placeholder 'ip'": 38}
    others = PERSONAL_DATA[3:]
    parts |= {f"placeholder {kind!r}": 73 + place for place, kind in enumerate(others)}
    assert {part: control.id for part, control in SIDECAR.controls().items()} == parts
    assert SIDECAR.added["<|user_start|>"] == 65
    assert SIDECAR.ids() == set(range(CONTROL_COUNT)) - NOT_CONTROL


def test_the_files_are_canonical_and_have_no_added_tokens(folder: Path, document: dict[str, Any]) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert files == build()
    assert load_definition(folder / "tokenizer.json", folder / "sidecar.json", bos=None, eos=None).files() == files
    made = json.loads(files["tokenizer.json"])
    assert made["added_tokens"] == []
    assert made["model"]["merges"] == document["model"]["merges"]
    names = {index: name for name, index in document["model"]["vocab"].items()}
    changed = {index: name for name, index in made["model"]["vocab"].items() if names[index] != name}
    assert changed == {index: NAMES[index] for index in (3, *range(10, 36), *range(39, 73))}
    assert made["model"]["vocab"]["<card-pii>"] == 73
    published = json.loads(build_huggingface()["tokenizer.json"])["model"]["vocab"]
    assert published["<SPECIAL_73>"] == 73


def test_special_names_in_text_are_text_and_never_control_tokens(
    apertus: HuggingFaceEncoder, other: HuggingFaceEngine, reference: Reference
) -> None:
    frames = ("{}", " {}", "a{}b", "\n{}\n", "{}{}", "<{}>", "1{}1")
    names = [*NAMES[:73], *NAMES[73::97]]
    texts = [frame.replace("{}", name) for name in names for frame in frames]
    expected = [plain_ids(reference, text) for text in texts]
    assert encode(apertus, texts) == [[1, *ids, 2] for ids in expected]
    flat = np.array([index for ids in expected for index in ids])
    assert not set(flat.tolist()) & SIDECAR.ids()
    assert np.array_equal(other.encode(texts)[0], flat)


def test_a_name_that_a_placeholder_splits_or_joins_is_text(apertus: HuggingFaceEncoder) -> None:
    """What lies before and after removed personal data is encoded each for itself, so no name grows together."""
    from lauter.pipeline import schema

    email = "<email-pii>"
    texts = [f"{name[:cut]}{email}{name[cut:]}{email}{name}" for name in NAMES[:73] for cut in (1, len(name) - 1)]
    rows = []
    for text in texts:
        first = text.index(email)
        second = text.index(email, first + len(email))
        rows.append([{"start": at, "end": at + len(email), "type": "email"} for at in (first, second)])
    found = encode(apertus, texts, pa.array(rows, pa.list_(schema.SPAN)))
    for text, ids in zip(texts, found, strict=True):
        assert [index for index in ids if index in SIDECAR.ids()] == [1, 37, 37, 2], text
        assert apertus.decode(ids) == text


TRICKY = ("\\", "{", "begin", "\\\\begin{", " ", "  ", "\n", "/", "$", "x", "ÿ14")
LIKELY = st.sampled_from([*LATEX, *NAMES[:13], *NAMED, *TRICKY])


@settings(max_examples=400, deadline=None)
@given(st.lists(LIKELY | st.text(max_size=10), max_size=10).map("".join))
@example("a  \\begin{x}\n\n  \\end{x} $\\text{if}$\\\\\\boxed{{1}/\\begin{")
@example("\\begin\\begin{begin{ \\BEGIN{\\\\begin{")
def test_any_text_has_the_same_ids_everywhere_and_comes_back(
    apertus: HuggingFaceEncoder, other: HuggingFaceEngine, reference: Reference, text: str
) -> None:
    (ids,) = encode(apertus, [text])
    assert ids == [1, *plain_ids(reference, text), 2]
    assert other.encode([text])[0].tolist() == ids[1:-1]
    assert not set(ids[1:-1]) & SIDECAR.ids()
    assert apertus.decode(ids) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*LATEX, *TRICKY]) | st.text(max_size=9), max_size=9).map("".join))
def test_text_without_special_names_has_the_ids_of_the_published_form(
    apertus: HuggingFaceEncoder, published: Published, text: str
) -> None:
    if any(name in text for name in NAMES if name not in LATEX):
        return
    assert encode(apertus, [text])[0][:-1] == published.encode(text).ids


def real_lines() -> Iterator[str]:
    """TeX sources, web pages, and sentences in about 800 languages: 1.6 million lines."""
    for name in ("math/tex.jsonl.gz", "ground_truth.jsonl.gz", "language/train-open.tar.zst"):
        if not (DATA / name).exists():
            pytest.skip(f"the test data {name} is not there: set LAUTER_TEST_DATA")
    with gzip.open(DATA / "math" / "tex.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield from json.loads(line)["text"].splitlines(keepends=True)
    with gzip.open(DATA / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield from (json.loads(line)["gt"].get("text") or "").splitlines(keepends=True)
    packed = pa.OSFile(str(DATA / "language" / "train-open.tar.zst"), "rb")
    with pa.CompressedInputStream(packed, "zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            for line in content.read().decode().splitlines() if content else ():
                yield line.partition("\t")[2]


def assert_equal_ids(apertus: HuggingFaceEncoder, other: HuggingFaceEngine, lines: Iterator[str]) -> tuple[int, int]:
    """Lines that were compared, and how many ids of LaTeX pieces they had."""
    count = latex = 0
    fast = FastokensEngine(apertus.definition.sealed)
    while batch := list(islice(lines, 20_000)):
        ids, offsets = fast.encode(batch)
        expected, borders = other.encode(batch)
        assert np.array_equal(ids, expected) and np.array_equal(offsets, borders)
        controls = ids[ids < CONTROL_COUNT]
        assert set(controls.tolist()) <= NOT_CONTROL
        for row in range(0, len(batch), 97):
            assert fast.decode(ids[offsets[row] : offsets[row + 1]].tolist()) == batch[row]
        count, latex = count + len(batch), latex + len(controls)
    return count, latex


@pytest.mark.slow
def test_both_engines_agree_on_real_lines(apertus: HuggingFaceEncoder, other: HuggingFaceEngine) -> None:
    count, latex = assert_equal_ids(apertus, other, islice(real_lines(), 0, 1_600_000, 31))
    assert count > 50_000 and latex > 100


@pytest.mark.soak
def test_both_engines_agree_on_a_million_real_lines(apertus: HuggingFaceEncoder, other: HuggingFaceEngine) -> None:
    count, latex = assert_equal_ids(apertus, other, real_lines())
    assert count > 1_000_000 and latex > 3_000


@pytest.mark.slow
def test_real_texts_have_tekkens_ids_but_for_the_latex_pieces(
    apertus: HuggingFaceEncoder, reference: Reference, real_texts: list[str]
) -> None:
    texts = real_texts[::70]
    assert encode(apertus, texts) == [[1, *plain_ids(reference, text), 2] for text in texts]


@pytest.mark.slow
def test_transformers_loads_the_published_form(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    out = tmp_path / "hf"
    done = CliRunner().invoke(app, ["tokenizer", "build-apertus", "--out", str(out), "--huggingface", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == sorted(path.name for path in out.iterdir())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(out)
    assert len(tokenizer) == 131_072
    assert tokenizer.convert_tokens_to_ids(list(NAMES)) == list(range(CONTROL_COUNT))
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    assert special == (1, 2, 3, 0)
    rest = tokenizer.encode("x}", add_special_tokens=False)
    assert tokenizer.encode("\\begin{x}<|user_start|>") == [1, 14, *rest, 65]
    text = "A \\boxed{7} and <s>"
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert 17 in ids and 1 not in ids
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_command_says_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(tekken_file(BYTES))
    config = {"default_vocab_size": 1256, "default_num_special_tokens": 1000}
    (tmp_path / "pattern.json").write_bytes(tekken_file(BYTES, **config))
    (tmp_path / "none.json").write_bytes(b"{}")
    new = str(tmp_path / "new")
    for arguments, said in (
        (["--out", str(folder)], "is there already"),
        (["--out", new, "--tekken", str(tmp_path / "absent")], "can't be read: No such file"),
        (["--out", new, "--tekken", str(tmp_path / "none.json")], "no tekken file that Apertus can be made of"),
        (["--out", new, "--tekken", str(tmp_path / "other.json")], "it has 32 special ids, and Apertus has 1000"),
        (["--out", new, "--tekken", str(tmp_path / "pattern.json")], "its pattern is not that of Mistral-Nemo"),
    ):
        done = CliRunner().invoke(app, ["tokenizer", "build-apertus", *arguments])
        assert done.exit_code == 2, done.output
        assert said in " ".join(done.output.split()), done.output
    assert not Path(new).exists()


def test_a_small_tekken_file_becomes_a_small_tokenizer(tmp_path: Path) -> None:
    tokens = [*BYTES, b"ab", b" ab", b"abab"]
    config = {"default_vocab_size": len(tokens) + 1000, "default_num_special_tokens": 1000, "pattern": SPLIT}
    (tmp_path / "tekken.json").write_bytes(tekken_file(tokens, **config))
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["tokenizer", "build-apertus", "--out", str(out), "--tekken", str(tmp_path / "tekken.json"), "--json"]
    )
    assert done.exit_code == 0, done.output
    vocabulary = json.loads((out / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(1259))
    assert (vocabulary["\\text{"], vocabulary["<|tools_suffix|>"], vocabulary["abab"]) == (16, 72, 1258)


def test_a_manifest_may_name_it() -> None:
    encoder = HuggingFaceEncoder(TokenizerConfig(tokenizer="apertus"), StageContext())
    assert encoder.files() == build()
    encoder.open()
    assert encoder.engine == "fastokens"
    assert encoder.encode(pa.array([r"\begin{x}"], pa.large_string()), None).to_pylist()[0][:2] == [1, 14]
