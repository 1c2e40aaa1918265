"""The stage: scores against heads on vectors made one by one, and decisions from scores alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from lauter.pipeline.contract import Placement, StageContext
from lauter.pipeline.steps.survey import summed
from lauter.stages.embedding.config import EmbeddingConfig
from lauter.stages.embedding.encoder import embed, load
from lauter.stages.embedding.head import Head, save
from lauter.stages.embedding.stage import Embedding
from lauter.stages.encoders.chunks import Chunker
from lauter.stages.log_odds import probability, score_at, scores_of
from tests.stages.embedding.encoders import make_head, parameters
from tests.stages.encoders.small_tokenizer import TEXTS

LONG = " ".join(TEXTS * 40)
QUALITY, TOXIC = ("deu_Latn", "fra_Latn"), ("deu_Latn", "eng_Latn")


@pytest.fixture(scope="module")
def heads(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Head]]:
    path = tmp_path_factory.mktemp("heads")
    return {
        "quality": (str(path / "q"), make_head(path / "q", folder, QUALITY)),
        "toxic": (str(path / "t"), make_head(path / "t", folder, TOXIC, chunks="highest", outputs=2, seed=1)),
    }


def config_of(folder: Path, heads: dict[str, tuple[str, Head]], **values: object) -> EmbeddingConfig:
    files = {name: [path] for name, (path, _) in heads.items()}
    return EmbeddingConfig.model_validate(parameters(folder, files) | values)


def opened(folder: Path, heads: dict[str, tuple[str, Head]], **values: object) -> Embedding:
    stage = Embedding(config_of(folder, heads, **values), StageContext())
    stage.open()
    return stage


def scores(stage: Embedding, texts: list[str | None], languages: list[str | None]) -> list[list[int | None]]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.string())})
    verdict = stage.apply(batch)
    assert not verdict.reason.any()
    found: list[list[int | None]] = verdict.columns["embedding_scores"].to_pylist()
    return found


def test_scores_equal_heads_on_each_documents_vectors(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    texts = [*TEXTS, LONG, ""]
    languages = ["deu_Latn", "fra_Latn", "eng_Latn", None, "deu_Latn", "rus_Cyrl"]
    model = load(str(folder / "model.safetensors"), str(folder / "config.json"), "cpu", "float32", 1)
    chunker = Chunker(str(folder / "tokenizer.json"), 512)
    wanted = []
    for text, language in zip(texts, languages, strict=True):
        vectors = np.concatenate([embed(model, [chunk], 512, 1) for chunk in chunker.chunks(text, 64)])
        quality, toxic = (heads[name][1].log_odds(vectors) for name in ("quality", "toxic"))
        wanted.append([
            int(scores_of(quality[:1])[0]) if language in QUALITY else None,
            int(scores_of(toxic.max(keepdims=True))[0]) if language in TOXIC else None,
        ])  # fmt: skip
    assert len(chunker.chunks(LONG, 64)) > 2
    assert scores(opened(folder, heads), [*texts], [*languages]) == wanted
    assert len({value for row in wanted for value in row}) > 5


def test_scores_do_not_depend_on_the_batch(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    stage = opened(folder, heads)
    texts: list[str | None] = [*TEXTS, LONG, "", None, TEXTS[0] * 20]
    languages: list[str | None] = ["deu_Latn"] * len(texts)
    together = scores(stage, texts, languages)
    assert together == [row for text in texts for row in scores(stage, [text], ["deu_Latn"])]
    assert scores(stage, texts[::-1], languages)[::-1] == together


def test_a_batch_without_a_known_language_is_not_embedded(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    assert scores(opened(folder, heads), ["a", "b"], ["rus_Cyrl", None]) == [[None, None]] * 2


def test_prepare_writes_what_the_heads_are(folder: Path, heads: dict[str, tuple[str, Head]], tmp_path: Path) -> None:
    counts = Embedding(config_of(folder, heads), StageContext()).prepare(str(tmp_path))
    assert sorted(counts) == ["quality: deu_Latn", "quality: fra_Latn", "toxic: deu_Latn", "toxic: eng_Latn"]
    told = json.loads((tmp_path / "heads.json").read_text())
    assert told["toxic"]["eng_Latn"]["chunks"] == "highest"


def test_heads_of_another_encoder_are_refused(folder: Path, heads: dict[str, tuple[str, Head]], tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes() + b"\n")
    stage = Embedding(config_of(folder, heads, tokenizer=str(tmp_path / "tokenizer.json")), StageContext())
    with pytest.raises(ValueError, match="was trained on another encoder"):
        stage.prepare(str(tmp_path))


def test_two_heads_for_one_language_are_refused(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    path = heads["quality"][0]
    config = EmbeddingConfig.model_validate(parameters(folder, {"quality": [path, path]}))
    with pytest.raises(ValueError, match="know deu_Latn, fra_Latn"):
        Embedding.check_config(config)


def test_the_order_of_heads_in_the_manifest_has_no_say(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    # It is no part of a task's key: decisions in another order would take one head's scores for another's.
    turned = dict(reversed(heads.items()))
    texts: list[str | None] = [*TEXTS]
    assert scores(opened(folder, turned), texts, ["deu_Latn"] * 4) == scores(
        opened(folder, heads), texts, ["deu_Latn"] * 4
    )
    batch = column([("deu_Latn", 0.1, 0.1)])
    assert decided(folder, turned, batch, {"quality": {"min_score": 0.5}, "toxic": {"max_score": 0.5}})[0][0] == 1


def test_a_head_has_the_same_score_whatever_heads_stand_beside_it(
    folder: Path, heads: dict[str, tuple[str, Head]]
) -> None:
    # With the other head the document is read in windows, the first of which is blank.
    texts: list[str | None] = [" " * 9000 + LONG, LONG]
    both = scores(opened(folder, heads, max_chunks=2), texts, ["deu_Latn"] * 2)
    alone = scores(opened(folder, {"quality": heads["quality"]}, max_chunks=2), texts, ["deu_Latn"] * 2)
    assert [row[0] for row in both] == [row[0] for row in alone]


def test_files_that_do_not_fit_each_other_do_not_open(
    folder: Path, heads: dict[str, tuple[str, Head]], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    head = heads["quality"][1]
    wide = {**head.weights, "hidden.weight": np.zeros((16, 8), np.float32)}
    save(replace(head, weights=wide), tmp_path / "wide")
    with pytest.raises(ValueError, match=r"takes vectors of width 8, and .* gives 32"):
        opened(folder, {"quality": (str(tmp_path / "wide"), head)})
    config = (folder / "config.json").read_text().replace(": 514", ": 258")
    (tmp_path / "config.json").write_text(config)
    state = load_file(folder / "model.safetensors")
    name = "embeddings.position_embeddings.weight"
    save_file({**state, name: state[name][:258].clone()}, tmp_path / "short.safetensors")
    files = {"weights": str(tmp_path / "short.safetensors"), "encoder_config": str(tmp_path / "config.json")}
    with pytest.raises(ValueError, match="takes no chunk of 512 tokens; set `chunk_tokens` lower"):
        opened(folder, heads, **files)
    opened(folder, heads, **files, chunk_tokens=256)


def test_limits_for_a_language_that_no_file_judges_are_refused(
    folder: Path, heads: dict[str, tuple[str, Head]]
) -> None:
    config = config_of(folder, heads, decisions={"quality": {"languages": {"deu": {"keep_best": 0.1}}}})
    with pytest.raises(ValueError, match=r"limits of 'quality' for deu, .* they judge deu_Latn, fra_Latn"):
        Embedding.check_config(config)


def test_parameters_that_cannot_be(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    with pytest.raises(ValidationError, match="names beauty"):
        config_of(folder, heads, decisions={"beauty": {"keep_best": 0.1}})
    with pytest.raises(ValidationError, match="need `encoder_config`"):
        config_of(folder, heads, encoder_config=None)


def test_where_it_runs(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    assert Embedding.placement(config_of(folder, heads)) is None
    assert Embedding.placement(config_of(folder, heads, device="cuda", threads=2)) == Placement(2.0, 1.0)
    assert Embedding.placement(config_of(folder, heads, placement={"cpus": 4.0})) == Placement(4.0, 0.0)


def column(rows: list[tuple[str | None, float | None, float | None]]) -> pa.RecordBatch:
    """Scores of documents: language, and probabilities of quality and of being toxic."""
    values = [[None if p is None else score_at(p) for p in row[1:]] for row in rows]
    return pa.record_batch({
        "language": pa.array([row[0] for row in rows], pa.string()),
        "embedding_scores": pa.array(values, Embedding.scores.field("embedding_scores").type),
    })  # fmt: skip


def decided(
    folder: Path, heads: dict[str, tuple[str, Head]], batch: pa.RecordBatch, decisions: dict[str, Any]
) -> list[tuple[int, str | None, str | None, str | None]]:
    stage = Embedding(config_of(folder, heads, decisions=decisions), StageContext())
    if Embedding.surveys(stage._config):
        parts = [batch.slice(0, 3), batch.slice(3)]
        counts = ((found, np.ones(len(found), np.uint64)) for found in map(stage.occurrences, parts))
        stage.surveyed(*summed(counts))
    verdict = stage.decide(batch)
    assert verdict.rule is not None
    rules = [rule or {"agent": None, "signal": None, "text": None} for rule in verdict.rule.to_pylist()]
    return [
        (int(reason), rule["agent"], rule["signal"], rule["text"])
        for reason, rule in zip(verdict.reason, rules, strict=True)
    ]


ROWS = [("deu_Latn", (index + 1) / 20, (20 - index) / 21) for index in range(10)]


def test_the_best_share_of_each_language_is_kept(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    few = [("fra_Latn", 0.01, None), ("fra_Latn", None, None), ("rus_Cyrl", None, None)]
    found = decided(folder, heads, column([*ROWS, *few]), {"quality": {"keep_best": 0.3, "min_documents": 10}})
    assert [reason for reason, *_ in found] == [1] * 7 + [0] * 3 + [0, 0, 0]
    assert found[0] == (1, "quality", "keep_best", "0.0500 < 0.4000")
    assert probability(score_at(0.4)) == pytest.approx(0.4, abs=3e-4)


def test_the_lowest_share_is_kept_and_languages_have_their_own_limits(
    folder: Path, heads: dict[str, tuple[str, Head]]
) -> None:
    other = [("eng_Latn", None, 0.2), ("eng_Latn", None, 0.9)]
    limits = {"keep_lowest": 0.8, "min_documents": 2, "languages": {"eng_Latn": {"keep_lowest": 1.0, "max_score": 0.5}}}
    found = decided(folder, heads, column([*ROWS, *other]), {"toxic": limits})
    assert [reason for reason, *_ in found] == [2, 2] + [0] * 8 + [0, 2]
    assert [signal for _, _, signal, _ in found if signal] == ["keep_lowest", "keep_lowest", "max_score"]


def test_absolute_limits_and_the_first_head_that_objects(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    batch = column([("deu_Latn", 0.1, 0.9), ("deu_Latn", 0.9, 0.9), ("deu_Latn", 0.9, None), (None, None, None)])
    found = decided(folder, heads, batch, {"toxic": {"max_score": 0.5}, "quality": {"min_score": 0.5}})
    assert [(reason, agent) for reason, agent, *_ in found] == [(1, "quality"), (2, "toxic"), (0, None), (0, None)]


def test_scores_that_are_lacking_decide_nothing(folder: Path, heads: dict[str, tuple[str, Head]]) -> None:
    kind = Embedding.scores.field("embedding_scores").type
    batch = pa.record_batch({"language": pa.array(["deu_Latn"]), "embedding_scores": pa.nulls(1, kind)})
    decisions = {"quality": {"min_score": 0.5, "keep_best": 0.1, "min_documents": 1}}
    assert decided(folder, heads, batch, decisions) == [(0, None, None, None)]
