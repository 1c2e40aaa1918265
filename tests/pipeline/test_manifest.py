from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.manifest import Manifest
from lauter.pipeline.resolve import load
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_stages import CATALOGUE

GOOD = """\
name: small
seed: 3
sources:
  - name: one
    kind: lines
    paths: ["*.txt"]
    options: {comment: "%"}
stages:
  - lookup: {blocked: blocked.list}
  - words
  - length: {min_words: 3}
  - same-text
sharding:
  stream: main
"""


def _load(folder: Path, text: str) -> Manifest:
    (folder / "a.txt").write_text("x\ty")
    (folder / "blocked.list").write_text("")
    (folder / "m.yaml").write_text(text)
    return load(str(folder / "m.yaml"), CATALOGUE)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        _load(folder, text)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_good_manifest(tmp_path: Path) -> None:
    manifest = _load(tmp_path, GOOD)
    assert [stage.name for stage in manifest.stages] == ["lookup", "words", "length"]
    assert manifest.barrier is not None and manifest.barrier.name == "same-text"
    assert manifest.sources[0].config == {"comment": "%"}
    assert manifest.stages[0].config == {"blocked": str(tmp_path / "blocked.list")}
    assert [file.size for file in manifest.stages[0].inputs] == [0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed: 3", "sead: 3", "m.yaml:2: sead: unknown key; did you mean 'seed'?"),
        ("seed: 3", "seed: three", "m.yaml:2: seed: input should be a valid integer"),
        ("seed: 3", "seed: -1", "m.yaml:2: seed: input should be greater than or equal to 0"),
        ("kind: lines", "kind: line", "m.yaml:5: sources.0.kind: unknown kind 'line'; did you mean 'lines'?"),
        ("paths:", "pathes:", "m.yaml:6: sources.0.pathes: unknown key; did you mean 'paths'?"),
        ('["*.txt"]', "[absent.txt]", "m.yaml:6: sources.0.paths.0: no file matches 'absent.txt'"),
        ("{comment:", "{coment:", "m.yaml:7: sources.0.options.coment: unknown key; did you mean 'comment'?"),
        ("- words", "- wrods", "m.yaml:10: stages.1.wrods: unknown stage; did you mean 'words'?"),
        ("min_words", "min_wrods", "m.yaml:11: stages.2.length.min_wrods: unknown key; did you mean 'min_words'?"),
        ("min_words: 3", "min_words: many", "m.yaml:11: stages.2.length.min_words: input should be a valid integer"),
        ("blocked.list", "nothing.list", "m.yaml:9: stages.0.lookup.blocked: file 'nothing.list' is not there"),
        ("stream: main", "streem: main", "m.yaml:14: sharding.streem: unknown key; did you mean 'stream'?"),
        ("name: small", "name: Small Corpus", "m.yaml:1: name: string should match pattern"),
        ("  - words\n", "", "m.yaml:10: stages.1: reads column 'words', which no earlier stage writes"),
        (
            "  - length: {min_words: 3}\n  - same-text",
            "  - same-text\n  - length",
            "m.yaml:12: stages.3: no stage may follow",
        ),
        ("  - words", "  - words\n  - words", "m.yaml:11: stages.2: the stage 'words' stands twice"),
        ("seed: 3", "seed: 3\nseed: 4", "m.yaml:3: seed: this key stands twice"),
        ("seed: 3", "seed: [3", "m.yaml:3: no valid YAML"),
        ("- words", "- words: {a: 1}", "m.yaml:10: stages.1.words.a: unknown key"),
        ("- words", "- use: nowhere.at_all:stage", "m.yaml:10: stages.1.use: cannot import nowhere.at_all:stage"),
        (
            "*.txt",
            "${LAUTER_NOT_SET}/*.txt",
            "m.yaml:6: sources.0.paths.0: environment variable LAUTER_NOT_SET is not set",
        ),
    ],
)
def test_each_fault_is_named_with_line_and_nearest_name(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    problems = _problems(tmp_path, GOOD.replace(old, new, 1))
    assert problems[0].startswith(expected), problems


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("- words", "- wrods").replace("kind: lines", "kind: nothing")
    assert len(_problems(tmp_path, text)) == 2


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"m\.yaml:1: cannot be read"):
        load(str(tmp_path / "m.yaml"), CATALOGUE)


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "\x00"])
def test_what_is_no_mapping(tmp_path: Path, text: str) -> None:
    assert "m.yaml:1" in _problems(tmp_path, text)[0]


def test_variables_have_defaults_and_are_relative_to_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAUTER_WHERE", raising=False)
    text = GOOD.replace('"*.txt"', '"${LAUTER_WHERE:-.}/*.txt"')
    assert _load(tmp_path, text).sources[0].files[0].uri == str(tmp_path / "a.txt")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.txt").write_text("x\ty")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAUTER_WHERE", "deep")
    assert _load(tmp_path, text).sources[0].files[0].uri == str(tmp_path / "deep/b.txt")


def test_an_optional_source_may_be_absent(tmp_path: Path) -> None:
    text = GOOD.replace('paths: ["*.txt"]', "paths: [absent.txt]\n    optional: true")
    assert _load(tmp_path, text).sources[0].files == ()


def test_globs_cross_folders_and_list_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/c.txt").write_text("")
    text = GOOD.replace('["*.txt"]', '["**/*.txt", "a.txt", "x/y/c.txt"]')
    assert [Path(file.uri).name for file in _load(tmp_path, text).sources[0].files] == ["a.txt", "c.txt"]


def test_what_a_manifest_leaves_out_stays_left_out(tmp_path: Path) -> None:
    """A reader tells a column that was named from one it looks for by default: resolving must not blur that."""
    from lauter.stages.catalogue import CATALOGUE as REAL

    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    text = "name: x\nsources: [{name: r, kind: jsonl, paths: [rows.jsonl]}]\nstages: [normalise]\n"
    (tmp_path / "m.yaml").write_text(text)
    assert load(str(tmp_path / "m.yaml"), REAL).sources[0].make() is not None
    (tmp_path / "m.yaml").write_text(text.replace("[rows.jsonl]", "[rows.jsonl], options: {columns: {date: when}}"))
    with pytest.raises(ManifestError, match=r"m\.yaml:2: sources\.0\.options: no column 'when'"):
        load(str(tmp_path / "m.yaml"), REAL)
