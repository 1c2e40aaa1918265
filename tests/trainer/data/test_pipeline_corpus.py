"""A corpus that the pipeline has built is read as it is, before and after `lauter takedown`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.trainer.batch import IGNORE
from lauter.trainer.config.sections import CorpusSection, DataSection
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.samples import Samples
from tests.pipeline.small_run import build, tokens, write_manifest
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
