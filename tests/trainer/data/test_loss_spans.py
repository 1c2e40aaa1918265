"""Which labels of a dialogue carry loss: from the column of a shard to the batch."""

from __future__ import annotations

import random
import tempfile
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.batch import IGNORE
from lauter.trainer.config.sections import GoldfishSection
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import BOS, EOS, Document, Shards, documents, section, write_corpus
from tests.trainer.data.plain_samples import Window, concatenated, stream_documents, windows


def dialogues(seed: int, *, longest: int = 40, groups: int = 2, rows: int = 8) -> Shards:
    """Random documents: of some every token carries loss, of some none, of the others some runs do."""
    generator = random.Random(seed)
    shards = [[documents(generator, rows, longest) for _ in range(groups)] for _ in range(2)]
    for document in (one for shard in shards for group in shard for one in group):
        places = sorted(generator.choices(range(len(document.tokens) + 1), k=2 * generator.randrange(4)))
        document.loss_spans = generator.choice([None, places, places])
        document.removed = generator.random() < 0.1
    shards[0][0][0].loss_spans = [1, 2]  # so that the column is there
    return shards


def samples(folder: Path, **settings: object) -> Samples:
    data = section(folder, **settings)
    return Samples(open_corpora(data), data, 3)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), length=st.integers(2, 64))
def test_labels_outside_of_the_spans_are_ignored(seed: int, length: int) -> None:
    stream = dialogues(seed)
    with tempfile.TemporaryDirectory() as temporary:
        found = samples(write_corpus(Path(temporary), {"main": stream}), sequence_length=length)
        expected = list(islice(concatenated(stream_documents(stream, "layout", 3, "main"), length), 24))
        batch = found.batch(range(24))
    assert windows(batch, length) == expected
    assert batch.targets == sum(label != IGNORE for window in expected for label in window.labels)


def test_goldfish_counts_only_labels_that_carried_loss(tmp_path: Path) -> None:
    stream = [[[Document([BOS, *range(10, 74), EOS], loss_spans=[60, 66])]]]
    found = samples(write_corpus(tmp_path, {"main": stream}), sequence_length=66, goldfish=GoldfishSection(k=1, h=2))
    batch = found.batch([0])
    assert (batch.targets, batch.goldfish_dropped) == (0, 6)


@pytest.mark.parametrize("spans", [[3, 2], [1, 40], [1], [4, 6, 2, 3]])
def test_spans_that_make_no_sense_are_a_fault_of_the_shard(tmp_path: Path, spans: list[int]) -> None:
    stream = [[[Document([BOS, *range(10, 30), EOS], loss_spans=spans), Document([BOS, *range(10, 40), EOS])]]]
    found = samples(write_corpus(tmp_path, {"main": stream}), sequence_length=8)
    with pytest.raises(DataError, match="row group 0 has loss_spans that do not ascend or leave their document"):
        found.batch([0])


def _packed(folder: Path, overlong: str) -> Samples:
    return samples(folder, sequence_length=16, packing="best-fit", overlong=overlong)


def _read(found: Samples) -> list[list[int]]:
    """The documents of an epoch as a model sees them, padding left out, sorted."""
    parts: list[list[int]] = []
    for window in windows(found.batch(range(found.epoch)), 16):
        at = 0
        for length in window.lengths:
            tokens = window.tokens[at : at + length]
            at += length
            if tokens[0] != 3:
                parts.append(tokens)
    return sorted(parts)


def test_what_is_longer_than_a_window_is_cut_ended_or_left_out(tmp_path: Path) -> None:
    short, long = [BOS, 11, 12, 13, EOS], [BOS, *range(20, 50), EOS]
    folder = write_corpus(tmp_path / "corpus", {"main": [[[Document(short, loss_spans=[2, 5]), Document(long)]]]})
    cut, ended, left_out = (_packed(folder, overlong) for overlong in ("cut", "truncate", "leave-out"))
    assert _read(cut) == sorted([short, long[:16], long[16:]])
    assert _read(ended) == sorted([short, long[:16]])
    assert _read(left_out) == [short]
    assert [one.left_out.get("main") for one in (cut,)] == [None]
    told = [(one.left_out["main"].documents, one.left_out["main"].tokens) for one in (ended, left_out)]
    assert told == [(1, 16), (1, 32)]
    assert [one.epoch for one in (cut, ended, left_out)] == [3, 2, 1]
    assert [one.utilisation["main"] for one in (ended, left_out)] == [21 / 32, 5 / 16]
    assert len({one.fingerprint for one in (cut, ended, left_out)}) == 3
    # The label of the last place of a document that was ended is its next token, as of any cut.
    [window] = [one for one in windows(ended.batch(range(2)), 16) if one.lengths == [16]]
    assert window == Window(long[:16], long[1:17], list(range(16)), [-1] * 16, [16])


def test_a_corpus_of_nothing_but_what_is_too_long_is_refused(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": [[[Document([BOS, *range(20, 50), EOS])]]]})
    with pytest.raises(UnfitError, match=r"all documents are longer than data\.sequence_length 16"):
        _packed(folder, "leave-out")


def test_without_packing_all_is_cut() -> None:
    with pytest.raises(ValueError, match="overlong: truncate needs `packing: best-fit`"):
        section(Path("x"), overlong="truncate")
