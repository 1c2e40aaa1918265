"""The encoder as the engine calls it: Arrow in, Arrow out, placeholders, any tokenizer, clear errors."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.contract import Encoder, StageContext
from lauter.stages.tokens.definition import tokenizer_digest
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig, cut_out, interleave
from lauter.stages.tokens.engine import FastokensEngine, HuggingFaceEngine, agree
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.sidecar import Control, Sidecar
from lauter.stages.tokens.tekken import FOLDER

Span = dict[str, object]
SPANS = pa.list_(schema.SPAN)
CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "größer als 12, “kleiner” als 7.5!",
    "<s> </s> [UNK] <tool",
] * 5


def opened(**config: object) -> HuggingFaceEncoder:
    encoder = HuggingFaceEncoder(TokenizerConfig.model_validate(config), StageContext())
    encoder.open()
    return encoder


def encode(
    encoder: HuggingFaceEncoder, texts: list[str | None], spans: list[list[Span]] | None = None
) -> list[list[int]]:
    rows = pa.array(spans, SPANS) if spans is not None else None
    found: list[list[int]] = encoder.encode(pa.array(texts, pa.large_string()), rows).to_pylist()
    return found


def span(start: int, end: int, kind: str) -> Span:
    return {"start": start, "end": end, "type": kind}


@pytest.fixture(scope="module")
def with_placeholders(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceEncoder:
    """The embedded vocabulary with Apertus's placeholder ids."""
    path = tmp_path_factory.mktemp("sidecar") / "apertus.json"
    sidecar = Sidecar(
        bos=Control(id=1, token="<s>"),
        eos=Control(id=2, token="</s>"),
        placeholders={
            "IBAN_CODE": Control(id=36, token="<iban-pii>"),
            "EMAIL_ADDRESS": Control(id=37, token="<email-pii>"),
        },
        reserved=((0, 1000),),
    )
    path.write_bytes(sidecar.canonical())
    return opened(sidecar=str(path))


def test_it_keeps_the_contract(tekken: HuggingFaceEncoder) -> None:
    encoder: Encoder = tekken
    ids = encoder.encode(pa.array(["ab", None, ""], pa.large_string()), None)
    assert ids.type == schema.TOKENS.field("tokens").type
    assert ids.to_pylist() == [
        [1, *HuggingFaceEngine(tekken.definition.sealed).encode(["ab"])[0].tolist(), 2],
        None,
        [1, 2],
    ]
    assert encoder.encode(pa.array([], pa.large_string()), None).to_pylist() == []
    assert tekken.engine == "fastokens"
    assert tekken.digest() == tokenizer_digest(encoder.files())
    assert encoder.files()["sidecar.json"] == (FOLDER / "sidecar.json").read_bytes()


def test_it_must_be_opened() -> None:
    with pytest.raises(RuntimeError, match="open"):
        encode(HuggingFaceEncoder(TokenizerConfig(), StageContext()), ["a"])


@settings(deadline=None)
@given(texts=st.lists(st.text(max_size=30), max_size=8), cut=st.integers(0, 8))
def test_batch_cutting_changes_nothing(tekken: HuggingFaceEncoder, texts: list[str | None], cut: int) -> None:
    whole = encode(tekken, texts)
    assert whole == encode(tekken, texts[:cut]) + encode(tekken, texts[cut:])
    sliced = pa.array(["x", *texts, "y"], pa.large_string()).slice(1, len(texts))
    assert tekken.encode(sliced, None).to_pylist() == whole


def test_placeholders_become_ids(with_placeholders: HuggingFaceEncoder) -> None:
    text = "écrire à <email-pii>, tél. <phone-pii> ou <iban-pii><email-pii>"
    marks = {"EMAIL_ADDRESS": "<email-pii>", "PHONE_NUMBER": "<phone-pii>", "IBAN_CODE": "<iban-pii>"}
    spans = [
        span(start, start + len(mark), kind)
        for kind, mark in marks.items()
        for start in range(len(text))
        if text.startswith(mark, start)
    ]
    ids = encode(with_placeholders, ["a", text, "b", text], [[], spans, [], []])
    pieces = encode(with_placeholders, ["écrire à ", ", tél. <phone-pii> ou "])
    assert ids[1] == [1, *pieces[0][1:-1], 37, *pieces[1][1:-1], 36, 37, 2]
    assert ids[3] == encode(with_placeholders, [text])[0]  # the same words without spans are a page's own
    assert not {36, 37} & set(ids[3])
    assert [with_placeholders.decode(row) for row in ids] == ["a", text, "b", text]


def test_a_tokenizer_without_placeholders_takes_spans_for_text(tekken: HuggingFaceEncoder) -> None:
    assert encode(tekken, ["abc def"], [[span(0, 3, "EMAIL_ADDRESS")]]) == encode(tekken, ["abc def"])


def test_spans_that_lie_wrongly_are_text(with_placeholders: HuggingFaceEncoder) -> None:
    kind = "EMAIL_ADDRESS"
    wrong = [span(-1, 2, kind), span(2, 2, kind), span(5, 4, kind), span(3, 99, kind), span(90, 99, kind)]
    assert encode(with_placeholders, ["a b c d"], [wrong]) == encode(with_placeholders, ["a b c d"])
    both = [span(4, 7, kind), span(0, 5, kind), span(6, 7, kind)]  # the second in order overlaps the first
    assert encode(with_placeholders, ["abcdefg"], [both])[0][:2] == [1, 37]
    assert encode(with_placeholders, ["abcdefg"], [both])[0].count(37) == 2


def test_sliced_and_null_spans(with_placeholders: HuggingFaceEncoder) -> None:
    rows = [[span(0, 1, "IBAN_CODE")], None, [span(1, 2, "EMAIL_ADDRESS"), span(0, 1, "IBAN_CODE")], [], None]
    spans = pa.array(rows, SPANS)
    text = pa.array(["abc"] * 5, pa.large_string())
    whole = with_placeholders.encode(text, spans)
    for start in range(5):
        part = with_placeholders.encode(text.slice(start), spans.slice(start))
        assert part.to_pylist() == whole.to_pylist()[start:]
    assert [[index for index in row if index < 1000] for row in whole.to_pylist()] == [
        [1, 36, 2],
        [1, 2],
        [1, 36, 37, 2],
        [1, 2],
        [1, 2],
    ]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), texts=st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_document_with_placeholders_is_its_pieces(
    with_placeholders: HuggingFaceEncoder, data: st.DataObject, texts: list[str]
) -> None:
    number = st.integers(-2, 22)
    kinds = st.sampled_from(["IBAN_CODE", "EMAIL_ADDRESS", "PERSON"])
    strategy = st.lists(st.builds(span, number, number, kinds), max_size=4)
    rows = [data.draw(strategy) for _ in texts]
    expected = []
    for text, row in zip(texts, rows, strict=True):
        ids, at = [1], 0
        known = {"IBAN_CODE": 36, "EMAIL_ADDRESS": 37}
        wanted = sorted(
            (int(str(s["start"])), int(str(s["end"])), known[str(s["type"])]) for s in row if s["type"] in known
        )
        for start, end, index in wanted:
            if at <= start < end <= len(text):
                ids += [*encode(with_placeholders, [text[at:start]])[0][1:-1], index]
                at = end
        expected.append([*ids, *encode(with_placeholders, [text[at:]])[0][1:-1], 2])
    assert encode(with_placeholders, list(texts), rows) == expected


@given(st.lists(st.tuples(st.lists(st.integers(0, 99), max_size=4), st.integers(100, 109), st.booleans()), max_size=9))
def test_interleave_is_the_plain_loop(rows: list[tuple[list[int], int, bool]]) -> None:
    rows = [*rows[:-1], (*rows[-1][:2], True)] if rows else rows
    expected: list[list[int]] = [[]]
    for ids, begin, last in rows:
        expected[-1] += [begin, *ids]
        if last:
            expected[-1].append(999)
            expected.append([])
    offsets = np.cumsum([0, *(len(ids) for ids, _, _ in rows)], dtype=np.int64)
    found, ends = interleave(
        np.array([index for ids, _, _ in rows for index in ids], np.uint32),
        offsets,
        np.array([begin for _, begin, _ in rows], np.uint32),
        np.array([last for _, _, last in rows], np.bool_),
        999,
    )
    assert [found[a:b].tolist() for a, b in pairwise(ends.tolist())] == expected[:-1]


def test_cut_out_counts_code_points() -> None:
    assert cut_out("😀é語x", 1, [(2, 3, 7)]) == [(1, "😀é"), (7, "x")]
    assert cut_out("", 1, []) == [(1, "")]


def trained(kind: str, folder: Path) -> Path:
    """A tokenizer trained on the spot, with special tokens, a template that adds them, and truncation."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    special = ["<s>", "</s>", "[UNK]"]
    trainer: Any
    made: tuple[Any, Any, Any, Any]
    if kind == "bpe":
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
        made = (models.BPE(), byte_level, decoders.ByteLevel(), trainer)
    elif kind == "wordpiece":
        trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
        made = (models.WordPiece(unk_token="[UNK]"), pre_tokenizers.WhitespaceSplit(), decoders.WordPiece(), trainer)
    else:
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=special, unk_token="[UNK]", show_progress=False
        )
        made = (models.Unigram(), pre_tokenizers.Metaspace(), decoders.Metaspace(), trainer)
    tokenizer = Tokenizer(made[0])
    tokenizer.pre_tokenizer, tokenizer.decoder = made[1], made[2]
    tokenizer.train_from_iterator(CORPUS, made[3])
    tokenizer.add_tokens([AddedToken("<tool>", special=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))],
    )
    tokenizer.enable_truncation(4)
    path = folder / f"{kind}.json"
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "engine"), [("bpe", "fastokens"), ("wordpiece", "tokenizers"), ("unigram", "tokenizers")]
)
def test_any_tokenizer_with_special_tokens(kind: str, engine: str, tmp_path: Path) -> None:
    path = trained(kind, tmp_path)
    names = {token["content"]: token["id"] for token in json.loads(path.read_bytes())["added_tokens"]}
    encoder = opened(tokenizer=str(path), bos="<s>", eos="</s>")
    assert encoder.engine == engine
    texts: list[str | None] = [
        *CORPUS[:2],
        "<s>",
        "a </s> b",
        "<tool> <s></s>",
        "x<s>y",
        "[UNK]",
        "the fox " * 20 + "dog",
    ]
    rows = encode(encoder, texts)
    for row in rows:
        assert [row[0], row[-1]] == [names["<s>"], names["</s>"]]
        assert not set(row[1:-1]) & {names["<s>"], names["</s>"], names["<tool>"]}
    assert len(rows[-1]) > 4 + 2  # no truncation
    if kind == "bpe":
        assert [encoder.decode(row) for row in rows] == texts
        assert not any(names["[UNK]"] in row for row in rows)
        assert encode(opened(tokenizer=str(path), bos="<s>", eos="</s>", engine="tokenizers"), texts) == rows
    else:
        assert encoder.decode(rows[0]) == texts[0]


def test_a_named_sidecar_is_used(tmp_path: Path) -> None:
    path = trained("bpe", tmp_path)
    given_names = opened(tokenizer=str(path), bos="<s>", eos="</s>")
    for name, content in given_names.files().items():
        (tmp_path / name).write_bytes(content)
    named = opened(tokenizer=str(tmp_path / "tokenizer.json"), sidecar=str(tmp_path / "sidecar.json"))
    assert named.digest() == given_names.digest()
    assert encode(named, ["a <s> b"]) == encode(given_names, ["a <s> b"])


def test_the_embedded_tokenizer_is_no_file_called_tekken() -> None:
    assert TokenizerConfig().tokenizer in TokenizerConfig.embedded


def test_fallback_to_tokenizers_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = trained("bpe", tmp_path)
    document = json.loads(path.read_bytes())
    document["model"]["vocab"]["hole"] = 5000  # fastokens wants dense ids
    path.write_text(json.dumps(document), "utf-8")
    with caplog.at_level(logging.WARNING):
        assert opened(tokenizer=str(path), bos="<s>", eos="</s>").engine == "tokenizers"
    assert "fastokens is not used" in caplog.text
    assert "can't load it" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert opened(tokenizer=str(trained("unigram", tmp_path)), bos="<s>", eos="</s>").engine == "tokenizers"
    assert "no byte-level BPE" in caplog.text


def test_what_no_engine_loads_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "Unheard", "vocab": {"a": 0, "b": 1}}}', "utf-8")
    with pytest.raises(ValueError, match="can't load"):
        opened(tokenizer=str(path), bos="a", eos="b")


def test_engines_that_disagree_are_told_apart(tmp_path: Path) -> None:
    content = json.loads(trained("bpe", tmp_path).read_bytes()) | {"added_tokens": [], "post_processor": None}
    content |= {"truncation": None}
    other = json.loads(json.dumps(content))
    other["model"]["merges"] = other["model"]["merges"][:20]
    one = FastokensEngine(json.dumps(content))
    assert agree(one, HuggingFaceEngine(json.dumps(content)))
    assert not agree(one, HuggingFaceEngine(json.dumps(other)))


def test_a_text_beyond_the_limits_of_fastokens_is_encoded_by_tokenizers(document: dict[str, Any]) -> None:
    """A pattern that recurses once a letter overflows the stack of one engine's regular expressions."""
    parts = document["pre_tokenizer"]["pretokenizers"]
    split = {**parts[0], "pattern": {"Regex": r"(?:\w\s?)+(?=!)|\s"}}
    model = {**document["model"], "vocab": {letter: at for at, letter in enumerate(BYTE_LETTERS)}, "merges": []}
    content = {**document, "model": model, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, parts[1]]}}
    text = json.dumps(content)
    fast, slow = FastokensEngine(text), HuggingFaceEngine(text)
    texts = ["short!", "a b " * 3000, "", "c!"]
    with pytest.raises(ValueError, match="PCRE2"):
        fast._flat(texts)
    found, expected = fast.encode(texts), slow.encode(texts)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
