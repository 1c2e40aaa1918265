from __future__ import annotations

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.parallel.tensor.pieces import Piece, kind, pieces
from lauter.trainer.planner.holding import holding


@pytest.mark.parametrize("name", ["apertus-8b", "apertus-70b"])
def test_one_rank_holds_all(name: str) -> None:
    shape = PRESETS[name]
    assert holding(shape, ParallelSection(), 0).parameters == shape.parameters


@pytest.mark.parametrize(
    "section",
    [
        ParallelSection(pipeline=8),
        ParallelSection(pipeline=8, schedule="interleaved", stages_per_rank=5),
        ParallelSection(pipeline=4, schedule="zero-bubble-v", stages_per_rank=2),
    ],
)
def test_places_of_a_pipeline_hold_the_model_together(section: ParallelSection) -> None:
    shape = PRESETS["apertus-70b"]
    held = [holding(shape, section, place) for place in range(section.pipeline)]
    assert sum(one.parameters for one in held) == shape.parameters
    assert [bool(one.embedding) for one in held] == [True] + [False] * (section.pipeline - 1)
    last = 0 if section.schedule == "zero-bubble-v" else section.pipeline - 1
    assert [place for place, one in enumerate(held) if one.head] == [last]


@pytest.mark.parametrize("section", [ParallelSection(tensor=4), ParallelSection(tensor=4, vocabulary=False)])
def test_pieces_are_those_of_the_trainer(section: ParallelSection) -> None:
    shape = PRESETS["nano"]
    shape = type(shape)(4, 192, 1008, 8, 4, 24, 4096, 1024)
    model = Apertus(shape, device="meta")
    plan = pieces(shape, section)
    shared = {Piece.rows, Piece.columns}
    expected = sum(one.numel() // (4 if plan[kind(name)] in shared else 1) for name, one in model.named_parameters())
    assert holding(shape, section, 0).parameters == expected
