from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from lauter.pipeline.storage import Storage
from lauter.trainer.config.sections import CorpusSection, DataSection, StageSection
from lauter.trainer.data.corpus import Corpus, DataError, open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.data.verify import Verify
from tests.e2e.s3_server import s3_server
from tests.trainer.data.corpora import (
    BOS,
    EOS,
    LANGUAGES,
    PAD,
    VOCABULARY,
    publish,
    section,
    shards,
    write_corpus,
    write_shard,
)

SHARD = "tokens/main/00001.parquet"
TOKENIZER = ("sidecar.json", "tokenizer.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "demo", {"main": shards(1), "web": shards(2)})


def problems(*folders: Path, verify: Verify = "quick", **settings: Any) -> list[str]:  # noqa: ANN401 - any setting
    with pytest.raises(DataError) as caught:
        open_corpora(section(*folders, **settings), verify=verify)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def told(found: list[str], *words: str) -> None:
    """One problem only, that says all of it."""
    assert len(found) == 1, found
    for word in words:
        assert word in found[0], f"{word!r} is not in {found[0]!r}"


def test_what_a_corpus_is(folder: Path) -> None:
    corpus = open_corpora(section(folder), verify="full")
    assert list(corpus.streams) == ["main", "web"] and corpus.held_out == {}
    assert corpus.languages == LANGUAGES
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


def test_an_unfinished_build(folder: Path, tmp_path: Path) -> None:
    (folder / "tokens/index.json").unlink()
    told(problems(folder), str(folder), "no tokens/index.json", "run the build to its end")
    told(problems(tmp_path / "nowhere"), "nowhere", "no tokens/index.json")


def test_a_place_that_can_not_be_reached() -> None:
    with pytest.raises(DataError, match=r"gs://bucket/demo: can't be reached .*only local paths and s3"):
        open_corpora(DataSection(corpora=(CorpusSection(path="gs://bucket/demo"),)))


def test_a_takedown_that_was_cut_off(folder: Path) -> None:
    (folder / "corpus.json").unlink()
    told(problems(folder), "no corpus.json", "`lauter takedown` again")


def test_a_foreign_tokenizer_among_corpora(folder: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", {"main": shards(3)}, vocabulary=VOCABULARY + 1)
    digests = [json.loads((one / "tokens/index.json").read_text())["tokenizer"]["sha256"] for one in (folder, other)]
    told(problems(folder, other), "do not mix", str(other), *digests)


def test_a_foreign_tokenizer_in_a_shard(folder: Path, tmp_path: Path) -> None:
    """A shard of a corpus with the same layout but another tokenizer, which the index even lists."""
    other = write_corpus(tmp_path / "other", {"main": shards(1), "web": shards(2)}, vocabulary=VOCABULARY + 1)
    foreign = json.loads((other / "tokens/index.json").read_text())
    shutil.copy(other / SHARD, folder / SHARD)
    relist(folder, foreign["streams"]["main"]["shards"][1])
    told(problems(folder), SHARD, "foreign tokenizer", foreign["tokenizer"]["sha256"], "lauter build")


def relist(folder: Path, entry: dict[str, Any]) -> None:
    """Publish an index that lists another shard in the place of the second one."""
    storage = Storage(str(folder))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    index["streams"]["main"]["shards"][1] = {**index["streams"]["main"]["shards"][1], **entry}
    publish(storage, index, corpus["files"]["other"], {"name": corpus["name"]})


def test_a_tokenizer_that_was_changed(folder: Path) -> None:
    path = folder / "tokens/tokenizer/sidecar.json"
    path.write_text(path.read_text().replace('"id": 2', '"id": 5'))
    told(problems(folder), "tokens/tokenizer/", "its digest is", "rebuild with `lauter build`")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.json",
        "tokens/tokenizer/../../../secret.json",
        "tokens/tokenizer/deep/secret.json",
        "tokens/main/secret.json",
        "/etc/secret.json",
        "tokens/tokenizer/C:secret.json",
        "tokens/tokenizer/..\\secret.json",
        "tokens/tokenizer/",
        7,
    ],
)
def test_a_tokenizer_that_lies_elsewhere_is_not_read(folder: Path, path: str | int) -> None:
    """The index of a stranger, whose digests all fit."""
    (folder.parent / "secret.json").write_text("{}")
    storage = Storage(str(folder))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    names = {"secret.json": b"{}", **{name: (folder / "tokens/tokenizer" / name).read_bytes() for name in TOKENIZER}}
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + hashlib.sha256(names[name]).digest())
    index["tokenizer"] = {"sha256": digest.hexdigest(), "files": [*index["tokenizer"]["files"], {"path": path}]}
    publish(storage, index, corpus["files"]["other"], {"name": corpus["name"]})
    told(problems(folder), str(folder), f"lists {path!r}, which")


@pytest.mark.parametrize("path", ["../other/a.parquet", "tokens/../../a.parquet", "/a.parquet", "C:/a.parquet"])
def test_a_shard_that_lies_elsewhere_is_not_read(folder: Path, path: str) -> None:
    relist(folder, {"path": path})
    told(problems(folder), str(folder), f"lists {path!r}, which is no file under tokens/")


def test_a_wrong_root(folder: Path) -> None:
    root = json.loads((folder / "corpus.json").read_text())["root"]
    data = section(folder)
    pinned = data.model_copy(update={"corpora": (CorpusSection(path=str(folder), root=root),)})
    assert open_corpora(pinned).provenance[0]["root"] == root
    wrong = data.model_copy(update={"corpora": (CorpusSection(path=str(folder), root="0" * 64),)})
    with pytest.raises(DataError) as caught:
        open_corpora(wrong)
    told(caught.value.problems, root, "0" * 64, "another corpus")


def test_a_root_from_before_a_takedown(folder: Path) -> None:
    storage = Storage(str(folder))
    old = storage.read_json("corpus.json")
    storage.delete("corpus.json")
    publish(
        storage,
        storage.read_json("tokens/index.json"),
        old["files"]["other"],
        {"name": old["name"], "roots": [{"root": old["root"]}]},
    )
    data = DataSection(corpora=(CorpusSection(path=str(folder), root=old["root"]),))
    with pytest.raises(DataError) as caught:
        open_corpora(data)
    told(caught.value.problems, "an earlier state of this corpus", old["root"])


def test_a_corpus_json_that_was_changed(folder: Path) -> None:
    path = folder / "corpus.json"
    path.write_text(path.read_text().replace('"demo"', '"omed"'))
    told(problems(folder), "corpus.json was changed", "lauter audit")


@pytest.mark.parametrize("name", ["tokens/index.json", "manifest.lock.yaml"])
def test_a_file_that_corpus_json_does_not_list(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    told(problems(folder), name, "is not the file that corpus.json lists", "lauter audit")


@pytest.mark.parametrize("name", ["tokens/index.json", "corpus.json"])
def test_a_file_that_is_no_json(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    told(problems(folder), "can't be read", "lauter audit")


def test_a_missing_shard(folder: Path) -> None:
    (folder / SHARD).unlink()
    told(problems(folder), SHARD, "is missing", "copy it again")


def test_a_shard_of_another_size(folder: Path) -> None:
    content = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(content[:-9])
    told(problems(folder), f"has {len(content) - 9} bytes, and the index lists {len(content)}", "its footer is broken")


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table], keep: list[int]) -> None:
    """Write some row groups of a shard again."""
    file = pq.ParquetFile(path)
    groups = [change(file.read_row_group(number)) for number in keep]
    with pq.ParquetWriter(path, groups[0].schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(group)


def test_a_removed_row_group(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table, [0])
    told(problems(folder), SHARD, "with 1 of its 2 row groups", "lauter audit")


def test_a_removed_row_group_of_which_the_index_knows_the_size(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table, [0])
    relist(folder, {"size": (folder / SHARD).stat().st_size})
    found = problems(folder)
    assert any("has 1 row groups, and the index lists 2" in problem for problem in found)
    assert any("has 6 rows, and the index lists 12" in problem for problem in found)


def test_other_columns(folder: Path) -> None:
    rewrite(folder / SHARD, lambda table: table.drop_columns(["removed"]), [0, 1])
    relist(folder, {"size": (folder / SHARD).stat().st_size})
    told(problems(folder), "its columns are not a token shard's")


def test_a_shard_of_another_stream(folder: Path) -> None:
    storage = Storage(str(folder))
    metadata = pq.read_schema(folder / SHARD).metadata
    plain = {name.decode(): value.decode() for name, value in metadata.items()} | {"lauter.stream": "web"}
    relist(folder, write_shard(storage, SHARD, shards(1)[1], plain))
    told(problems(folder), "is of another corpus: lauter.stream web, not main")


def test_fewer_tokens_than_the_index_lists(folder: Path) -> None:
    relist(folder, {"tokens": 1})
    told(problems(folder), SHARD, "and the index lists 1;")


def test_changed_bytes_are_found_by_the_full_check_alone(folder: Path) -> None:
    content = bytearray((folder / SHARD).read_bytes())
    content[100] ^= 1
    (folder / SHARD).write_bytes(content)
    open_corpora(section(folder))
    told(problems(folder, verify="full"), SHARD, "its bytes were changed in row group 0", "lauter audit")
    content[100] ^= 1
    content[-40] ^= 1
    (folder / SHARD).write_bytes(content)
    told(problems(folder, verify="full"), "its bytes were changed in the footer")


def test_bytes_that_change_during_a_run(folder: Path) -> None:
    data = section(folder, sequence_length=16)
    samples = Samples(open_corpora(data), data, 1)
    for path in sorted((folder / "tokens/main").iterdir()):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DataError, match=r"row group 0 can't be read.*lauter audit"):
        samples.batch([0, 1, 2])


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
