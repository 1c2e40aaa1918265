"""Files by language from a small corpus and from a folder of lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from lauter.pipeline.contract import StageContext
from lauter.stages.language.cli import app
from lauter.stages.languages_file import LanguagesFile, read
from lauter.stages.quality import Quality, QualityConfig
from lauter.stages.quality.by_language import thresholds_of
from lauter.stages.thresholds.sample import DOCUMENT_BYTES, SAMPLE_BYTES, Sample

ENGLISH = "the cat and the dog are in the house of a man who is at the door and it was so that they had to go by bus"
GERMAN = "der hund und die katze sind in dem haus und der mann ist an der tür und es war so dass sie mit dem bus gingen"
THAI = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอนและเป็นภาษาที่ใช้ในประเทศไทยของเรา"
TEXTS = {"eng_Latn": ENGLISH, "deu_Latn": GERMAN, "tha_Thai": THAI, "und_Latn": "xyz", "gsw_Latn": GERMAN}


def documents() -> list[tuple[bytes, str, int, str]]:
    """(doc_id, label, score, text)."""
    rows = []
    for label, text in TEXTS.items():
        for number in range(3 if label == "gsw_Latn" else 12):
            words = text.split(" ")
            body = " ".join(words[number % len(words) :] + words[: number % len(words)])
            doc_id = hashlib.blake2b(f"{label}{number}".encode(), digest_size=16).digest()
            rows.append((doc_id, label, 9000 if number else 2000, "\n".join([f"{body}.", body, f"{body} {number}"])))
    return rows


def corpus(
    folder: Path,
    rows: list[tuple[bytes, str, int, str]],
    parts: int,
    dropped: Mapping[bytes, tuple[str, str]] = MappingProxyType({}),
) -> Path:
    """A run folder with as much of a corpus as the command reads, scored by the quality stage."""
    stage = Quality(QualityConfig(), StageContext())
    stage.open()
    for part in range(parts):
        own = rows[part::parts]
        label = pa.array([row[1] for row in own], pa.string())
        batch = pa.RecordBatch.from_pydict(
            {"text": pa.array([row[3] for row in own], pa.large_string()), "language": label}
        )
        ids = pa.array([row[0] for row in own], pa.binary(16))
        number = pa.array(range(len(own)), pa.uint32())
        score = pa.array([row[2] for row in own], pa.uint16())
        scores = {
            "doc_id": ids,
            "row": number,
            "language": label,
            "language_score": score,
            **stage.apply(batch).columns,
        }
        ends = {
            "doc_id": ids,
            "row": number,
            **{
                name: pa.array([dropped.get(row[0], (None, None))[place] for row in own], pa.string())
                for place, name in enumerate(("stage", "reason"))
            },
        }
        tables = {"scores": scores, "documents": {"doc_id": ids, "row": number, "text": batch[0]}, "decisions": ends}
        for name, columns in tables.items():
            path = folder / name / "web" / f"{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), path)
    (folder / "corpus.json").write_text(json.dumps({"name": "small", "lineage": "0a"}), encoding="utf-8")
    (folder / "manifest.lock.yaml").write_text("stages: [{language: {config: {model: lid.176}}}]", encoding="utf-8")
    return folder


def made(data: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["thresholds", str(data), "--out", str(out), "--json", *options])


def test_a_corpus_gives_thresholds_and_stop_words_whatever_its_parts(tmp_path: Path) -> None:
    rows = documents()
    options = ("--least", "10", "--least-words", "300")
    files = []
    for name, parts, order in (("one", 1, rows), ("three", 3, rows[::-1])):
        out = tmp_path / name / "small.yaml"
        result = made(corpus(tmp_path / name / "corpus", order, parts), out, *options)
        assert result.exit_code == 0, result.output
        files.append((out.read_text("utf-8"), out.with_name("small-words.yaml").read_text("utf-8")))
    assert files[0] == files[1]
    assert "From the corpus small, lineage 0a." in files[0][0]
    assert LanguagesFile(str(tmp_path / "one" / "small.yaml")).model == "lid.176"
    found = read(str(tmp_path / "one" / "small.yaml"))
    # Of 12 documents one has a score of 0.2: median 0.9 less a deviation of 0.193.
    assert {label: entry.language_score for label, entry in found.items()} == dict.fromkeys(
        ["deu_Latn", "eng_Latn", "tha_Thai"], 0.707
    )
    assert found["deu_Latn"].documents == 12
    limits = thresholds_of(str(tmp_path / "one" / "small.yaml"))
    assert limits["eng_Latn"].max_mean_word_length == 10
    german = limits["deu_Latn"].max_mean_word_length
    assert german is not None
    assert 10 < german < 13
    words = read(str(tmp_path / "one" / "small-words.yaml"))
    assert set(words) == {"deu_Latn", "eng_Latn", "tha_Thai"}
    assert {"der", "und"} <= set(words["deu_Latn"].stop_words or ())
    assert {"ภาษา", "เป็น", "ที่"} <= set(words["tha_Thai"].stop_words or ())


def test_documents_that_the_build_dropped_have_no_part(tmp_path: Path) -> None:
    rows = documents()
    spam = [
        (hashlib.blake2b(f"spam{n}".encode(), digest_size=16).digest(), label, 9000, "kaufen billig klicken " * 9)
        for n in range(12)
        for label in ("deu_Latn", "gsw_Latn")
    ]
    spam = [(bytes([n]) + row[0][1:], *row[1:]) for n, row in enumerate(spam)]
    ends = [("toxicity", "toxic"), ("language", "language-score"), ("quality", "few-stop-words")]
    words = []
    for stage, reason in ends:
        folder = tmp_path / stage
        data = corpus(folder / "corpus", rows + spam, 2, {row[0]: (stage, reason) for row in spam})
        # 24 German documents make a threshold, 15 Swiss German ones none.
        result = made(data, folder / "x.yaml", "--least", "20", "--least-words", "100", "--method", "tail")
        assert result.exit_code == 0, result.output
        assert set(read(str(folder / "x.yaml"))) == {"deu_Latn"}
        found = read(str(folder / "x-words.yaml"))
        words.append([("kaufen" in (found[label].stop_words or ())) for label in ("deu_Latn", "gsw_Latn")])
    # What is toxic never counts; what the language stage found too unsure does where a threshold is made anew, which is
    # for German; what quality dropped always does.
    assert words == [[False, False], [True, False], [True, True]]


def test_a_folder_of_lines_and_lists(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "eng_Latn.txt").write_text("".join(f"book\t{ENGLISH} {n}\n" for n in range(60)), encoding="utf-8")
    (data / "deu_Latn.txt").write_text("".join(f"{GERMAN}\n" for _ in range(60)), encoding="utf-8")
    counts = "".join(f"list\tWort{letter}\t{900 - 100 * place}\n" for place, letter in enumerate("abcdefghi"))
    (data / "gsw_Latn.words").write_text(counts + "junk\tnichts\t999999\nlist\tzwei wörter\t9\n", encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text(
        "format: 1\nlabels: {gsw_Latn: {stop_words: [nöd]}, roh_Latn: {stop_words: [ils]}}", encoding="utf-8"
    )
    out = tmp_path / "lines.yaml"
    options = ("--source", "list", "--source", "text", "--source", "book", "--fallback", str(other))
    result = made(data, out, "--least", "20", "--least-words", "500", *options)
    assert result.exit_code == 0, result.output
    found = read(str(out))
    assert set(found) == {"deu_Latn", "eng_Latn"}
    assert set(found["eng_Latn"].quality) == {"min_mean_word_length", "max_mean_word_length"}
    words = read(str(tmp_path / "lines-words.yaml"))
    assert words["gsw_Latn"].stop_words == tuple(f"wort{letter}" for letter in "abcdefghi")
    assert words["roh_Latn"].stop_words == ("ils",)
    assert "the" in (words["eng_Latn"].stop_words or ())
    wrong, right = tmp_path / "wrong.tsv", tmp_path / "right.tsv"
    wrong.write_text(f"eng_Latn\t{'kaa muu ' * 40}\n" * 4, encoding="utf-8")
    right.write_text(f"eng_Latn\t{ENGLISH * 3}\n" * 4 + f"deu_Latn\t{'kaa muu ' * 40}\n" * 4, encoding="utf-8")
    checks = ("--check", str(wrong), "--check", str(right))
    result = made(data, out, "--least", "20", "--least-words", "500", *options, *checks)
    assert result.exit_code == 0, result.output
    assert set(read(str(tmp_path / "lines-words.yaml"))) == {"eng_Latn"}


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, (), "neither a corpus (no corpus.json) nor a folder of LABEL.txt"),
        ({"german.txt": "a"}, (), "german.txt: its name is no label"),
        ({"deu_Latn.words": "a\tb\n"}, (), "deu_Latn.words:1: expected a source, a word and a count"),
        ({"deu_Latn.words": "a\tb\t1\na\tb\tx\n"}, (), "deu_Latn.words:2: expected a source, a word and a count"),
        ({"deu_Latn.txt": f"{GERMAN}\n" * 9}, ("--least", "1"), "too few English documents"),
        ({"deu_Latn.txt": "a"}, ("--fallback", "absent.yaml"), "absent.yaml can't be read"),
    ],
)
def test_what_cannot_be_used_is_told(
    tmp_path: Path, files: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text, encoding="utf-8")
    result = made(data, tmp_path / "x.yaml", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "x.yaml").exists()


def test_a_corpus_without_scores_is_told(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus", documents(), 1)
    path = folder / "scores" / "web" / "0.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["newline_ratio"]), path)
    result = made(folder, tmp_path / "x.yaml")
    assert result.exit_code == 2
    assert "no column newline_ratio" in " ".join(result.output.split())


def test_a_sample_is_the_same_in_any_order() -> None:
    rows = [(hashlib.blake2b(b"%d" % n, digest_size=16).digest(), b"%d " % n * 900) for n in range(600)]
    first, second = Sample(), Sample()
    for row in rows:
        first.add(*row)
    for row in reversed(rows):
        second.add(*row)
    texts = first.texts()
    assert texts == second.texts()
    assert SAMPLE_BYTES <= sum(map(len, texts)) < SAMPLE_BYTES + DOCUMENT_BYTES
    assert texts[0] == min(rows)[1].decode()
