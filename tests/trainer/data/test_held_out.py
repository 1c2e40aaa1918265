from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.batch import IGNORE
from lauter.trainer.config.sections import GoldfishSection
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.held_out import validation_batches
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import PAD, Shards, section, shards, write_corpus
from tests.trainer.data.plain_samples import Window, concatenated, windows

STREAMS = {"main": shards(1, shards=4), "web": shards(2, rows=9, shards=3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), STREAMS)


def plain(held: int) -> list[Window]:
    """Windows of the last shards, streams in turn, the last one of each filled up."""
    found = {}
    for name, stream in STREAMS.items():
        documents = (document for shard in stream[-held:] for group in shard for document in group)
        found[name] = list(concatenated(documents, 16))
        found[name][-1].fill(16, PAD)
    longest = max(map(len, found.values()))
    return [own[turn] for turn in range(longest) for own in found.values() if turn < len(own)]


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize(("held", "sequences"), [(1, 10_000), (2, 10_000), (1, 13)])
def test_ranks_share_the_same_windows(folder: Path, ranks: int, held: int, sequences: int) -> None:
    data = section(folder, sequence_length=16, hold_out_shards=held, packing="best-fit", goldfish=GoldfishSection(k=1))
    corpus = open_corpora(data)
    shares = [
        list(validation_batches(corpus, data, sequences=sequences, micro=2, rank=rank, ranks=ranks))
        for rank in range(ranks)
    ]
    assert len({len(share) for share in shares}) == 1, "ranks compute together"
    found = [window for turn in zip(*shares, strict=True) for batch in turn for window in windows(batch, 16)]
    expected = plain(held)[:sequences]
    assert found[: len(expected)] == expected
    assert len(found) - len(expected) < 2 * ranks
    for window in found[len(expected) :]:
        assert set(window.tokens) == {PAD} and set(window.labels) == {IGNORE}


def test_what_is_held_out_is_not_trained_on(folder: Path) -> None:
    data = section(folder, sequence_length=16, hold_out_shards=1)
    corpus = open_corpora(data)

    def tokens(streams: dict[str, Shards]) -> dict[str, int]:
        return {
            name: sum(len(document.tokens) for shard in stream for group in shard for document in group)
            for name, stream in streams.items()
        }

    held = {name: stream[-1:] for name, stream in STREAMS.items()}
    kept = {name: stream[:-1] for name, stream in STREAMS.items()}
    assert {name: stream.tokens for name, stream in corpus.held_out.items()} == tokens(held)
    assert {name: stream.tokens for name, stream in corpus.streams.items()} == tokens(kept)
    seen = {shard.path for stream in corpus.streams.values() for shard in stream.shards}
    assert not seen & {shard.path for stream in corpus.held_out.values() for shard in stream.shards}
    assert Samples(corpus, data, 1).order["streams"]["main"]["tokens"] == tokens(kept)["main"]


def test_nothing_held_out_is_no_batch(folder: Path) -> None:
    data = section(folder, sequence_length=16)
    assert list(validation_batches(open_corpora(data), data, sequences=8, micro=2, rank=0, ranks=1)) == []
