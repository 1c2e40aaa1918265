"""The toxicity stage with its word lists: what is judged, the score, what is dropped, and the figures it claims."""

from __future__ import annotations

import gzip
import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lauter.pipeline.contract import MapStage, SoftStage, StageContext
from lauter.stages.toxicity import Toxicity, ToxicityConfig
from lauter.stages.toxicity.lexicon import Lexicon, ordinary_words, source_lists, word_lists

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LAUTER_TEST_DATA", ROOT.parent / "shared" / "data"))
FILLER = "the quick brown fox jumps over that lazy dog and runs "


@cache
def stage() -> Toxicity:
    made = Toxicity(ToxicityConfig(model="lexicon"), StageContext())
    made.open()
    return made


def score(texts: list[str | None], languages: list[str | None]) -> list[int | None]:
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.string())}
    verdict = stage().apply(pa.record_batch(columns))
    assert verdict.keep.all()
    assert verdict.columns["toxicity"].type == Toxicity.scores.field("toxicity").type
    values: list[int | None] = verdict.columns["toxicity"].to_pylist()
    return values


def judged(
    scores: list[int | None], who: list[int] | None = None, languages: list[str] | None = None
) -> pa.RecordBatch:
    """The columns that decisions are made from."""
    models = [None if score is None else 1 for score in scores] if who is None else who
    labels = ["eng_Latn"] * len(scores) if languages is None else languages
    return pa.record_batch({
        "toxicity": pa.array(scores, pa.uint16()), "toxicity_model": pa.array(models, pa.uint8()),
        "language": pa.array(labels, pa.string()),
    })  # fmt: skip


def test_it_is_a_map_stage_that_decides_later() -> None:
    made: MapStage = stage()
    assert isinstance(made, SoftStage)


def test_every_list_has_terms_and_no_ordinary_word() -> None:
    lists = word_lists()
    assert len(lists) == 27
    assert all(len(terms) >= 10 for terms in lists.values())
    assert Lexicon().languages >= {"eng_Latn", "cmn_Hani", "rus_Cyrl", "nno_Latn", "arz_Arab"}
    for language, word in (("deu", "abstand"), ("ell", "ναι"), ("eng", "abortion"), ("cmn", "刚度"), ("kor", "보지")):
        assert word not in lists[language]


def test_every_word_that_is_left_out_was_in_the_list() -> None:
    lists = source_lists()
    missing = {language: words - set(lists[language]) for language, words in ordinary_words().items()}
    assert not any(missing.values()), missing


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("you fucking asshole", "eng_Latn"),
        ("ＦＵＣＫ you", "eng_Latn"),
        ("du verdammtes Arschloch", "deu_Latn"),
        ("espèce de connard", "fra_Latn"),
        ("иди нахуй", "rus_Cyrl"),
        ("你这个傻逼", "cmn_Hani"),
        ("开口就是王八蛋", "cmn_Hani"),
        ("이 씨발놈아", "kor_Hang"),
        ("このクソ野郎が", "jpn_Jpan"),
        ("ไอ้เหี้ยเย็ดแม่", "tha_Thai"),
        ("drittsekk", "nno_Latn"),
    ],
)
def test_insults_have_a_high_score(text: str, language: str) -> None:
    (value,) = score([text], [language])
    assert value is not None
    assert value > 5000


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A classic assassin in Scunthorpe analysed the cockpit", "eng_Latn"),
        ("Bitte Abstand halten", "deu_Latn"),
        ("他妈妈的体操比赛", "cmn_Hani"),
        ("제3조까지 5개년 계획", "kor_Hang"),
        ("アマゾンのファックスとバケツとトリミング", "jpn_Jpan"),
        ("机场巴士时刻表。体操你追我赶。西瓜批发。祝生日你妈妈。", "cmn_Hani"),
        ("질병관리청은 감염병 예방을 강조했다. 전염병이 유행하면 보건소에 신고해야 한다.", "kor_Hang"),
        ("염병은 법정 감염병이다. 판다 새끼가 태어났다. 어미는 새끼를 품에 안고 있다.", "kor_Hang"),
        ("신논현역 애비뉴 상가. 오후장에서 코스피는 상승했다. 등신대 인형. 이번 딜도 성사될 전망이다.", "kor_Hang"),
        ("ジョコビッチは決勝でフェデラーを破った。ジョコビッチの優勝は十回目。", "jpn_Jpan"),
        ("ティファニーの新作が銀座本店で発売された。夏のバカンスは南フランスで。", "jpn_Jpan"),
        ("自己愛性パーソナリティ障害の診断基準。床に座って足を広げるストレッチ。", "jpn_Jpan"),
        ("定格電圧は百ボルト。うんちくを傾ける。家にかえろう。済ませすまた。", "jpn_Jpan"),
        ("วิธีล้างตู้เย็นให้สะอาด ล้างตู้เย็นเดือนละครั้ง", "tha_Thai"),
        ("เสือกินเนื้อเป็นอาหาร เสือกระโดดได้ไกล เสือกลางคืนออกล่าเหยื่อ", "tha_Thai"),
    ],
)
def test_ordinary_words_have_score_zero(text: str, language: str) -> None:
    assert score([text], [language]) == [0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("fuck", "swh_Latn"),
        ("fuck", "und_Latn"),
        ("fuck", None),
        ("fuck", "rus_Latn"),
        ("", "eng_Latn"),
        (None, "eng_Latn"),
    ],
)
def test_not_judged_is_null_and_never_clean(text: str | None, language: str | None) -> None:
    assert score([text], [language]) == [None]


@pytest.mark.parametrize(
    ("term", "other", "filler", "language"),
    [
        ("병신", "지랄", " 오늘 날씨 좋다", "kor_Hang"),
        ("バカ", "クソ", "今日は天気です", "jpn_Jpan"),
        ("เหี้ย", "ส้นตีน", " วันนี้อากาศดี", "tha_Thai"),
        ("傻逼", "王八蛋", "今天天气不错", "cmn_Hani"),
    ],
)
def test_one_term_alone_passes_a_half_in_short_or_dense_text_only(
    term: str, other: str, filler: str, language: str
) -> None:
    texts: list[str | None] = [
        f"{term} " + filler * 2,
        f"{term} " * 2 + filler * 20,
        f"{term} " * 3 + f" {other} " * 2 + filler * 20,
        f"{term} " * 40 + filler * 20,
    ]
    short, repeated, two, dense = (value or 0 for value in score(texts, [language] * 4))
    assert short > 5000
    assert 0 < repeated <= 5000
    assert two > 5000
    assert dense > 5000


def test_one_word_in_fifty_is_a_half() -> None:
    words = (FILLER * 5).split()[:49]
    assert score([" ".join([*words, "fucking"])], ["eng_Latn"]) == [5000]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200))
@settings(deadline=None, max_examples=50)
def test_more_hits_have_a_higher_score(hits: int, more: int, words: int) -> None:
    ordinary = (FILLER * 25).split()[:words]
    few, many = score(
        [" ".join(["fucking"] * count + ordinary) for count in (hits, hits + more)], ["eng_Latn", "eng_Latn"]
    )
    assert few is not None
    assert many is not None
    assert few <= many
    assert (few == 0) == (hits == 0)
    exact = hits / (hits + (hits + words) / 50) * 10_000
    assert abs(few - exact) <= 0.5001


@given(st.lists(st.sampled_from(["fuck you", "merde", "傻逼", "", "hello"]), min_size=1, max_size=8), st.data())
@settings(deadline=None, max_examples=50)
def test_batch_cuts_do_not_matter(texts: list[str], data: st.DataObject) -> None:
    languages = [data.draw(st.sampled_from(["eng_Latn", "fra_Latn", "cmn_Hani", "swh_Latn", None])) for _ in texts]
    cut = data.draw(st.integers(0, len(texts)))
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.string())}
    whole = pa.record_batch(columns)
    once = stage().apply(whole).columns["toxicity"].to_pylist()
    parts = (whole.slice(0, cut), whole.slice(cut))
    assert [value for part in parts for value in stage().apply(part).columns["toxicity"].to_pylist()] == once


def test_decisions_name_score_and_threshold_only() -> None:
    verdict = stage().decide(judged([0, 5000, 5001, 10_000, None]))
    assert verdict.reason.tolist() == [0, 0, 1, 1, 0]
    assert Toxicity.reasons[0].name == "toxic"
    assert verdict.rule is not None
    texts = pc.struct_field(verdict.rule, "text").to_pylist()
    assert texts == [None, None, "0.5001 > 0.5000", "1.0000 > 0.5000", None]
    assert set(pc.struct_field(verdict.rule, "signal").to_pylist()) == {None, "toxicity by lexicon"}
    assert all(text is None or re.fullmatch(r"[0-9. >]+", str(text)) for text in texts)


def test_a_threshold_of_the_users_own() -> None:
    made = Toxicity(ToxicityConfig(max_score=0.1), StageContext())
    assert made.decide(judged([1000, 1001])).reason.tolist() == [0, 1]


def test_each_model_has_its_own_threshold() -> None:
    made = Toxicity(ToxicityConfig(), StageContext())
    assert made.decide(judged([6000, 6000, 9500], who=[1, 2, 2])).reason.tolist() == [1, 0, 1]


def test_a_share_of_each_language_is_kept_and_ties_with_it() -> None:
    config = ToxicityConfig(keep_lowest=0.9, min_documents=10)
    assert Toxicity.surveys(config)
    assert not Toxicity.surveys(ToxicityConfig())
    made = Toxicity(config, StageContext())
    batch = judged(
        [*range(0, 1000, 100), *[7] * 20, 9000], languages=["deu_Latn"] * 10 + ["fra_Latn"] * 20 + ["ita_Latn"]
    )
    number, documents = np.unique(made.occurrences(batch), return_counts=True)
    made.surveyed(number, documents.astype(np.uint64))
    verdict = made.decide(batch)
    assert verdict.reason.tolist() == [0] * 9 + [2] + [0] * 20 + [1]  # Italian has too few: the absolute threshold
    assert [reason.name for reason in Toxicity.reasons] == ["toxic", "toxic-share"]


def test_a_share_and_a_threshold_together() -> None:
    config = ToxicityConfig(keep_lowest=0.9, min_documents=1, max_score=0.05)
    made = Toxicity(config, StageContext())
    batch = judged([*range(0, 1000, 100)])
    made.surveyed(*(array.astype(np.uint64) for array in np.unique(made.occurrences(batch), return_counts=True)))
    assert made.decide(batch).reason.tolist() == [0] * 6 + [1] * 4


@pytest.mark.parametrize(
    "values",
    [
        {"model": "detoxify"},
        {"model": "detoxify", "checkpoint": "x"},
        {"checkpoint": "x"},
        {"max_score": 2.0},
        {"model": "other"},
        {"model": "lexicon", "model_file": "x"},
        {"model": "detoxify", "checkpoint": "a", "encoder_config": "b", "tokenizer": "c", "model_file": "x"},
        {"cascade": (0.1, 0.9)},
        {"model": "detoxify", "checkpoint": "a", "encoder_config": "b", "tokenizer": "c", "cascade": (0.9, 0.1)},
        {
            "model": "detoxify",
            "checkpoint": "a",
            "encoder_config": "b",
            "tokenizer": "c",
            "cascade": (0.1, 0.9),
            "keep_lowest": 0.95,
        },
        {"keep_lowest": 0.0},
    ],
)
def test_a_wrong_configuration_is_an_error(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ToxicityConfig.model_validate(values)


def test_apply_before_open_is_an_error() -> None:
    batch = pa.record_batch({"text": pa.array(["a"], pa.large_string()), "language": pa.array(["eng_Latn"])})
    with pytest.raises(RuntimeError, match="open"):
        Toxicity(ToxicityConfig(), StageContext()).apply(batch)


def read_rows(name: str) -> list[dict[str, object]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the test data {path.name} is not there: set LAUTER_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("name", "language", "recall", "false_positives"),
    [
        ("davidson", "eng_Latn", (0.78, 0.85), (0.0, 0.04)),  # tweets picked by swear words
        ("germeval2018", "deu_Latn", (0.05, 0.10), (0.0, 0.01)),  # offence mostly without one
        ("portuguese-hs", "por_Latn", (0.09, 0.15), (0.0, 0.04)),
        ("russian-toxic", "rus_Cyrl", (0.10, 0.16), (0.0, 0.04)),
        ("korean-hs", "kor_Hang", (0.01, 0.05), (0.0, 0.01)),
        ("cold-zh", "cmn_Hani", (0.01, 0.05), (0.0, 0.01)),
    ],
)
def test_measured_on_public_sets(
    name: str, language: str, recall: tuple[float, float], false_positives: tuple[float, float]
) -> None:
    rows = read_rows(f"toxicity/{name}.jsonl.gz")
    values = np.array(score([str(row["text"]) for row in rows], [language] * len(rows)), np.float64)
    dropped = np.nan_to_num(values) > 5000
    toxic = np.array([row["toxic"] == 1 for row in rows])
    assert recall[0] <= dropped[toxic].mean() <= recall[1]
    assert false_positives[0] <= dropped[~toxic].mean() <= false_positives[1]


def test_web_pages_are_hardly_ever_dropped() -> None:
    rows = read_rows("ground_truth.jsonl.gz")
    texts: list[str | None] = [
        str(row["gt"]["text"]) for row in rows if isinstance(row["gt"], dict) and row["gt"].get("text")
    ]
    assert len(texts) > 2000
    # Judged as English whatever they are, which is more than the stage would do: foreign words can only add hits.
    values = np.array(score(texts, ["eng_Latn"] * len(texts)), np.float64)
    assert np.mean(np.nan_to_num(values) > 5000) < 0.002
