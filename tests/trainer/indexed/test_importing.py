from __future__ import annotations

import hashlib
import json
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lauter.pipeline import schema
from lauter.pipeline.cli import USAGE, VIOLATION, app
from lauter.trainer.data.corpus import Corpus, open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.export import export_tokens
from lauter.trainer.indexed.importing import datasets_at, import_tokens
from tests.trainer.data.corpora import BOS, EOS, Document, section, shards, write_corpus
from tests.trainer.indexed.samples import FOLDER, expected
from tests.trainer.indexed.test_export import ids, opened
from tests.trainer.indexed.test_reading import put


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 160 ids, as a corpus has it."""
    corpus = write_corpus(tmp_path_factory.mktemp("tokenizer") / "corpus", {"main": [[[Document([BOS, EOS])]]]})
    return corpus / "tokens" / "tokenizer"


def rows(folder: Path) -> list[dict[str, object]]:
    """All rows of the stream `main`, in order."""
    found: list[dict[str, object]] = []
    for path in sorted((folder / "tokens" / "main").iterdir()):
        found += pq.read_table(path).to_pylist()
    return found


def trainable(folder: Path) -> Corpus:
    return open_corpora(section(folder), verify="full")


def test_what_was_exported_is_trained_on_after_import_token_for_token(tmp_path: Path) -> None:
    stream = shards(7, shards=3, groups=2, rows=9)
    corpus = write_corpus(tmp_path / "corpus", {"main": stream})
    export_tokens(opened(corpus), tmp_path / "data", per_shard=True)
    prefixes = datasets_at(tmp_path / "data")
    assert [prefix.name for prefix in prefixes] == ["data-00000", "data-00001", "data-00002"]
    done = import_tokens(prefixes, tmp_path / "back", corpus / "tokens" / "tokenizer", tokens_per_row_group=90)
    assert (done.documents, done.empty, done.without_bos, done.without_eos) == (54, 0, 0, 0)
    found = trainable(tmp_path / "back")
    data = section(tmp_path / "back", sequence_length=32)
    count = found.streams["main"].tokens // 32
    assert done.tokens == found.streams["main"].tokens
    batch = Samples(found, data, 1).batch(range(count))
    assert batch.tokens.tolist() == [*chain.from_iterable(ids(stream))][: count * 32]
    told = found.provenance[0]
    assert (told["root"], told["ledger_root"], told["optout"]) == (done.root, "0" * 64, None)
    # And out again, to the byte.
    export_tokens(opened(corpus), tmp_path / "one")
    export_tokens(opened(tmp_path / "back"), tmp_path / "two")
    for end in (".bin", ".idx"):
        assert (tmp_path / f"one{end}").read_bytes() == (tmp_path / f"two{end}").read_bytes()


@pytest.mark.parametrize("name", ["tiny_int32", "tiny_uint16", "empty_doc_int32", "single_uint16"])
def test_megatrons_own_files_become_rows_of_shards(name: str, tokenizer: Path, tmp_path: Path) -> None:
    documents = expected(name)
    done = import_tokens([FOLDER / name], tmp_path / "out", tokenizer, language="deu_Latn")
    found = rows(tmp_path / "out")
    assert [row["tokens"] for row in found] == [document for document in documents if document]
    assert {(row["source"], row["language"], row["copies"], row["removed"]) for row in found} == {
        (name, "deu_Latn", 1, False)
    }
    assert (done.empty, done.without_eos) == (sum(not document for document in documents), len(found))
    assert trainable(tmp_path / "out").languages == ("deu_Latn",)


def test_shards_and_row_groups_are_cut_by_tokens_and_whole_documents(tokenizer: Path, tmp_path: Path) -> None:
    sequences = [[BOS, *[11] * (number % 7), EOS] for number in range(100)]
    put(tmp_path / "data", sequences, list(range(101)))
    done = import_tokens(
        [tmp_path / "data"], tmp_path / "out", tokenizer, tokens_per_shard=120, tokens_per_row_group=50
    )
    paths = sorted((tmp_path / "out" / "tokens" / "main").iterdir())
    assert done.shards == len(paths) == 4
    groups = [
        [pq.ParquetFile(path).read_row_group(g) for g in range(pq.read_metadata(path).num_row_groups)] for path in paths
    ]
    sizes = [[sum(group.column("length").to_pylist()) for group in some] for some in groups]
    assert all(50 <= size < 50 + 8 for size in [*chain(*sizes)][:-1])
    assert [len(some) for some in sizes] == [3, 3, 3, len(sizes[3])]
    assert [row["tokens"] for row in rows(tmp_path / "out")] == sequences
    assert len({row["doc_id"] for row in rows(tmp_path / "out")}) == 100
    assert pq.read_schema(paths[0]).equals(schema.TOKENS)
    trainable(tmp_path / "out")


def test_equal_files_make_equal_corpora(tokenizer: Path, tmp_path: Path) -> None:
    put(tmp_path / "data", [[BOS, 12, EOS]] * 9, [0, 3, 3, 9])
    for name in ("a", "b"):
        import_tokens([tmp_path / "data"], tmp_path / name / "corpus", tokenizer, tokens_per_row_group=4)
    files = {
        name: {
            str(path.relative_to(tmp_path / name)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    }
    assert files["a"] == files["b"] and "corpus/corpus.json" in files["a"]


def test_a_stream_is_called_as_a_build_calls_them(tokenizer: Path, tmp_path: Path) -> None:
    put(tmp_path / "data", [[BOS, 12, EOS]] * 9, [0, 3, 3, 9])
    import_tokens([tmp_path / "data"], tmp_path / "out", tokenizer, stream="Web.deu_Latn.copies-5")
    assert list(trainable(tmp_path / "out").streams) == ["Web.deu_Latn.copies-5"]


def test_a_path_means_one_dataset_or_all_that_begin_with_it(tmp_path: Path) -> None:
    for name in ("a", "b-00001", "b-00000", "ba-1"):
        put(tmp_path / name, [[1]], [0, 1])
    assert datasets_at(tmp_path / "a") == datasets_at(tmp_path / "a.idx") == [tmp_path / "a"]
    assert datasets_at(tmp_path / "a.bin") == [tmp_path / "a"]
    assert datasets_at(tmp_path / "b") == [tmp_path / "b-00000", tmp_path / "b-00001"]
    assert datasets_at(tmp_path) == datasets_at(tmp_path / "none") == []
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    assert datasets_at(tmp_path / "b") == []
    assert datasets_at(tmp_path / "a") == [tmp_path / "a"]
    (tmp_path / "a.idx").unlink()
    assert datasets_at(tmp_path / "a") == [tmp_path / "a"]  # What is missing is said when it is opened.


def test_what_can_not_be_imported_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    put(tmp_path / "data", [[BOS, 159, EOS], [BOS, 160, EOS]], [0, 1, 2])
    put(tmp_path / "empty", [[], []], [0, 1, 2])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for prefix, out, folder, stream, said in (
        ("data", "new", tokenizer, "main", "document 1 has id 160, and the tokenizer has 160: name the tokenizer"),
        ("data", "full", tokenizer, "main", "full is not empty; name a new folder"),
        ("data", "new", tmp_path, "main", "has no sidecar.json and no tokenizer.json: name the tokens/tokenizer"),
        ("data", "new", tokenizer, "../x", "'../x' is no name of a stream"),
        ("data", "new", tokenizer, "tokenizer", "'tokenizer' is no name of a stream"),
        ("data", "new", tokenizer, "index.json", "'index.json' is no name of a stream"),
        ("data", "new", tokenizer, "web..deu_Latn", "'web..deu_Latn' is no name of a stream"),
        ("empty", "new", tokenizer, "main", "no document holds a token"),
        ("none", "new", tokenizer, "main", "none.idx is missing"),
    ):
        with pytest.raises(TokenDataError, match=said.replace("(", r"\(")):
            import_tokens([tmp_path / prefix], tmp_path / out, folder, stream=stream)
        assert not (tmp_path / "new").exists()


def test_two_datasets_of_one_name_are_refused(tokenizer: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put(tmp_path / name / "data", [[BOS, EOS]], [0, 1])
    with pytest.raises(TokenDataError, match="two datasets have one name"):
        import_tokens([tmp_path / "a" / "data", tmp_path / "b" / "data"], tmp_path / "new", tokenizer)
    assert not (tmp_path / "new").exists()


def test_the_command_tells_token_data_from_a_model(tokenizer: Path, tmp_path: Path) -> None:
    put(tmp_path / "data", [[BOS, 12, EOS], [], [13]], [0, 1, 2, 3])
    (tmp_path / "urls").write_text("https://x.example/\n")
    run, out = CliRunner().invoke, str(tmp_path / "out")
    done = run(app, ["import", "megatron", str(tmp_path / "data"), "--out", out, "--tokenizer", str(tokenizer)])
    said = " ".join(done.output.split())
    assert done.exit_code == 0, done.output
    assert "2 documents, 1 without a token left out, 4 tokens, 1 shard: a corpus without a ledger" in said
    assert "note: documents that do not begin with the tokenizer's BOS: 1" in said
    other = ["--out", str(tmp_path / "other"), "--tokenizer", str(tokenizer), "--json"]
    told = json.loads(run(app, ["import", "megatron", str(tmp_path / "data"), *other]).stdout)
    assert (told["documents"], told["empty"], told["tokens"], told["without_bos"]) == (2, 1, 4, 1)
    described = " ".join(run(app, ["import", "megatron", "--help"]).output.split())
    assert "documents without a token are left out" in described and "int32 above" in described
    for arguments, code, told in (
        (["import", "megatron", str(tmp_path / "data"), "--out", out], USAGE, "name --tokenizer FOLDER"),
        (["import", "megatron", str(tmp_path / "x"), "--out", out, "--stream", "y"], USAGE, "no PREFIX.idx is there"),
        (["audit", out], VIOLATION, "its tokens were imported, so it has no ledger"),
        (["explain", out, "https://x.example/"], USAGE, "its tokens were imported"),
        (["takedown", out, "--urls", str(tmp_path / "urls")], USAGE, "its tokens were imported"),
    ):
        done = run(app, arguments)
        assert told in " ".join(done.output.split()), done.output
        assert done.exit_code == code, done.output


def test_shards_are_read_by_datasets(tmp_path: Path) -> None:
    from datasets import load_dataset

    stream = shards(11)
    corpus = write_corpus(tmp_path / "corpus", {"main": stream})
    files = str(corpus / "tokens" / "main" / "*.parquet")
    table = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert table["tokens"][:] == ids(stream)
    assert table.column_names == schema.TOKENS.names
    streamed = load_dataset("parquet", data_files=files, split="train", streaming=True, columns=["tokens"])
    assert [row["tokens"] for row in streamed] == ids(stream)
