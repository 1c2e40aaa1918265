"""Corpora as a whole: their streams, what they share, and what must fit together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pyarrow import fs

from lauter.pipeline.mixture import MixtureSection
from lauter.trainer.config.sections import CorpusSection, DataSection, StageSection
from lauter.trainer.data.corpus import Corpus, DataError, open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.data.verify import Share
from tests.e2e.s3_server import s3_server
from tests.trainer.data.corpora import (
    BOS,
    EOS,
    LANGUAGES,
    PAD,
    VOCABULARY,
    section,
    shards,
    write_corpus,
)
from tests.trainer.data.opening import SHARD, problems, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "demo", {"main": shards(1), "web": shards(2)})


def test_what_a_corpus_is(folder: Path) -> None:
    corpus = open_corpora(section(folder), verify="full")
    assert list(corpus.streams) == ["main", "web"] and corpus.held_out == {}
    assert corpus.languages == LANGUAGES
    assert corpus.language_tokens == dict(zip(LANGUAGES, (10, 20, 30), strict=True))
    tokenizer = corpus.tokenizer
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad, tokenizer.ids) == (BOS, EOS, PAD, VOCABULARY)
    assert sorted(tokenizer.files) == ["sidecar.json", "tokenizer.json"]
    assert (tokenizer.folder / "sidecar.json").read_bytes() == tokenizer.files["sidecar.json"]
    (source,) = corpus.provenance
    stored = json.loads((folder / "corpus.json").read_text())
    assert {key: source[key] for key in ("root", "ledger_root", "lineage", "layout_id", "takedown")} == {
        key: stored[key] for key in ("root", "ledger_root", "lineage", "layout_id", "takedown")
    }
    assert source["optout"] == {"version": 4, "settings": {"policy": "default"}, "inputs": [], "data": "d"}
    assert source["tokens"] == {name: stream.tokens for name, stream in corpus.streams.items()}
    assert json.loads(json.dumps(corpus.provenance)) == corpus.provenance


def test_streams_of_several_corpora_have_their_names(folder: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", {"main": shards(3)}, layout_id="second")
    data = section(folder, other)
    assert sorted(open_corpora(data).streams) == ["demo/main", "demo/web", "other/main"]
    assert open_corpora(data).language_tokens == dict(zip(LANGUAGES, (20, 40, 60), strict=True))
    named = data.model_copy(update={"corpora": (data.corpora[0], CorpusSection(path=str(other), name="books"))})
    assert sorted(open_corpora(named).streams) == ["books/main", "demo/main", "demo/web"]
    alone = Samples(open_corpora(section(other, sequence_length=16)), section(other, sequence_length=16), 3)
    mixed = data.model_copy(
        update={"sequence_length": 16, "stages": (StageSection(name="s", streams={"other/main": 1}),)}
    )
    both = Samples(open_corpora(mixed), mixed, 3)
    far = range(200, 204)
    assert both.batch(far).tokens.tolist() == alone.batch(far).tokens.tolist(), "the name here moves no document"


def test_two_corpora_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copytree(folder, tmp_path / "b" / "demo")
    told(problems(folder, tmp_path / "b" / "demo"), "2 corpora are called 'demo'", "`name`")


def test_a_place_that_can_not_be_reached() -> None:
    with pytest.raises(DataError, match=r"gs://bucket/demo: can't be reached .*only local paths and s3"):
        open_corpora(DataSection(corpora=(CorpusSection(path="gs://bucket/demo"),)))


def test_a_foreign_tokenizer_among_corpora(folder: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", {"main": shards(3)}, vocabulary=VOCABULARY + 1)
    digests = [json.loads((one / "tokens/index.json").read_text())["tokenizer"]["sha256"] for one in (folder, other)]
    told(problems(folder, other), "do not mix", str(other), *digests)


def test_unknown_streams_are_told_with_the_nearest(folder: Path) -> None:
    stages = (
        StageSection(name="one", tokens=1, streams={"mian": 1, "web": 1}),
        StageSection(name="two", streams={"zzz": 1}),
    )
    found = problems(folder, stages=stages)
    assert found == [
        "data.stages: stage 'one': no stream 'mian'; did you mean 'main'?",
        "data.stages: stage 'two': no stream 'zzz'; valid are: main, web",
    ]


def test_too_few_tokens_for_a_sample(folder: Path) -> None:
    data = section(folder, sequence_length=100_000)
    with pytest.raises(DataError, match=r"stream 'main' has .* too few for one sample of data.sequence_length 100000"):
        Samples(open_corpora(data), data, 1)


def test_holding_out_everything(folder: Path) -> None:
    found = problems(folder, hold_out_shards=3)
    assert len(found) == 2 and all("hold_out_shards 3 leaves nothing to train on" in problem for problem in found)
    stages = (StageSection(name="one", streams={"web": 1}),)
    assert len(problems(folder, hold_out_shards=3, stages=stages)) == 1
    section_of_one = MixtureSection.model_validate({"mixture": "m", "components": [{"name": "a", "streams": ["w*"]}]})
    (found_one,) = problems(folder, hold_out_shards=3, stages=(StageSection(name="one", mixture=section_of_one),))
    assert "stream 'web'" in found_one
    assert open_corpora(section(folder, hold_out_shards=2)).held_out["main"].tokens > 0


def test_all_problems_are_told_at_once(folder: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", {"main": shards(3)}, vocabulary=VOCABULARY + 1)
    (folder / SHARD).unlink()
    shutil.copy(other / SHARD, folder / "tokens/web/00000.parquet")
    found = problems(folder, other, tmp_path / "nowhere", hold_out_shards=9)
    assert len(found) == 7, found


def test_no_corpus_at_all() -> None:
    with pytest.raises(DataError, match=r"name one under data.corpora"):
        open_corpora(DataSection())


def test_ranks_read_every_byte_between_them(folder: Path) -> None:
    path = folder / SHARD
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    def found_by(rank: int, ranks: int) -> bool:
        try:
            open_corpora(section(folder), verify="full", share=Share(rank, ranks))
        except DataError as error:
            return "its bytes were changed" in str(error)
        return False

    assert [sum(found_by(rank, ranks) for rank in range(ranks)) for ranks in (1, 2, 3)] == [1, 1, 1]


def test_corpora_on_s3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str) -> tuple[Corpus, list[int]]:
        data = DataSection(corpora=(CorpusSection(path=path),), sequence_length=16, hold_out_shards=1)
        corpus = open_corpora(data, verify="full")
        return corpus, Samples(corpus, data, 1).batch(range(50)).tokens.tolist()

    with s3_server() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        system = fs.S3FileSystem(
            endpoint_override=f"127.0.0.1:{running.port}", scheme="http", allow_bucket_creation=True
        )
        system.create_dir("bucket")
        fs.copy_files(str(folder), "bucket/demo", destination_filesystem=system)
        corpus, tokens = read("s3://bucket/demo")
        local, expected = read(str(folder))
        assert tokens == expected and corpus.provenance == local.provenance
        system.delete_file(f"bucket/demo/{SHARD}")
        with pytest.raises(DataError, match=r"s3://bucket/demo/tokens/main/00001.parquet: the shard is missing"):
            read("s3://bucket/demo")


def test_a_corpus_of_nothing(tmp_path: Path) -> None:
    assert problems(write_corpus(tmp_path, {})) == [
        "the corpora have no stream: nothing was kept; `lauter report DIR` says why"
    ]
    told(problems(write_corpus(tmp_path / "empty", {"main": [[]]})), "stream 'main' has 1 shards", "leaves nothing")
