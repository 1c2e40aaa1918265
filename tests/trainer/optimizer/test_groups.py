from __future__ import annotations

import torch

from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.optimizer.groups import decays


def test_of_apertus_only_matrices_decay() -> None:
    model = Apertus(PRESETS["nano"], device="meta")
    kept = {name.split(".")[-2] for name, one in model.named_parameters() if decays(name, one)}
    spared = {name.rsplit(".", 2)[-2] for name, one in model.named_parameters() if not decays(name, one)}
    assert kept == {"embed_tokens", "lm_head", "q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"}
    assert spared == {"attention_layernorm", "feedforward_layernorm", "q_norm", "k_norm", "norm", "act_fn"}


def test_names_spare_biases_and_alphas_of_any_shape() -> None:
    matrix = torch.empty(2, 2, device="meta")
    assert not any(decays(name, matrix) for name in ("a.bias", "a.act_fn.alpha_p", "a.act_fn.alpha_n"))
    assert decays("a.weight", matrix)
