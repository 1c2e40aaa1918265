from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import FAILED, USAGE, app
from lauter.trainer.config.sections import CorpusSection
from lauter.trainer.data.run_folder import RunFolder, open_run_folder
from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.export import export_tokens
from tests.trainer.data.corpora import Document, Shards, shards, write_corpus
from tests.trainer.indexed.samples import plainly_read


def opened(folder: Path) -> RunFolder:
    return open_run_folder(CorpusSection(path=str(folder)))


def ids(stream: Shards, *, removed: bool = False) -> list[list[int]]:
    documents = [document for shard in stream for group in shard for document in group]
    return [document.tokens for document in documents if removed or not document.removed]


def with_removed(stream: Shards) -> Shards:
    """Every third document is padding, and a whole row group."""
    documents = [document for shard in stream for group in shard for document in group]
    for number, document in enumerate(documents):
        if number % 3 == 0 or document in stream[1][0]:
            document.tokens, document.removed = [3] * len(document.tokens), True
    return stream


def test_documents_come_in_stored_order_and_those_taken_down_do_not_come(tmp_path: Path) -> None:
    stream = with_removed(shards(5))
    corpus = write_corpus(tmp_path / "corpus", {"main": stream})
    (dataset,) = export_tokens(opened(corpus), tmp_path / "new" / "data")
    assert plainly_read(tmp_path / "new" / "data") == ids(stream)
    assert (tmp_path / "new" / "data.idx").read_bytes()[17] == 8
    counts = (dataset.documents, dataset.tokens, dataset.removed_documents, dataset.removed_tokens)
    every = ids(stream, removed=True)
    gone = len(every) - len(ids(stream))
    assert gone > 12
    tokens = len([*chain.from_iterable(ids(stream))])
    assert counts == (len(ids(stream)), tokens, gone, len([*chain.from_iterable(every)]) - tokens)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["data.bin", "data.idx", "data.json"]
    said = json.loads((tmp_path / "new" / "data.json").read_bytes())
    found = json.loads((corpus / "corpus.json").read_bytes())
    assert said["corpus"]["root"] == found["root"] and said["dtype"] == "uint16"
    assert said["tokenizer"]["sha256"] == opened(corpus).tokenizer.digest
    assert (said["documents"], said["tokens"]) == counts[:2]
    for file in said["datasets"][0]["files"]:
        data = (tmp_path / "new" / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_dialogues_are_refused_and_pages_beside_them_are_not(tmp_path: Path) -> None:
    talk = [[[Document([1, 5, 6, 2], loss_spans=[2, 3])]]]
    pages = [[[Document([1, 7, 8, 2]), Document([1, 3, 2], removed=True)]]]
    corpus = write_corpus(tmp_path / "corpus", {"talk": talk, "pages": pages})
    with pytest.raises(TokenDataError, match="holds dialogues"):
        export_tokens(opened(corpus), tmp_path / "data", stream="talk")
    assert not list(tmp_path.glob("data*"))
    export_tokens(opened(corpus), tmp_path / "data", stream="pages")
    assert plainly_read(tmp_path / "data") == [[1, 7, 8, 2]]


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path) -> None:
    document = Document([1, 65_535, 65_536, 69_999, 2])
    corpus = write_corpus(tmp_path / "corpus", {"main": [[[document]]]}, vocabulary=70_000)
    export_tokens(opened(corpus), tmp_path / "data")
    assert (tmp_path / "data.idx").read_bytes()[17] == 4
    assert np.fromfile(tmp_path / "data.bin", "<i4").tolist() == document.tokens == plainly_read(tmp_path / "data")[0]
    export_tokens(opened(corpus), tmp_path / "flat", form="nanotron")
    assert np.fromfile(tmp_path / "flat.ds", "<u4").tolist() == document.tokens


def test_streams_and_shards_are_datasets_of_their_own(tmp_path: Path) -> None:
    streams = {"web.deu": shards(1), "books": shards(2, shards=1)}
    corpus = opened(write_corpus(tmp_path / "corpus", streams))
    datasets = export_tokens(corpus, tmp_path / "all")
    assert [dataset.name for dataset in datasets] == ["all-books", "all-web.deu"]
    for name, stream in streams.items():
        assert plainly_read(tmp_path / f"all-{name}") == ids(stream)
    export_tokens(corpus, tmp_path / "one", stream="books")
    assert plainly_read(tmp_path / "one") == ids(streams["books"])
    names = [dataset.name for dataset in export_tokens(corpus, tmp_path / "each", stream="web.deu", per_shard=True)]
    assert names == ["each-00000", "each-00001", "each-00002"]
    assert [*chain(*(plainly_read(tmp_path / name) for name in names))] == ids(streams["web.deu"])


def test_a_flat_export_has_the_same_documents(tmp_path: Path) -> None:
    stream = with_removed(shards(9))
    corpus = opened(write_corpus(tmp_path / "corpus", {"main": stream}))
    (dataset,) = export_tokens(corpus, tmp_path / "data", form="nanotron")
    assert [file.path for file in dataset.files] == ["data.ds", "data.ds.index", "data.ds.metadata"]
    ends = np.fromfile(tmp_path / "data.ds.index", "<u8").astype(np.int64)
    tokens = np.fromfile(tmp_path / "data.ds", "<u2")
    assert [part.tolist() for part in np.split(tokens, ends[:-1])] == ids(stream)
    assert (tmp_path / "data.ds.metadata").read_text().split("\n")[:2] == [
        f"{corpus.tokenizer.digest}|2",
        str(dataset.tokens),
    ]


def test_nothing_is_overwritten_and_a_strange_stream_is_told(tmp_path: Path) -> None:
    corpus = opened(write_corpus(tmp_path / "corpus", {"main": shards(1)}))
    (tmp_path / "data.idx").touch()
    with pytest.raises(TokenDataError, match=r"data\.idx is there already; delete it, or name another --out"):
        export_tokens(corpus, tmp_path / "data")
    (tmp_path / "note.json").touch()
    with pytest.raises(TokenDataError, match=r"note\.json is there already"):
        export_tokens(corpus, tmp_path / "note")
    (tmp_path / "note.json").unlink()
    with pytest.raises(TokenDataError, match=r"no stream 'mian'.*main"):
        export_tokens(corpus, tmp_path / "new", stream="mian")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "data.idx"]


def test_the_command_writes_it_and_says_what_is_wrong(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", {"main": with_removed(shards(3))})
    run = CliRunner().invoke
    done = run(app, ["export", "megatron", str(corpus), "--out", str(tmp_path / "x" / "data")])
    assert done.exit_code == 0, done.output
    assert "that were taken down are left out" in " ".join(done.output.split())
    done = run(app, ["export", "megatron", str(corpus), "--out", str(tmp_path / "y"), "--format", "nanotron", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["datasets"]["y"]["stream"] == "main"
    broken = write_corpus(tmp_path / "broken", {"main": shards(3)})
    shard = broken / "tokens/main/00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-40])
    (tmp_path / "file").touch()
    for arguments, code, said in (
        ([str(tmp_path / "none"), "--out", str(tmp_path / "z")], USAGE, "no tokens/index.json"),
        ([str(corpus), "--out", str(tmp_path / "y"), "--format", "nanotron"], USAGE, "y.ds is there already"),
        ([str(corpus), "--out", "s3://bucket/data"], USAGE, "files are written to a local disk"),
        ([str(corpus), "--out", str(tmp_path / "z"), "--stream", "x"], USAGE, "has no stream 'x'"),
        ([str(broken), "--out", str(tmp_path / "z")], FAILED, "00001.parquet: has "),
        ([str(corpus), "--out", str(tmp_path / "file" / "z")], FAILED, "can't be written"),
    ):
        done = run(app, ["export", "megatron", *arguments])
        assert done.exit_code == code, done.output
        assert said in " ".join(done.output.split()), done.output
    assert not list(tmp_path.glob("z*"))


_WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from lauter.pipeline.cli import app
app(["export", "megatron", *sys.argv[1:]])
"""

_WATCHED = """
import sys
from pathlib import Path
from lauter.trainer.config.sections import CorpusSection
from lauter.trainer.data.run_folder import open_run_folder
from lauter.trainer.indexed.export import export_tokens

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

corpus = open_run_folder(CorpusSection(path=sys.argv[1]))
export_tokens(corpus, Path(sys.argv[2]), stream="small")
before = peak()
export_tokens(corpus, Path(sys.argv[3]), stream="large")
print(peak() - before)
"""


def test_tokens_are_exported_without_torch(tmp_path: Path) -> None:
    stream = shards(4)
    corpus = write_corpus(tmp_path / "corpus", {"main": stream})
    command = [sys.executable, "-c", _WITHOUT_TORCH, str(corpus), "--out", str(tmp_path / "data")]
    subprocess.run(command, check=True, capture_output=True)
    assert plainly_read(tmp_path / "data") == ids(stream)


def test_memory_does_not_grow_with_the_stream(tmp_path: Path) -> None:
    """64 row groups of 0.5 MB take what one takes, and some MB for the rest."""
    generator = random.Random(1)
    document = Document([1, *(generator.randrange(10, 160) for _ in range(4_000)), 2])
    group = [document] * 32
    corpus = write_corpus(tmp_path / "corpus", {"small": [[group]], "large": [[group] * 32] * 2})
    command = [sys.executable, "-c", _WATCHED, str(corpus), str(tmp_path / "a"), str(tmp_path / "b")]
    grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (tmp_path / "b.bin").stat().st_size == 2 * 4_002 * 32 * 64
    assert grown < 12


_MEGATRON_CORE = """
import json, sys
from megatron.core.datasets.indexed_dataset import IndexedDataset
found = IndexedDataset(sys.argv[1], multimodal=False, mmap=True)
assert found.document_indices.tolist() == list(range(len(found) + 1))
print(json.dumps([found[number].tolist() for number in range(len(found))]))
"""


@pytest.mark.soak
def test_megatron_core_reads_what_is_exported(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(tmp_path), "megatron-core==0.16.1"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("pip can't download megatron-core 0.16.1")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "core")
    stream = with_removed(shards(6, shards=4, groups=3, rows=20))
    for vocabulary in (160, 70_000):
        name = str(tmp_path / f"data{vocabulary}")
        corpus = write_corpus(tmp_path / f"corpus{vocabulary}", {"main": stream}, vocabulary=vocabulary)
        export_tokens(opened(corpus), Path(name))
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "core")}
        command = [sys.executable, "-c", _MEGATRON_CORE, name]
        read = subprocess.run(command, check=True, capture_output=True, env=environment)
        assert json.loads(read.stdout) == ids(stream)
