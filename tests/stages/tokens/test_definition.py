"""Reading a tokenizer and its sidecar: canonical, complete, and strict."""

from __future__ import annotations

import hashlib
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.tokens.definition import Definition, canonical_json, load_definition, tokenizer_digest
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.sidecar import Control, Sidecar, ranges
from lauter.stages.tokens.tekken import FOLDER


def added(name: str, index: int, *, special: bool = True) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": index, "content": name, "special": special, **flags}


def document(*tokens: dict[str, Any]) -> dict[str, Any]:
    """A byte-level BPE with `<s>` and `<tool>` in its vocabulary, a template, truncation, and added tokens."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    names = ["<s>", "<tool>", *BYTE_LETTERS]
    single = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template = {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": list(tokens),
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": template},
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {name: i for i, name in enumerate(names)}, "merges": [], "unk_token": None},
    }


TOKENS = (added("<s>", 0), added("<tool>", 1, special=False), added("</s>", 258), added("<x>", 259, special=False))


def load(folder: Path, content: dict[str, Any], sidecar: Sidecar | None = None, **names: str) -> Definition:
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    if sidecar:
        (folder / "named.json").write_bytes(sidecar.canonical())
    path = folder / "named.json" if sidecar else None
    return load_definition(folder / "tokenizer.json", path, bos=names.get("bos"), eos=names.get("eos"))


def test_added_tokens_become_control_tokens_of_the_sidecar(tmp_path: Path) -> None:
    found = load(tmp_path, document(*TOKENS), bos="<s>", eos="</s>")
    assert found.sidecar == Sidecar(
        bos=Control(id=0, token="<s>"),
        eos=Control(id=258, token="</s>"),
        added={"</s>": 258, "<x>": 259},
        reserved=((0, 1), (258, 260)),  # `<tool>` is not special, so it stays an entry
    )
    kept = json.loads(found.tokenizer)
    assert [kept[part] for part in ("added_tokens", "post_processor", "truncation", "padding")] == [
        [],
        None,
        None,
        None,
    ]
    assert kept["model"]["vocab"] == document()["model"]["vocab"]
    assert found.byte_level


def test_files_load_again_to_the_same_definition(tmp_path: Path) -> None:
    found = load(tmp_path, document(*TOKENS), bos="<s>", eos="</s>")
    again = tmp_path / "again"
    again.mkdir()
    for name, content in found.files().items():
        (again / name).write_bytes(content)
    assert load_definition(again / "tokenizer.json", again / "sidecar.json", bos=None, eos=None) == found


def test_the_embedded_files_are_a_fixed_point() -> None:
    found = load_definition(FOLDER / "tokenizer.json", FOLDER / "sidecar.json", bos=None, eos=None)
    assert found.files() == {name: (FOLDER / name).read_bytes() for name in ("tokenizer.json", "sidecar.json")}


def test_equal_content_has_equal_bytes_whatever_its_layout(tmp_path: Path) -> None:
    one = load(tmp_path, document(*TOKENS), bos="<s>", eos="</s>").files()
    content = document(*reversed(TOKENS))
    vocabulary = list(content["model"]["vocab"].items())
    random.Random(3).shuffle(vocabulary)
    content["model"]["vocab"] = dict(vocabulary)
    other = load(tmp_path, dict(reversed(content.items())), bos="<s>", eos="</s>").files()
    assert other == one
    content["model"]["vocab"]["new"] = 300
    changed = load(tmp_path, content, bos="<s>", eos="</s>").files()
    assert len({tokenizer_digest(files) for files in (one, other, changed)}) == 2


def test_a_given_sidecar_rules(tmp_path: Path) -> None:
    sidecar = Sidecar(
        bos=Control(id=258, token="</s>"),
        eos=Control(id=258, token="</s>"),
        placeholders={"EMAIL_ADDRESS": Control(id=1, token="<email-pii>")},  # renames the entry `<tool>`
    )
    found = load(tmp_path, document(*TOKENS), sidecar).sidecar
    assert found.bos == found.eos == Control(id=258, token="</s>")
    assert found.ids() == {0, 1, 258, 259}
    assert found.placeholders == sidecar.placeholders


@pytest.mark.parametrize(
    ("bos", "eos", "words"),
    [
        (Control(id=1, token="<s>"), Control(id=258, token="</s>"), "'<s>' has id 0"),
        (Control(id=0, token="<s>"), Control(id=900, token="<end>"), "no id 900"),
        (Control(id=0, token="<s>"), Control(id=2, token=BYTE_LETTERS[0]), "ordinary piece"),
    ],
)
def test_a_wrong_sidecar_is_an_error(tmp_path: Path, bos: Control, eos: Control, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load(tmp_path, document(*TOKENS), Sidecar(bos=bos, eos=eos))


def test_missing_names_and_broken_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name its tokens"):
        load(tmp_path, document(*TOKENS), bos="<s>")
    with pytest.raises(ValueError, match="no token '<end>'"):
        load(tmp_path, document(*TOKENS), bos="<s>", eos="<end>")
    for content in (b"{", b"\xff", b"[]", b'{"model": {}}', b'{"model": {"vocab": 3}}', b"[" * 100_000):
        (tmp_path / "broken.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"not a Hugging Face tokenizer\.json"):
            load_definition(tmp_path / "broken.json", None, bos="a", eos="b")
    (tmp_path / "named.json").write_text('{"bos": {"id": 0, "token": "<s>"}, "end": 3}', "utf-8")
    (tmp_path / "tokenizer.json").write_text(json.dumps(document(*TOKENS)), "utf-8")
    with pytest.raises(ValueError, match="not a tokenizer's sidecar"):
        load_definition(tmp_path / "tokenizer.json", tmp_path / "named.json", bos=None, eos=None)


def test_digest_covers_names_and_bytes() -> None:
    digests = {
        tokenizer_digest(files) for files in ({"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}, {"a": b"1"}, {"c": b"1"})
    }
    assert len(digests) == 4
    assert tokenizer_digest({"b": b"2", "a": b"1"}) == tokenizer_digest({"a": b"1", "b": b"2"})
    inner = hashlib.sha256(b"1").digest()
    assert tokenizer_digest({"a": b"1"}) == hashlib.sha256(b"a\0" + inner).hexdigest()


@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_the_ids_and_no_more(ids: set[int]) -> None:
    found = ranges(ids)
    assert [index for first, end in found for index in range(first, end)] == sorted(ids)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=9)
)
def test_canonical_json_is_a_fixed_point(value: object) -> None:
    data = canonical_json(value)
    assert canonical_json(json.loads(data)) == data
