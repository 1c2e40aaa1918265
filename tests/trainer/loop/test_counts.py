from __future__ import annotations

from dataclasses import asdict

from lauter.trainer.loop.counts import Counts, counts_of


def test_sums_of_updates_and_of_what_was_left_out() -> None:
    counts = Counts().updated(targets=10, goldfish_dropped=2, passed_over=0)
    counts = counts.skipped(8).updated(targets=5, goldfish_dropped=1, passed_over=16)
    assert counts == Counts(targets=15, goldfish_dropped=3, skipped_samples=24)


def test_a_checkpoint_gives_them_back_and_an_import_has_none() -> None:
    assert counts_of({"counts": asdict(Counts(1, 2, 3))}) == Counts(1, 2, 3)
    assert counts_of({"progress": {}}) == Counts()
