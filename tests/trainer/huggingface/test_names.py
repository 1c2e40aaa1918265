from __future__ import annotations

import pytest

from lauter.trainer.huggingface.names import constant_names, parameter_shapes
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.presets import PRESETS


@pytest.mark.parametrize("name", ["nano", "apertus-8b", "apertus-70b"])
def test_names_and_shapes_are_those_of_the_model(name: str) -> None:
    model = Apertus(PRESETS[name], device="meta")
    found = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert parameter_shapes(PRESETS[name]) == found


def test_with_the_constants_they_are_those_of_transformers() -> None:
    import torch
    from transformers import ApertusConfig, ApertusForCausalLM

    from lauter.trainer.huggingface.config import config_json

    shape = PRESETS["nano"]
    with torch.device("meta"):
        theirs = ApertusForCausalLM(ApertusConfig(**config_json(shape, dtype="float32", bos=1, eos=2, pad=3)))
    ours = parameter_shapes(shape) | dict.fromkeys(constant_names(shape), ())
    assert ours == {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
