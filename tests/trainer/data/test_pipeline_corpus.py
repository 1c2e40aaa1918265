"""A corpus that the pipeline has built is read as it is, before and after `lauter takedown`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lauter.pipeline.mixture import MixtureSection
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.trainer.batch import IGNORE
from lauter.trainer.config.sections import CorpusSection, DataSection, StageSection
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.samples import Samples
from tests.pipeline.small_run import build, tokens, write_manifest
from tests.pipeline.stream_run import LABELLED, stream_manifest
from tests.trainer.data.byte_encoder import BOS, CATALOGUE, EOS, PAD

FILES = {"a.txt": "\n".join(f"n{i}\tordinary words that stand on page number {i} of a file" for i in range(40))}


def test_a_built_corpus_is_read_in_stored_order_and_a_takedown_moves_nothing(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, FILES, tokens_per_shard=700, tokens_per_row_group=200)
    assert build(manifest, tmp_path / "out", catalogue=CATALOGUE).report.failures == []
    data = DataSection(corpora=(CorpusSection(path=str(tmp_path / "out")),), sequence_length=32)
    corpus = open_corpora(data, verify="full")
    samples = Samples(corpus, data, 1)
    stored = [token for row in tokens(tmp_path / "out") for token in row["tokens"]]  # type: ignore[attr-defined]
    assert len(corpus.streams["main"].shards) > 1 and len(stored) == corpus.streams["main"].tokens
    assert (corpus.tokenizer.bos, corpus.tokenizer.eos, corpus.tokenizer.pad) == (BOS, EOS, PAD)
    assert corpus.provenance[0]["optout"] is None
    epoch = len(stored) // 32
    before = samples.batch(range(3 * epoch))
    assert before.tokens[: epoch * 32].tolist() == stored[: epoch * 32]

    take_down(Storage(str(tmp_path / "out")), [demand("url", "https://n7.example/")], with_copies=False)
    masked_corpus = open_corpora(data, verify="full")
    masked = Samples(masked_corpus, data, 1)
    assert masked.fingerprint == samples.fingerprint
    after = masked.batch(range(3 * epoch))
    gone = after.tokens == PAD
    assert int(gone.sum()) >= 2 * 40 and (after.labels[gone] == IGNORE).all()
    for name in ("tokens", "labels", "positions"):
        assert torch.equal(getattr(after, name)[~gone], getattr(before, name)[~gone])
    assert torch.equal(after.bounds.cu_seqlens, before.bounds.cu_seqlens)
    (now,), (then,) = masked_corpus.provenance, corpus.provenance
    assert now["root"] != then["root"] and now["takedown"]["demands"] == 1
    old = data.model_copy(update={"corpora": (CorpusSection(path=str(tmp_path / "out"), root=then["root"]),)})
    with pytest.raises(DataError, match="an earlier state of this corpus"):
        open_corpora(old)


def drawn(corpus: Path, stage: StageSection, samples: int) -> Counter[str]:
    """Samples that come from each stream."""
    data = DataSection(corpora=(CorpusSection(path=str(corpus)),), sequence_length=8, stages=(stage,))
    read = Samples(open_corpora(data), data, 1)
    return Counter(read._mixture.place(number)[0] for number in range(samples))


def test_copies_are_weighed_by_their_stream(tmp_path: Path) -> None:
    """Planted copies land where they belong, once each; what they count for is for the mixture to say."""
    catalogue = replace(LABELLED, encoder=CATALOGUE.encoder)
    manifest = stream_manifest(tmp_path, {"copies": "fineweb2"})
    assert build(manifest, tmp_path / "out", catalogue=catalogue).report.failures == []
    data = DataSection(corpora=(CorpusSection(path=str(tmp_path / "out")),))
    streams = open_corpora(data, verify="full").streams
    assert {name: stream.copies for name, stream in streams.items()} == {
        "main.x1": 1,
        "main.x2": 2,
        "main.x3-4": 3,
        "main.x5-99": 5,
    }
    planted: dict[int, Counter[str]] = {}
    for row in tokens(tmp_path / "out"):
        if row["language"] == "deu_Latn":
            text = bytes(row["tokens"][1:-1]).decode()  # type: ignore[index]
            planted.setdefault(int(row["copies"]), Counter())[text] += 1  # type: ignore[call-overload]
    assert planted == {n: {f"deu text {n}": 1} for n in (1, 2, 3, 4, 5, 7)}

    found = drawn(tmp_path / "out", StageSection(name="a", streams={"main.x1": 1, "main.x5-99": 3}), 400)
    assert found == {"main.x1": 100, "main.x5-99": 300}
    mixture = MixtureSection.model_validate(
        {"mixture": "m", "components": [{"name": "all", "streams": ["main.*"], "rehydrate": "fineweb2"}]}
    )
    found = drawn(tmp_path / "out", StageSection(name="a", mixture=mixture), 4000)
    total = sum(stream.tokens * stream.copies for stream in streams.values())
    for name, stream in streams.items():
        assert found[name] / 4000 == pytest.approx(stream.tokens * stream.copies / total, abs=0.01)
    with pytest.raises(DataError, match=r"stage 'a': no stream 'main\.x5-90'; did you mean 'main\.x5-99'"):
        drawn(tmp_path / "out", StageSection(name="a", streams={"main.x5-90": 1}), 1)
