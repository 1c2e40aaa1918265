from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import parquet
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown import blank
from lauter.pipeline.takedown.splice import rewrite_row_groups
from lauter.trainer.batch import IGNORE
from lauter.trainer.config.sections import GoldfishSection, StageSection
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.loss.goldfish import dropped
from tests.trainer.data.corpora import BOS, EOS, PAD, Document, Shards, publish, section, shards, write_corpus
from tests.trainer.data.plain_samples import Window, concatenated, stream_documents, windows

SEED = 5


def opened(folder: Path, seed: int = SEED, **settings: object) -> Samples:
    data = section(folder, **settings)
    return Samples(open_corpora(data), data, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), {"main": shards(1), "web": shards(2, rows=9)})


@settings(max_examples=12)
@given(
    seed=st.integers(0, 1000),
    layout=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(2, 70)),
    length=st.integers(2, 64),
    picked=st.lists(st.integers(0, 40), min_size=1, max_size=12),
)
def test_batches_are_what_plain_python_makes_of_the_stream(
    seed: int, layout: tuple[int, int, int, int], length: int, picked: list[int]
) -> None:
    stream = shards(seed, *layout)
    stream[0][0].append(Document([BOS, *range(10, 10 + length), EOS], "roh_Latn", seed % 2 == 0))
    with tempfile.TemporaryDirectory() as temporary:
        samples = opened(write_corpus(Path(temporary), {"main": stream}), seed, sequence_length=length)
        endless = concatenated(stream_documents(stream, "layout", seed, "main"), length)
        expected = list(islice(endless, max(picked) + 1))
        batch = samples.batch(picked)
        assert windows(batch, length) == [expected[number] for number in picked]
        assert batch.goldfish_dropped == 0


def test_every_token_of_an_epoch_is_an_input_once(folder: Path) -> None:
    length = 16
    stream = shards(1)
    total = sum(len(document.tokens) for shard in stream for group in shard for document in group)
    data = section(folder, sequence_length=length, stages=(StageSection(name="one", streams={"main": 1}),))
    samples = Samples(open_corpora(data), data, SEED)
    whole = samples.batch(range(3 * total // length + 1)).tokens.tolist()
    first, second = whole[:total], whole[total : 2 * total]
    assert first == [token for shard in stream for group in shard for document in group for token in document.tokens]
    assert first != second and Counter(first) == Counter(second)
    for part in (first, second):
        ends = [index for index, token in enumerate(part) if token == EOS]
        assert len(ends) == sum(len(group) for shard in stream for group in shard)


def plain_mixture(
    folder_streams: dict[str, Shards], plan: list[tuple[int, dict[str, float]]], length: int
) -> list[Window]:
    """Samples of stages (samples, weights): the stream that is farthest behind its share is next in a stage of two."""
    endless = {
        name: concatenated(stream_documents(stream, "layout", SEED, name), length)
        for name, stream in folder_streams.items()
    }
    found = []
    for count, weights in plan:
        given_ = dict.fromkeys(weights, 0)
        for place in range(count):
            share = {name: weight / sum(weights.values()) * (place + 1) for name, weight in weights.items()}
            name = max(sorted(weights), key=lambda one: share[one] - given_[one])
            given_[name] += 1
            found.append(next(endless[name]))
    return found


def test_stages_switch_at_exact_samples_and_streams_go_on(folder: Path) -> None:
    length = 16
    stages = (
        StageSection(name="first", tokens=16 * 7 - 3, streams={"main": 3, "web": 1}),
        StageSection(name="second", tokens=16 * 12, streams={"web": 1}),
        StageSection(name="third", streams={"main": 1, "web": 3}),
    )
    samples = opened(folder, sequence_length=length, stages=stages)
    assert [samples.stage_at(sample) for sample in (0, 6, 7, 18, 19, 10**9)] == [
        *("first", "first", "second", "second", "third", "third")
    ]
    assert samples.total is None
    plan: list[tuple[int, dict[str, float]]] = [
        (7, {"main": 3, "web": 1}),
        (12, {"web": 1}),
        (30, {"main": 1, "web": 3}),
    ]
    expected = plain_mixture({"main": shards(1), "web": shards(2, rows=9)}, plan, length)
    found = windows(samples.batch(range(49)), length)
    # Ties between streams may fall either way, so each stage is compared stream by stream.
    for start, end in ((0, 7), (7, 19), (19, 49)):
        assert Counter(map(str, found[start:end])) == Counter(map(str, expected[start:end]))


@pytest.mark.parametrize("packing", ["concatenate", "best-fit"])
def test_epochs_are_what_of_each_stream_was_read(folder: Path, packing: Literal["concatenate", "best-fit"]) -> None:
    stages = (StageSection(name="one", tokens=48 * 40), StageSection(name="two", tokens=48 * 40))
    samples = opened(folder, packing=packing, stages=stages, sequence_length=48)
    assert samples.total == 80
    assert set(samples.epochs(0).values()) == {0.0}
    for count in (1, 39, 40, 41, 80):
        places = Counter(samples._mixture.place(number)[0] for number in range(count))
        for name, epochs in samples.epochs(count).items():
            order = samples._orders[name]
            assert epochs == pytest.approx(places[name] * (48 if packing == "concatenate" else 1) / order.total)


def test_behind_the_last_stage_is_an_error(folder: Path) -> None:
    samples = opened(folder, sequence_length=16, stages=(StageSection(name="only", tokens=100),))
    assert samples.total == 7
    samples.batch([6])
    with pytest.raises(DataError, match="sample 7 is asked for, but the stages have 7"):
        samples.batch([7])


def test_default_weights_are_the_streams_tokens(folder: Path) -> None:
    samples = opened(folder, sequence_length=16)
    corpus = open_corpora(section(folder))
    counts = samples.order["stages"][0]["streams"]
    total = sum(stream.tokens for stream in corpus.streams.values())
    for name, stream in corpus.streams.items():
        assert counts[name] / 65536 == pytest.approx(stream.tokens / total, abs=1 / 65536)


def masked_rows(rows: list[int], first: int, table: pa.Table) -> pa.Table:
    return blank.shard_rows(table, np.isin(first + np.arange(table.num_rows), rows), PAD)


@pytest.mark.parametrize("packing", ["concatenate", "best-fit"])
def test_a_takedown_changes_no_other_sample(tmp_path: Path, packing: str) -> None:
    """Rows of shards are masked by the pipeline's own code, and the index lists the new files."""
    stream = shards(3)
    data = section(tmp_path, sequence_length=16, packing=packing, goldfish=GoldfishSection(k=3, h=4))
    write_corpus(tmp_path, {"main": stream})
    samples = Samples(open_corpora(data), data, SEED)
    numbers = range(2 * sum(len(document.tokens) for shard in stream for group in shard for document in group) // 16)
    before = [samples.batch([number]) for number in numbers]
    storage = Storage(str(tmp_path))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    for number, rows in ((0, [2, 7]), (2, [0])):
        path = f"tokens/main/{number:05d}.parquet"
        with storage.staging(path) as staged:
            rewrite_row_groups(storage, path, staged, partial(masked_rows, rows), {row // 6 for row in rows})
            output = parquet.describe(staged, path)
        index["streams"]["main"]["shards"][number].update(output.to_json())
    publish(storage, index, corpus["files"]["other"], {"name": corpus["name"]})
    masked = Samples(open_corpora(data, verify="full"), data, SEED)
    assert masked.fingerprint == samples.fingerprint
    touched = 0
    for number, old in zip(numbers, before, strict=True):
        new = masked.batch([number])
        gone = (new.tokens == PAD) & (old.tokens != PAD)
        touched += int(gone.sum())
        assert (new.labels[gone] == IGNORE).all()
        for name in ("tokens", "labels", "positions", "languages"):
            assert torch.equal(getattr(new, name)[~gone], getattr(old, name)[~gone]), name
        assert torch.equal(new.bounds.cu_seqlens, old.bounds.cu_seqlens)
    assert touched


@pytest.mark.parametrize("packing", ["concatenate", "best-fit"])
def test_best_fit_and_concatenate_are_functions_of_the_number(folder: Path, packing: str) -> None:
    one = opened(folder, sequence_length=16, packing=packing)
    other = opened(folder, sequence_length=16, packing=packing)
    numbers = list(range(200))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        assert windows(one.batch([number]), 16) == windows(other.batch([number, 3]), 16)[:1]


def test_a_fingerprint_tells_orders_apart(folder: Path, tmp_path: Path) -> None:
    base = opened(folder, sequence_length=16)
    assert base.fingerprint == opened(folder, sequence_length=16).fingerprint
    others = [
        opened(folder, seed=6, sequence_length=16),
        opened(folder, sequence_length=17),
        opened(folder, sequence_length=16, packing="best-fit"),
        opened(folder, sequence_length=16, hold_out_shards=1),
        opened(folder, sequence_length=16, goldfish=GoldfishSection()),
        opened(folder, sequence_length=16, stages=(StageSection(name="s", streams={"main": 1}),)),
        opened(
            write_corpus(tmp_path, {"main": shards(1), "web": shards(2, rows=9)}, layout_id="new"), sequence_length=16
        ),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1


@pytest.mark.parametrize("kind", ["mixed", "apertus"])
@pytest.mark.parametrize("length", [2, 16, 50])
def test_goldfish_does_not_depend_on_the_windows(folder: Path, length: int, kind: Literal["mixed", "apertus"]) -> None:
    """Dropped are the labels that a run over whole documents drops, however they are cut."""
    goldfish = GoldfishSection(hash=kind, k=3, h=5)
    stages = (StageSection(name="one", streams={"main": 1}),)
    plain = opened(folder, sequence_length=length, stages=stages)
    samples = opened(folder, sequence_length=length, stages=stages, goldfish=goldfish)
    flat = [document for shard in shards(1) for group in shard for document in group]
    tokens = np.array([token for document in flat for token in document.tokens], np.uint32)
    starts = np.cumsum([0, *(len(document.tokens) for document in flat[:-1])])
    # The label of a place is the next token.
    gone = torch.from_numpy(np.roll(dropped(tokens, starts, goldfish), -1))
    numbers = range(len(tokens) // length)
    kept, thinned = plain.batch(numbers), samples.batch(numbers)
    gone = gone[: len(kept.labels)] & (kept.labels != IGNORE)
    assert thinned.goldfish_dropped == int(gone.sum()) > 0
    assert torch.equal(thinned.labels, torch.where(gone, IGNORE, kept.labels))
    packed = opened(folder, sequence_length=length, stages=stages, goldfish=goldfish, packing="best-fit")
    count = sum(packed.batch([number]).goldfish_dropped for number in range(packed_windows(packed)))
    labelled = np.ones(len(tokens), np.bool_)
    labelled[starts] = False
    assert count == int((dropped(tokens, starts, goldfish) & labelled).sum())


def packed_windows(samples: Samples) -> int:
    """Windows of an epoch of the stream `main`."""
    tokens = int(samples.order["streams"]["main"]["tokens"])
    return round(tokens / samples.utilisation["main"] / samples.sequence_length)


def test_a_run_may_change_what_is_to_come_but_not_what_was(folder: Path) -> None:
    first = StageSection(name="first", tokens=16 * 30, streams={"main": 1})
    later = StageSection(name="later", streams={"main": 1, "web": 1})
    base = opened(folder, sequence_length=16, stages=(first,))
    longer = opened(folder, sequence_length=16, stages=(first.model_copy(update={"tokens": 16 * 40}), later))
    shorter = opened(folder, sequence_length=16, stages=(first.model_copy(update={"tokens": 16 * 20}), later))
    assert base.fingerprint != longer.fingerprint
    saved = json.loads(json.dumps(base.order))
    assert longer.continues(saved, 30) and not shorter.continues(saved, 30)
    assert shorter.continues(saved, 20) and not opened(folder, sequence_length=17).continues(saved, 20)
    assert torch.equal(base.batch(range(30)).tokens, longer.batch(range(30)).tokens)
    assert not torch.equal(base.batch(range(30)).tokens, shorter.batch(range(30)).tokens)


@pytest.mark.parametrize(
    ("packing", "expected"), [("concatenate", "c02e0ea902af2ac4"), ("best-fit", "719f97d4c16b567d")]
)
def test_the_order_is_pinned(folder: Path, packing: str, expected: str) -> None:
    """A run must go on in the order in which it began: a change here needs another ORDER_VERSION."""
    samples = opened(folder, sequence_length=16, packing=packing)
    assert hashlib.sha256(samples.batch(range(400)).tokens.numpy().tobytes()).hexdigest()[:16] == expected


def unlike(rows: int, length: int) -> Shards:
    """Two shards of three row groups, in which no id stands twice."""
    ids = iter(range(10, 1 << 20))
    return [
        [[Document([BOS, *islice(ids, length + row % 3), EOS]) for row in range(rows)] for _ in range(3)]
        for _ in range(2)
    ]


def ids_of(samples: Samples, numbers: range) -> list[int]:
    found = samples.batch(numbers).tokens
    return found[found >= 10].tolist()


@pytest.mark.parametrize("first", ["concatenate", "best-fit"])
@pytest.mark.parametrize("then", ["concatenate", "best-fit"])
def test_a_stream_goes_on_with_other_windows_and_no_token_comes_twice(tmp_path: Path, first: str, then: str) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": unlike(6, 9), "web": unlike(7, 11)})
    weights = [StageSection(name="all", streams={"main": 1, "web": 1})]
    before = opened(folder, sequence_length=16, packing=first, stages=weights)
    read = before.read(7)
    after = opened(folder, sequence_length=32, packing=then, stages=weights)
    assert after.go_on(read) == ["main", "web"]
    tokens = {name: before.read(7)[name]["tokens_read"] for name in ("main", "web")}
    if first == "concatenate":
        assert tokens == {"main": 4 * 16, "web": 3 * 16}
    for name in ("main", "web"):
        one = [StageSection(name="one", streams={name: 1})]
        windows = 4 if name == "main" else 3
        seen = ids_of(opened(folder, sequence_length=16, packing=first, stages=one), range(windows))
        on = opened(folder, sequence_length=32, packing=then, stages=one)
        on.go_on({name: read[name]})
        # To the end of the epoch, and not a window into the next one.
        left = 0
        while on.epochs(left + 1)[name] <= 1:
            left += 1
        came = ids_of(on, range(left))
        assert left > 2
        assert len({*seen, *came}) == len(seen) + len(came)
        if (first, then) == ("concatenate", "concatenate"):
            assert came[0] in (seen[-1] + 1, seen[-1] + 2)
        assert (after.epochs(0)[name] > 0) == (after.read(0)[name]["tokens_read"] > 0)
        assert after.read(0)[name]["tokens_read"] == pytest.approx(tokens[name], abs=77 if then == "best-fit" else 0)


def test_a_third_run_goes_on_behind_the_second(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": unlike(6, 9), "web": unlike(7, 11)})
    second = opened(folder, sequence_length=32, stages=[StageSection(name="all", streams={"main": 1})])
    second.go_on(opened(folder, sequence_length=16).read(6))
    # What the second does not read is where the first left it.
    web = opened(folder, sequence_length=16).read(6)["web"]
    assert second.read(2)["web"] == web
    main = opened(folder, sequence_length=16).read(6)["main"]["tokens_read"]
    assert second.read(2)["main"]["tokens_read"] == main + 2 * 32
    third = opened(folder, sequence_length=8, stages=[StageSection(name="all", streams={"main": 1})])
    third.go_on(second.read(2))
    straight = opened(folder, sequence_length=8, stages=[StageSection(name="all", streams={"main": 1})])
    offset = (main + 2 * 32) // 8
    assert third.batch(range(3)).tokens.tolist() == straight.batch(range(offset, offset + 3)).tokens.tolist()


def test_a_stream_that_is_another_begins_anew_and_the_beginning_is_part_of_the_order(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": unlike(6, 9)})
    other = write_corpus(tmp_path / "other", {"main": unlike(7, 9)})
    read = opened(folder, sequence_length=16).read(3)
    changed, same = opened(other, sequence_length=16), opened(folder, sequence_length=16)
    plain = same.order, same.fingerprint
    assert changed.go_on(read) == []
    assert changed.batch([0]).tokens.tolist() == opened(other, sequence_length=16).batch([0]).tokens.tolist()
    assert same.go_on(read) == ["main"]
    assert same.fingerprint != plain[1]
    assert not same.continues(plain[0], 1)
    again = opened(folder, sequence_length=16)
    again.go_on(same.order["begin"])
    assert again.fingerprint == same.fingerprint
    same.go_on({})
    assert (same.order, same.fingerprint) == plain
    assert opened(folder, seed=SEED + 1, sequence_length=16).go_on(read) == []
