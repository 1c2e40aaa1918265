"""A reward model in Hugging Face's form, against transformers' own class for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lauter.chat.conversation import Conversation, UserTurn
from lauter.trainer.preference.encoding import Speech, said_turn
from lauter.trainer.preference.reward_model import RewardModel, by_model
from lauter.trainer.preference.rewards import RewardError
from tests.trainer.generate.byte_tokenizer import PLAIN, byte_tokenizer, files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder, and the model of transformers that wrote it."""
    from transformers import ApertusConfig
    from transformers.modeling_layers import GenericForSequenceClassification
    from transformers.models.apertus.modeling_apertus import ApertusPreTrainedModel

    class Scorer(GenericForSequenceClassification, ApertusPreTrainedModel):  # type: ignore[misc]
        """As transformers has it of Llama."""

    torch.manual_seed(4)
    config = ApertusConfig(
        vocab_size=PLAIN,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_labels=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        initializer_range=0.2,
    )
    model = Scorer(config).eval()
    folder = tmp_path_factory.mktemp("scorer")
    model.save_pretrained(folder)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder, model


@pytest.mark.slow
def test_rewards_are_those_of_transformers(made: tuple[Path, Any]) -> None:
    folder, model = made
    asked, answers = Conversation((UserTurn("what?"),), "s"), ["this", "", "a longer answer"]
    found = by_model(folder)(asked, answers)
    speech = Speech(byte_tokenizer())
    for answer, reward in zip(answers, found, strict=True):
        ids = [*speech.prompt(asked), *speech.answer(said_turn(answer))]
        with torch.no_grad():
            (expected,) = model(torch.tensor([ids])).logits[0].tolist()
        assert reward == pytest.approx(expected, abs=2e-5)
    assert len(set(found)) == 3


@pytest.mark.slow
def test_a_folder_that_is_none_is_told(made: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = made
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    two = {**tensors, "score.weight": torch.zeros(2, 32)}
    save_file(two, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(RewardError, match=r"score.weight is \(2, 32\); a reward model has \(1, 32\)"):
        by_model(tmp_path)
    headless = {name: tensor for name, tensor in tensors.items() if name != "score.weight"}
    save_file({**headless, "lm_head.weight": torch.zeros(PLAIN, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(RewardError, match=r"score.weight is missing(.|\n)*lm_head.weight is no tensor"):
        by_model(tmp_path)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    assert len(RewardModel(tmp_path).scores([[1, 5], [1, 6, 7]])) == 2
    sidecar = json.loads((tmp_path / "sidecar.json").read_text())
    (tmp_path / "sidecar.json").write_text(json.dumps({**sidecar, "added": {}}))
    with pytest.raises(RewardError, match="no control tokens for a chat"):
        by_model(tmp_path)
    with pytest.raises(RewardError, match=r"config.json is missing"):
        by_model(tmp_path / "none")
