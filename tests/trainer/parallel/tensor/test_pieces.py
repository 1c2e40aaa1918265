"""Which numbers can be shared by a tensor group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lauter.trainer.config.lora import LoraSection
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.low_rank import add_low_rank
from lauter.trainer.parallel.tensor.pieces import kind, low_rank_pieces, pieces, require_fit
from tests.trainer.parallel.proof import SHAPE


def test_every_parameter_has_a_piece() -> None:
    plan = pieces(SHAPE, ParallelSection(tensor=2))
    assert {kind(name) for name, _ in Apertus(SHAPE, device="meta").named_parameters()} == plan.keys()


def test_every_low_rank_part_has_a_piece() -> None:
    model = Apertus(SHAPE, device="meta")
    add_low_rank(model, LoraSection(), dtype=torch.float32)
    trained = {kind(name) for name, one in model.named_parameters() if one.requires_grad}
    assert trained == low_rank_pieces(pieces(SHAPE, ParallelSection(tensor=2))).keys()


@pytest.mark.parametrize("tensor", [1, 2, 4])
def test_key_heads_may_be_fewer_than_ranks(tensor: int) -> None:
    require_fit(SHAPE, ParallelSection(tensor=tensor), 16)


@pytest.mark.parametrize(
    ("changes", "section", "tokens", "said"),
    [
        ({}, ParallelSection(tensor=3, sequence=False), 16, r"3 does not divide model heads \(4\), the vocab.*\(128\)"),
        (
            {"feed_forward": 98},
            ParallelSection(tensor=4),
            16,
            r"^parallel.tensor 4 does not divide feed_forward \(98\)$",
        ),
        ({"vocabulary": 127}, ParallelSection(tensor=2), 16, r"ids \(127\)$"),
        (
            {},
            ParallelSection(tensor=2),
            15,
            r"tokens of a micro-batch \(15\); parallel.sequence=false shares no tokens$",
        ),
        (
            {"heads": 12, "kv_heads": 6},
            ParallelSection(tensor=4),
            16,
            r"key heads \(6\), of which it must be a divisor",
        ),
    ],
    ids=["heads", "features", "ids", "tokens", "key-heads"],
)
def test_what_can_not_be_shared_evenly_is_refused_by_name(
    changes: dict[str, Any], section: ParallelSection, tokens: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        require_fit(replace(SHAPE, **changes), section, tokens)


def test_what_is_not_shared_need_not_fit() -> None:
    odd = replace(SHAPE, vocabulary=127)
    require_fit(odd, ParallelSection(tensor=2, sequence=False, vocabulary=False), 15)
