from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lauter.stages.toxicity.training.sets import (
    Post,
    check_licences,
    licences_of,
    paths_of,
    read_ordinary,
    read_set,
)


def test_a_set_is_read_with_its_families(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl.gz"
    rows = [
        {"text": "a", "lang": "en", "toxic": 1, "id": "made-12", "functionality": "slur_h"},
        {"text": "b", "lang": "de", "toxic": 0, "id": 7},
    ]
    path.write_bytes(gzip.compress("\n\n".join(map(json.dumps, rows)).encode()))
    assert read_set("made", path) == [
        Post("made", "en", "a", toxic=True, family="slur_h", place=12),
        Post("made", "de", "b", toxic=False, family="", place=-1),
    ]
    assert paths_of(tmp_path) == {"made": path}


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "a"}', '{"text": "a", "lang": "en", "toxic": 2}'])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "made.jsonl"
    path.write_text('{"text": "a", "lang": "en", "toxic": 1}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"made\.jsonl:2"):
        read_set("made", path)


def test_a_line_separator_within_a_text_ends_no_line(tmp_path: Path) -> None:
    text = "one\u2028two\x85three"
    (tmp_path / "made.jsonl").write_text(
        json.dumps({"text": text, "lang": "en", "toxic": 0}, ensure_ascii=False) + "\r\n"
    )
    (post,) = read_set("made", tmp_path / "made.jsonl")
    assert post.text == text


@pytest.mark.parametrize(
    "content",
    # Without a time: the name of a test must be the same in every process.
    [b"no gzip", gzip.compress(b"x" * 99, mtime=0)[:-12], gzip.compress(b"\xff", mtime=0)],
    ids=["no gzip", "cut short", "no UTF-8"],
)
def test_a_file_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "made.jsonl.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"made\.jsonl\.gz is no gzip or no UTF-8"):
        read_set("made", tmp_path / "made.jsonl.gz")


def test_a_licence_that_does_not_allow_it_is_refused(tmp_path: Path) -> None:
    catalogue = [{"set": "a", "licence": "CC0-1.0 (Comments)"}, {"set": "b", "licence": "CC-BY-NC-4.0"}]
    (tmp_path / "catalogue.json").write_text(json.dumps(catalogue))
    licences = licences_of(tmp_path)
    check_licences(["a"], licences, ["MIT", "CC0-1.0"])
    with pytest.raises(ValueError, match=r"b is under CC-BY-NC-4\.0"):
        check_licences(["a", "b"], licences, ["MIT", "CC0-1.0"])
    with pytest.raises(ValueError, match="c has no licence"):
        check_licences(["c"], licences, ["MIT"])


@pytest.mark.parametrize("content", [None, "{}", "[1]", "no"])
def test_a_catalogue_that_is_none_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "catalogue.json").write_text(content)
    if content == "{}":
        assert licences_of(tmp_path) == {}
        return
    with pytest.raises(ValueError, match=r"catalogue\.json"):
        licences_of(tmp_path)


def test_paragraphs_of_running_text(tmp_path: Path) -> None:
    prose = "This is a paragraph of [running text](https://example.org) that is long enough to be one."
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "page.md").write_text(f"---\ntitle: A page\n---\n\n# Head\n\n{prose}\n\nShort.\n\n{prose}\n")
    (post,) = read_ordinary("made", tmp_path, 5)
    assert post.text == prose.replace("[running text](https://example.org)", "running text")
    assert (post.language, post.toxic) == ("en", False)
    assert read_ordinary("made", tmp_path, 0) == []
