from __future__ import annotations

import sys
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
        ("stream: main", "stream: tokenizer", "m.yaml:14: sharding.stream: no stream may be called 'tokenizer', which"),
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
        ("- words", "- use: nowhere", "m.yaml:10: stages.1: expected `use: module:attribute`"),
        ("- words", "- use: :stage", "m.yaml:10: stages.1.use: cannot import :stage: ValueError"),
        ("- words", "- use: json:nothing", "m.yaml:10: stages.1.use: cannot import json:nothing: AttributeError"),
        ("- words", "- use: json:dumps", "m.yaml:10: stages.1.use: json:dumps is no stage: it is a function, and a"),
        ("- words", "- use: json:JSONDecoder", "m.yaml:10: stages.1.use: json:JSONDecoder is no stage: it lacks name,"),
        (
            "- words",
            "- use: tests.pipeline.own_stage:exclamations\n    with: {max: .nan}",
            "m.yaml:11: stages.1.with.max: input should be a finite number",
        ),
        (
            "- words",
            "- use: tests.pipeline.own_stage:exclamations\n    with: {min: -.inf}",
            "m.yaml:11: stages.1.with.min: input should be a finite number",
        ),
        (
            "- words",
            "- use: tests.pipeline.own_stage:exclamations\n    with: false",
            "m.yaml:11: stages.1.with: expected a mapping",
        ),
        ("{min_words: 3}", "[]", "m.yaml:11: stages.2.length: expected a mapping"),
        ("{min_words: 3}", "0", "m.yaml:11: stages.2.length: expected a mapping"),
        ("stages:", "stages: []\nsharding_:", "m.yaml:9: sharding_: unknown key"),
        (GOOD[GOOD.index("stages:") :], "stages:\n", "m.yaml:8: stages: no stage is named; `lauter stages` lists them"),
        (GOOD[GOOD.index("stages:") :], "stages: []\n", "m.yaml:8: stages: no stage is named; `lauter stages` lists"),
        (GOOD[GOOD.index("stages:") :], "stages: words\n", "m.yaml:8: stages: expected a list"),
        ('paths: ["*.txt"]', "paths: a.txt", "m.yaml:6: sources.0.paths: expected a list"),
        ('paths: ["*.txt"]', "paths: []", "m.yaml:6: sources.0.paths: tuple should have at least 1 item"),
        ('paths: ["*.txt"]', "paths: [.]", "m.yaml:6: sources.0.paths.0: '.' is a folder; add /*"),
        ("*.txt", "gs://bucket/*.txt", "m.yaml:6: sources.0.paths.0: 'gs://bucket/*.txt': only local paths and s3://"),
        (
            "    options:",
            "    exclude: [sub/x.txt]\n    options:",
            "m.yaml:7: sources.0.exclude.0: string should match",
        ),
        ("blocked.list", '"[mb]*"', "m.yaml:9: stages.0.lookup.blocked: '[mb]*' names 2 files, and this takes one"),
        (
            'paths: ["*.txt"]',
            'paths: ["*.txt"]\n    exclude: ["*"]',
            "m.yaml:6: sources.0.paths: no file matches '*.txt' after exclude",
        ),
        ("seed: 3", "seed: &a [*a]", "m.yaml:2: seed.0: this alias holds itself"),
        ("seed: 3", "seed: " + "[" * 5000 + "]" * 5000, "m.yaml:1: no manifest: lists or mappings are nested too deep"),
        ("seed: 3", "seed: 2024-99-99", "m.yaml:2: seed: no valid value '2024-99-99'"),
        ("seed: 3", "seed: !!timestamp x", "m.yaml:2: seed: no valid value 'x'"),
        (
            "    kind: lines",
            "\tkind: lines",
            "m.yaml:5: no valid YAML: a tab indents this line; YAML takes spaces only",
        ),
        ("stages:", "stages:\n\t- words", "m.yaml:9: no valid YAML: a tab indents this line"),
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


def test_only_a_path_that_begins_a_string_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here/deep").mkdir(parents=True)
    (tmp_path / "here/deep/b.txt").write_text("x\ty")
    monkeypatch.chdir(tmp_path / "here")
    for text, value, name, uri in (
        (GOOD.replace("name: small", "name: ${RUN}"), "hello", "hello", "a.txt"),
        (GOOD.replace("*.txt", "${RUN}.txt"), "a", "small", "a.txt"),
        (GOOD.replace("*.txt", "${RUN}*.txt"), "deep/", "small", "here/deep/b.txt"),
        (GOOD.replace("*.txt", "${RUN}"), "./deep/b.txt", "small", "here/deep/b.txt"),
        (GOOD.replace("*.txt", "${RUN}"), str(tmp_path / "a.txt"), "small", "a.txt"),
        (GOOD.replace("*.txt", "here/${RUN}"), "deep/b.txt", "small", "here/deep/b.txt"),
    ):
        monkeypatch.setenv("RUN", value)
        manifest = _load(tmp_path, text)
        assert (manifest.name, manifest.sources[0].files[0].uri) == (name, str(tmp_path / uri))


def test_empty_sections_mean_the_defaults(tmp_path: Path) -> None:
    text = GOOD.replace('options: {comment: "%"}', "options:").replace("length: {min_words: 3}", "length:")
    text = text.replace("sharding:\n  stream: main", "sharding:\ntokenizer:")
    text += "  # nothing\n"
    manifest = _load(tmp_path, text.replace("  - words", "  - words:"))
    assert manifest.sources[0].config == {} and manifest.stages[2].config == {} and manifest.encoder.config == {}
    assert manifest.sharding == type(manifest.sharding)()


def test_one_bad_item_does_not_make_a_list_too_short(tmp_path: Path) -> None:
    assert len(_problems(tmp_path, GOOD.replace("kind: lines", "king: lines"))) == 2, "an unknown key, a missing one"
    assert _problems(tmp_path, GOOD.replace('["*.txt"]', "[3]")) == [
        "m.yaml:6: sources.0.paths.0: input should be a valid string"
    ]


OWN = """
from typing import ClassVar
import numpy as np
import pyarrow as pa
from lauter.pipeline.contract import Reason, StageConfig, Verdict

class Config(StageConfig):
    limit: int
    other: int = 3

class Own:
    name = "own"
    version = 1
    Config = Config
    reads = ("text",)
    documents = pa.schema([])
    scores = pa.schema([])
    reasons = (Reason("no"),)
    def __init__(self, config, context): ...
    def open(self): ...
    def apply(self, batch):
        return Verdict(np.zeros(batch.num_rows, np.uint8))
"""
SOFT = "    def decide(self, scores): ...\n"


@pytest.mark.parametrize(
    ("number", "source", "expected"),
    [
        (0, "def broken(:\n", "cannot import {m}:Own: SyntaxError: invalid syntax ({m}.py, line 1)"),
        (1, "1 / 0\n", "cannot import {m}:Own: ZeroDivisionError: division by zero"),
        (2, "import sys\nsys.exit(3)\n", "cannot import {m}:Own: SystemExit: 3"),
        (3, "import nowhere_at_all\n", "cannot import {m}:Own: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (
            4,
            "class Own:\n    name = 'x'\n    def judge(self): ...\n",
            "it lacks version, sketches, Config, reads, identities, sign, pairs, evidence, compare, prefers, limits",
        ),
        (5, OWN.replace("    version = 1\n", "").replace("reads =", "reeds ="), "it lacks version, reads"),
        (6, OWN.replace('("text",)', '"text"'), "`reads` must be a tuple of str"),
        (7, OWN.replace('(Reason("no"),)', '("no",)'), "`reasons` must be a tuple of Reason"),
        (8, OWN.replace("scores = pa.schema([])", "scores = []"), "`scores` must be a Schema"),
        (9, OWN.replace("Config = Config", "Config = dict"), "`Config` must be a subclass of StageConfig"),
        (10, OWN + SOFT, "it has decide and lacks decision_fields"),
        (11, OWN + "    decision_fields = frozenset({'other'})\n", "it has decision_fields and lacks decide"),
        (
            12,
            OWN + SOFT + "    decision_fields = frozenset({'limit'})\n",
            "its decision_fields limit must have defaults",
        ),
        (
            13,
            OWN + SOFT + "    decision_fields = frozenset({'limt'})\n",
            "its decision_fields limt are no fields of its",
        ),
        (14, OWN + "    libraries = ('no-such-library',)\n", "its library 'no-such-library' is not installed"),
        (15, OWN + "    def surveys(config): ...\n", "it has surveys and lacks occurrences, surveyed, decide"),
    ],
)
def test_what_is_wrong_with_a_users_stage_is_told(tmp_path: Path, number: int, source: str, expected: str) -> None:
    module = f"lauter_test_own_{number}"
    (tmp_path / f"{module}.py").write_text(source)
    problems = _problems(tmp_path, GOOD.replace("- words", f"- words\n  - use: {module}:Own"))
    assert len(problems) == 1 and problems[0].startswith("m.yaml:11: stages.2.use: ")
    assert expected.format(m=module) in problems[0]


def test_a_users_class_is_a_stage(tmp_path: Path) -> None:
    (tmp_path / "lauter_test_own_good.py").write_text(OWN + SOFT + "    decision_fields = frozenset({'other'})\n")
    text = GOOD.replace("- words", "- words\n  - use: lauter_test_own_good:Own\n    with: {limit: 2}")
    assert _load(tmp_path, text).stages[2].config == {"limit": 2}
    assert _problems(tmp_path, text.replace("{limit: 2}", "{limt: 2}"))[0] == (
        "m.yaml:12: stages.2.with.limt: unknown key; did you mean 'limit'?"
    )


def test_a_module_beside_the_manifest_shadows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "lauter_test_own_shade.py").write_text("import colorsys\n" + OWN)
    _load(tmp_path, GOOD.replace("- words", "- words\n  - use: lauter_test_own_shade:Own\n    with: {limit: 2}"))
    assert sys.path[0] != str(tmp_path) and str(tmp_path) in sys.path


def test_an_optional_source_may_be_absent(tmp_path: Path) -> None:
    text = GOOD.replace('paths: ["*.txt"]', "paths: [absent.txt]\n    optional: true")
    assert _load(tmp_path, text).sources[0].files == ()


def test_exclude_may_empty_one_path_but_not_the_source(tmp_path: Path) -> None:
    (tmp_path / "c.list").write_text("")
    text = GOOD.replace('["*.txt"]', '["*.txt", "*.list"]\n    exclude: ["*.list"]')
    assert [Path(file.uri).name for file in _load(tmp_path, text).sources[0].files] == ["a.txt"]
    empty = text.replace('exclude: ["*.list"]', 'exclude: ["[!x]*"]\n    optional: true')
    assert _load(tmp_path, empty).sources[0].files == ()


def test_globs_cross_folders_and_list_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/c.txt").write_text("")
    text = GOOD.replace('["*.txt"]', '["**/*.txt", "a.txt", "x/y/c.txt"]')
    assert [Path(file.uri).name for file in _load(tmp_path, text).sources[0].files] == ["a.txt", "c.txt"]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("[normalise, extract]", "stages.0: reads column 'text', which no earlier stage writes"),
        ("[pii]", "stages.0: reads column 'text', which no earlier stage writes"),
        ("[extract, pii, normalise]", "stages.2: 'normalise' rewrites text whose spans an earlier stage has written"),
        (
            "[extract, {dedup: {per_language: true}}]",
            "stages.1: reads column 'language', which no earlier stage writes",
        ),
        ("[extract, {optout: {agents: apertus-2025}}]", "stages.1.optout: "),
    ],
)
def test_orders_and_parameters_that_cannot_work(tmp_path: Path, stages: str, expected: str) -> None:
    from lauter.stages.catalogue import CATALOGUE as REAL

    (tmp_path / "x.warc").write_bytes(b"")
    (tmp_path / "m.yaml").write_text(
        f"name: x\nsources: [{{name: r, kind: warc, paths: [x.warc]}}]\nstages: {stages}\n"
    )
    with pytest.raises(ManifestError) as caught:
        load(str(tmp_path / "m.yaml"), REAL)
    assert caught.value.problems[0].removeprefix(f"{tmp_path}/").startswith(f"m.yaml:3: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PAR1\xff\xfe", "not a Hugging Face tokenizer.json (UnicodeDecodeError)"),
        (b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', "name its tokens `bos` and `eos`"),
    ],
)
def test_a_tokenizer_that_is_none_is_found_before_any_work(tmp_path: Path, content: bytes, expected: str) -> None:
    from lauter.stages.catalogue import CATALOGUE as REAL

    (tmp_path / "x.warc").write_bytes(b"")
    (tmp_path / "mine.json").write_bytes(content)
    (tmp_path / "m.yaml").write_text(
        "name: x\nsources: [{name: r, kind: warc, paths: [x.warc]}]\nstages: [extract]\n"
        "tokenizer: {tokenizer: mine.json}\n"
    )
    with pytest.raises(ManifestError) as caught:
        load(str(tmp_path / "m.yaml"), REAL)
    assert len(caught.value.problems) == 1 and expected in caught.value.problems[0]
    assert len(caught.value.problems[0]) < 600


def test_what_a_manifest_leaves_out_stays_left_out(tmp_path: Path) -> None:
    """A reader tells a column that was named from one it looks for by default: resolving must not blur that."""
    from lauter.stages.catalogue import CATALOGUE as REAL

    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    text = "name: x\nsources: [{name: r, kind: jsonl, paths: [rows.jsonl]}]\nstages: [normalise]\n"
    (tmp_path / "m.yaml").write_text(text)
    assert load(str(tmp_path / "m.yaml"), REAL).sources[0].make() is not None
    (tmp_path / "m.yaml").write_text(text.replace("[rows.jsonl]", "[rows.jsonl], options: {columns: {date: when}}"))
    with pytest.raises(ManifestError, match=r"m\.yaml:2: sources\.0\.options: .*rows\.jsonl: no column 'when'"):
        load(str(tmp_path / "m.yaml"), REAL)


def test_payloads_are_compared_only_where_a_source_has_them(tmp_path: Path) -> None:
    from lauter.stages.catalogue import CATALOGUE as REAL

    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "x.warc").write_bytes(b"")
    texts, pages = "{name: t, kind: jsonl, paths: [rows.jsonl]}", "{name: r, kind: warc, paths: [x.warc]}"
    stages = "stages:\n  - extract\n  - dedup: {exact: [text, payload]}\n"
    (tmp_path / "m.yaml").write_text(f"name: x\nsources: [{texts}]\n{stages}")
    with pytest.raises(ManifestError) as caught:
        load(str(tmp_path / "m.yaml"), REAL)
    (problem,) = caught.value.problems
    assert problem.removeprefix(f"{tmp_path}/") == (
        "m.yaml:5: stages.1: reads column 'payload_hash', and no source has payloads: their readers give text"
    )
    (tmp_path / "m.yaml").write_text(f"name: x\nsources: [{texts}, {pages}]\n{stages}")
    assert load(str(tmp_path / "m.yaml"), REAL).barrier is not None
