from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.contract import MapStage, SoftStage, StageContext, Verdict
from lauter.stages.quality import PUBLISHED, Quality, QualityConfig, Thresholds
from lauter.stages.quality.rules import RULES

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")
UDHR = DATA / "language" / "test-udhr.tsv.zst"
PROSE = """The harbour was quiet that morning, and the fishermen had not yet come back with their boats.
A dog slept beside the nets. Somebody had left a lamp burning in the window of the office above it.
Later the ferry came, full of people who wanted to be in the mountains before noon, with rucksacks and maps."""


def opened(config: QualityConfig = QualityConfig()) -> Quality:  # noqa: B008 - frozen
    stage = Quality(config, StageContext())
    stage.open()
    return stage


def batch_of(texts: list[str | None], languages: list[str | None] | None = None) -> pa.RecordBatch:
    labels = ["eng_Latn"] * len(texts) if languages is None else languages
    return pa.RecordBatch.from_pydict(
        {"text": pa.array(texts, pa.large_string()), "language": pa.array(labels, pa.string())}
    )


@cache
def scorer() -> Quality:
    return opened()


def scores_of(texts: list[str | None], languages: list[str | None] | None = None) -> pa.RecordBatch:
    stage = scorer()
    return pa.RecordBatch.from_pydict(dict(stage.apply(batch_of(texts, languages)).columns), schema=stage.scores)


def decided(text: str, config: QualityConfig = PUBLISHED, language: str = "eng_Latn") -> tuple[str, str] | None:
    """Reason and evidence of one document."""
    scores = scores_of([text], [language]).append_column("language", pa.array([language]))
    verdict = opened(config).decide(scores)
    if verdict.keep[0]:
        assert verdict.rule is not None
        assert verdict.rule[0].as_py() is None
        return None
    return Quality.reasons[verdict.reason[0] - 1].name, evidence(verdict, 0)["text"]


def evidence(verdict: Verdict, row: int) -> dict[str, str]:
    assert verdict.rule is not None
    found: dict[str, str] = verdict.rule[row].as_py()
    return found


def test_it_is_a_soft_map_stage() -> None:
    stage: MapStage = opened()
    assert isinstance(stage, SoftStage)
    assert stage.decision_fields <= set(QualityConfig.model_fields)
    assert len({reason.name for reason in stage.reasons}) == len(RULES) + 1 < 256
    assert all(field.equals(schema.SCORE.field(field.name)) for field in stage.scores)


def test_apply_annotates_and_drops_nothing() -> None:
    stage = opened()
    verdict = stage.apply(batch_of([PROSE, "", None]))
    assert verdict.reason.tolist() == [0, 0, 0]
    assert {name: column.type for name, column in verdict.columns.items()} == {f.name: f.type for f in stage.scores}
    assert all(len(column) == 3 for column in verdict.columns.values())
    assert verdict.columns["words"].to_pylist() == [57, 0, 0]


def test_prose_is_kept_in_many_scripts() -> None:
    chinese = (
        "清晨的港口很安静，渔民还没有回来。一条狗睡在渔网旁边，有人忘了关灯。\n"
        * 1
        + "后来渡船来了，船上坐满了要在中午以前进山的人，他们背着包，手里拿着地图，一路说笑。"
        "天气不错，风从海上吹来，带着盐的味道。我在码头上等了一个小时，想看看是谁先回到岸上。"
    )
    thai = (
        "เช้าวันนั้นท่าเรือเงียบมาก ชาวประมงยังไม่กลับมาพร้อมเรือของพวกเขา สุนัขตัวหนึ่งนอนอยู่ข้างแห "
        "มีคนลืมปิดไฟที่หน้าต่าง ต่อมาเรือข้ามฟากก็มาถึง เต็มไปด้วยผู้คนที่อยากขึ้นเขาก่อนเที่ยง "
        "พร้อมเป้และแผนที่ อากาศดี ลมพัดมาจากทะเลและมีกลิ่นเกลือ ฉันรออยู่ที่ท่าเรือหนึ่งชั่วโมง"
    )
    assert decided(PROSE) is None
    assert decided(chinese, QualityConfig(), "cmn_Hani") is None
    assert decided(thai, QualityConfig(), "tha_Thai") is None


def test_words_of_scripts_without_spaces_are_words() -> None:
    text = "清晨的港口很安静。\n"
    scores = scores_of([text * 20, "a b c d 漢", "ꆈꌠꁱꂷ"], ["cmn_Hani", None, "iii_Yiii"])
    # 清晨 的 港口 很 安静, and the full stop is a word of punctuation only.
    assert scores["words"].to_pylist() == [100, 5, 2]
    assert scores["mean_word_length"].to_pylist() == [160, 100, None]
    assert scores["line_punctuation_ratio"].to_pylist() == [10_000, 0, 0]
    assert scores["stop_words"].to_pylist() == [1, None, None]


def test_rules_set_on_spaced_text_have_a_say_elsewhere_only_by_language(tmp_path: Path) -> None:
    chinese = "\n".join(f"清晨的港口很安静我在这里等了{number}个小时" for number in range(40))
    off = {"min_stop_words": None, "max_duplicate_ngram_ratios": None, "max_top_ngram_ratios": None}
    ended = QualityConfig.model_validate({**off, "min_line_punctuation_ratio": 0.5})
    assert decided(chinese, ended, "cmn_Hani") is None
    assert decided(chinese, ended, "eng_Latn") is not None
    path = tmp_path / "languages.yaml"
    path.write_text("format: 1\nlabels:\n  cmn_Hani: {quality: {min_mean_word_length: 1.9}}\n", encoding="utf-8")
    found = decided(chinese, ended.model_copy(update={"languages_file": str(path)}), "cmn_Hani")
    assert found is not None
    assert found[0] == "short-words"
    own = {"cmn": Thresholds(min_mean_word_length=1.0)}
    both = ended.model_copy(update={"languages_file": str(path), "languages": own})
    assert decided(chinese, both, "cmn_Hani") is None


SENTENCES = [
    f"The {noun} of number {n} is with the {noun}s and that is it, they have to say."
    for n, noun in enumerate(
        ["cat", "dog", "tree", "house", "road", "river", "hill", "boat", "lamp", "map", "stone", "cloud"]
    )
]

TWICE_CAT = [SENTENCES[0], *SENTENCES]


@pytest.mark.parametrize(
    ("text", "reason", "text_of_rule"),
    [
        ("The cat of the house.", "few-words", "words 5 < 50"),
        ("word of the " * 33_400, "many-words", "words 100200 > 100000"),
        ("a b " * 30, "short-words", "mean_word_length 1.00 < 3.00"),
        ("supercalifragilistic " * 60, "long-words", "mean_word_length 20.00 > 10.00"),
        (PROSE + " #" * 8, "symbols", "symbol_ratio 0.1231 > 0.1000"),
        (PROSE + " ..." * 8, "symbols", "symbol_ratio 0.1231 > 0.1000"),
        ("\n".join("- " + line for line in SENTENCES), "bullet-lines", "bullet_line_ratio 1.0000 > 0.9000"),
        ("\n".join(line + ".." for line in SENTENCES), "ellipsis-lines", "ellipsis_line_ratio 1.0000 > 0.3000"),
        (PROSE + " 2024" * 20, "few-alphabetic-words", "alphabetic_word_ratio 0.7403 < 0.8000"),
        ("lorem ipsum dolor sit amet " * 20, "few-stop-words", "stop_words 0 < 2"),
        ("\n\n".join(SENTENCES[:4] * 2), "duplicate-paragraphs", "duplicate_paragraph_ratio 0.5000 > 0.3000"),
        ("\n".join(SENTENCES[:4] * 2), "duplicate-lines", "duplicate_line_ratio 0.5000 > 0.3000"),
        ("\n".join(TWICE_CAT), "duplicate-line-characters", "duplicate_line_char_ratio 0.0746 > 0.0100"),
        (PROSE + " night and day" * 12, "top-2-gram", "top_2gram_ratio 0.2298 > 0.2000"),
        (PROSE.replace("\n", " ") + " And " + PROSE[5:200].replace("\n", " "), "duplicate-5-gram", None),
        ("\n".join(PROSE.replace(".", ",").split(", ")), "few-ended-lines", "line_punctuation_ratio 0.0000 < 0.1200"),
        (PROSE + ".\n" + ".\n".join(["one", "two", "of", "the", "red", "six", "all", "is"]), "short-lines", None),
    ],
)  # fmt: skip
def test_each_rule_drops_with_its_evidence(text: str, reason: str, text_of_rule: str | None) -> None:
    found = decided(text)
    assert found is not None
    assert found[0] == reason
    assert text_of_rule is None or found[1] == text_of_rule


def test_evidence_names_the_family() -> None:
    stage = opened(PUBLISHED)
    verdict = stage.decide(scores_of(["\n".join(SENTENCES[:4] * 2), PROSE]))
    assert evidence(verdict, 0) == {
        "agent": None,
        "signal": "gopher-repetition",
        "line": None,
        "text": "duplicate_line_ratio 0.5000 > 0.3000",
    }
    assert verdict.rule is not None
    assert verdict.rule.type == schema.RULE
    assert verdict.columns == {}


def test_a_score_equal_to_its_threshold_is_fine_and_none_switches_off() -> None:
    stage = opened(QualityConfig(min_words=5, min_stop_words=None, max_top_ngram_ratios=None))
    scores = scores_of(["The cat of the house.", "The cat of the"])
    assert stage.decide(scores).reason.tolist() == [0, 1]
    off = dict.fromkeys(Thresholds.model_fields)
    assert decided("a a a a a", QualityConfig.model_validate(off)) is None


def test_the_first_broken_rule_wins() -> None:
    scores = scores_of(["x\n" * 40])
    names = []
    off: dict[str, None] = {}
    while (
        reason := opened(QualityConfig.model_validate({**PUBLISHED.model_dump(exclude=set(off)), **off}))
        .decide(scores)
        .reason[0]
    ):
        names.append(reason)
        off[RULES[reason - 1].threshold] = None
    assert names == sorted(names)
    assert len(names) >= 6


def test_thresholds_by_language_change_only_what_they_name() -> None:
    off: dict[str, None] = {"min_stop_words": None, "max_top_ngram_ratios": None}
    short = {"deu": {"min_words": 3}, "deu_Hebr": {"min_words": None}}
    config = QualityConfig.model_validate({**off, "languages": short})
    text = "Vier Worte sind hier"
    scores = scores_of([text] * 4, ["deu_Latn", "eng_Latn", "deu_Hebr", None])
    with_language = scores.append_column("language", pa.array(["deu_Latn", "eng_Latn", "deu_Hebr", None]))
    verdict = opened(config).decide(with_language)
    assert verdict.reason.tolist() == [0, 1, 0, 1]
    encoded = pa.array(["deu_Latn", "eng_Latn", "deu_Hebr", None]).dictionary_encode()
    assert opened(config).decide(scores.append_column("language", encoded)).reason.tolist() == [0, 1, 0, 1]
    shout = scores_of(["# # # # # # " + text]).append_column("language", pa.array(["deu_Latn"]))
    assert evidence(opened(config).decide(shout), 0)["text"] == "symbol_ratio 0.6000 > 0.1000"
    with pytest.raises(ValueError, match="language"):
        opened(config).decide(scores)


def test_the_config_reads_from_yaml_and_refuses_what_it_does_not_know() -> None:
    text = (
        "{max_top_ngram_ratios: [0.2, null, 0.1], languages: {deu: {max_duplicate_ngram_ratios: [1, 1, 1, 1, 1, 1]}}}"
    )
    config = QualityConfig.model_validate(yaml.safe_load(text))
    assert config.max_top_ngram_ratios == (0.2, None, 0.1)
    assert [rule.limit(config) for rule in RULES if rule.score == "top_ngram_ratios"] == [2000, None, 1000]
    with pytest.raises(ValueError, match="max_top_ngram_ratios"):
        QualityConfig.model_validate({"max_top_ngram_ratios": [0.2]})
    with pytest.raises(ValueError, match="min_wordz"):
        QualityConfig.model_validate({"min_wordz": 1})


@pytest.mark.slow
def test_no_language_is_dropped_for_its_long_words() -> None:
    if not UDHR.exists():
        pytest.skip("language/test-udhr.tsv.zst is not under LAUTER_TEST_DATA")
    with pa.CompressedInputStream(str(UDHR), "zstd") as stream:
        lines = [line.split("\t") for line in stream.read().decode().splitlines()]
    documents: list[tuple[str, str]] = []
    for label in dict.fromkeys(line[0] for line in lines):
        own = [text for name, _, text in lines if name == label]
        documents += [(label, "\n".join(own[start : start + 10])) for start in range(0, len(own), 10)]
    only = QualityConfig.model_validate(dict.fromkeys(set(Thresholds.model_fields) - {"max_mean_word_length"}))
    verdict = opened(only).decide(scores_of([text for _, text in documents], [label for label, _ in documents]))
    assert len({label for label, _ in documents}) > 300
    assert [label for (label, _), kept in zip(documents, verdict.keep, strict=True) if not kept] == []


MEASURE = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa
from lauter.pipeline.contract import StageContext
from lauter.stages.dedup.stage import Dedup, DedupConfig
from lauter.stages.quality import Quality, QualityConfig

def batch(size):
    letters = np.full(size, 32, np.uint8)
    letters[::2] = np.random.default_rng(0).integers(97, 123, (size + 1) // 2)
    return pa.record_batch({"text": pa.array([letters.tobytes().decode()], pa.large_string()),
                            "language": pa.array(["eng_Latn"])})

def peak():
    # Not ru_maxrss, in which the test process counts that this one was forked from.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

stage = Quality(QualityConfig(), StageContext())
stage.open()
work = {"quality": stage.apply, "dedup": Dedup(DedupConfig()).sign}[sys.argv[1]]
work(batch(100))
large = batch(16 << 20)
before = peak()
work(large)
print((peak() - before) >> 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["quality", "dedup"])
def test_the_largest_text_of_one_letter_words_needs_less_than_a_gigabyte(stage: str) -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE, stage], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.text()), st.sampled_from([None, "eng_Latn", "deu_Latn", "x"])), max_size=8
    ),
    st.integers(0, 8),
)
def test_scores_do_not_depend_on_how_batches_are_cut(rows: list[tuple[str | None, str | None]], cut: int) -> None:
    texts, languages = [text for text, _ in rows], [language for _, language in rows]
    whole = scores_of(texts, languages)
    parts = [scores_of(texts[:cut], languages[:cut]), scores_of(texts[cut:], languages[cut:])]
    assert pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([whole]).combine_chunks())


def test_c4s_rules_have_a_say_only_where_its_lines_are_counted() -> None:
    text = "This is a first line. It has two sentences.\nThis line has no end\nYou need JavaScript here.\nf() { x.\n"
    rules = {"min_c4_sentences": 5, "max_lorem_ipsum_lines": 0, "max_curly_bracket_lines": 0, "min_c4_line_ratio": 0.5}
    off = dict.fromkeys(Thresholds.model_fields)
    config = QualityConfig.model_validate({**off, **rules, "c4": {}})
    stage = opened(config)

    def said(texts: list[str | None], stage: Quality = stage) -> list[str | None]:
        scores = pa.RecordBatch.from_pydict(dict(stage.apply(batch_of(texts)).columns), schema=stage.scores)
        verdict = stage.decide(scores)
        return [evidence(verdict, row)["text"] if code else None for row, code in enumerate(verdict.reason)]

    assert said([text, "Lorem ipsum dolor sit amet.", text.replace("{", "("), PROSE]) == [
        "curly_bracket_lines 1 > 0", "lorem_ipsum_lines 1 > 0", "c4_sentences 3 < 5", "c4_sentences 4 < 5",
    ]  # fmt: skip
    lines = opened(QualityConfig.model_validate({**off, "min_c4_line_ratio": 0.5, "c4": {"terminal": False}}))
    assert said([text.replace("{", "("), "One two\nthree"], lines) == [None, "c4_line_ratio 0.0000 < 0.5000"]
    assert said([None, text], opened(QualityConfig.model_validate({**off, "c4": {}}))) == [None, None]
    plain = opened(QualityConfig.model_validate({**off}))
    assert plain.apply(batch_of([text])).columns["c4_sentences"].to_pylist() == [None]


def test_a_rule_of_c4_without_its_lines_is_told_before_any_work() -> None:
    with pytest.raises(ValueError, match="`max_lorem_ipsum_lines` needs C4's lines counted"):
        Quality.check_config(QualityConfig(max_lorem_ipsum_lines=0))


def test_stop_words_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("format: 1\nlabels:\n  eng_Latn: {stop_words: [the, of]}\n")
    text = "The end, of, course. the"
    for exact, count in ((True, 1), (False, 2)):
        stage = opened(QualityConfig(stop_words=str(path), exact_stop_words=exact))
        assert stage.apply(batch_of([text])).columns["stop_words"].to_pylist() == [count]
