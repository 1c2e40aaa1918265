"""Rewards by a model of our architecture with a head of one number, from a Hugging Face folder.

Such a folder is a sequence-classification model with one label, as transformers makes them: the decoder's weights under
`model.`, and `score.weight`, shape (1, hidden), in place of `lm_head`. The reward is the head's product with the last
token's state, behind the final norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from lauter.chat.conversation import ChatError, Conversation
from lauter.trainer.batch import Bounds
from lauter.trainer.generate.tokenizer import TokenizerError, text_tokenizer
from lauter.trainer.huggingface.config import shape_of_config
from lauter.trainer.huggingface.folder import TensorFolder, read_json
from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.huggingface.names import constant_names, parameter_shapes
from lauter.trainer.model.apertus import Decoder
from lauter.trainer.preference.encoding import Speech, said_turn
from lauter.trainer.preference.rewards import Reward, RewardError, checked

HEAD = "score.weight"
OUTPUT = "lm_head.weight"


class RewardModel:
    """A decoder and its head, in fp32 on the CPU or bf16 on a GPU."""

    def __init__(self, folder: Path) -> None:
        """Read all weights.

        Raises:
            ModelImportError: a file, key or tensor is not as such a model's.
        """
        # Of what the class is called nothing depends; its tensors are looked at below.
        shape = shape_of_config({**read_json(folder / "config.json"), "architectures": ["ApertusForCausalLM"]})
        tensors = TensorFolder(folder)
        expected = {name: size for name, size in parameter_shapes(shape).items() if name != OUTPUT}
        expected[HEAD] = (1, shape.hidden)
        problems = [
            f"{folder}: {name} is {tensors.shapes.get(name, 'missing')}; a reward model has {size}"
            for name, size in expected.items()
            if tensors.shapes.get(name) != size
        ]
        known = expected.keys() | constant_names(shape).keys()
        problems += [f"{folder}: {name} is no tensor of a reward model" for name in tensors.shapes if name not in known]
        if problems:
            raise ModelImportError(problems)
        gpu = torch.cuda.is_available()
        self.device, dtype = torch.device("cuda" if gpu else "cpu"), torch.bfloat16 if gpu else torch.float32
        with torch.device("meta"):
            decoder = Decoder(shape, device=None, dtype=dtype, kernels="fast")
        self._decoder = decoder.to_empty(device=self.device).requires_grad_(requires_grad=False).eval()
        for name, parameter in self._decoder.named_parameters():
            parameter.copy_(tensors.read(f"model.{name}"))
        self._head = tensors.read(HEAD).to(self.device, dtype)

    @torch.no_grad()
    def scores(self, documents: Sequence[Sequence[int]]) -> list[float]:
        """Of each document of token ids, none empty; all in one pass."""
        bounds = Bounds.of([len(one) for one in documents]).to(self.device)
        tokens = torch.tensor([token for one in documents for token in one], device=self.device)
        positions = torch.cat([torch.arange(len(one), dtype=torch.int32) for one in documents]).to(self.device)
        hidden: Tensor = self._decoder(tokens, positions, bounds)
        found: list[float] = (hidden[bounds.cu_seqlens[1:].long() - 1] @ self._head.t())[:, 0].tolist()
        return found


def by_model(folder: Path) -> Reward:
    """A local reward model; its folder has its tokenizer, with the chat's control tokens.

    Raises:
        RewardError: the folder is no such model.
    """
    try:
        model = RewardModel(folder)
        config = read_json(folder / "config.json")
        files = {
            name: (folder / name).read_bytes()
            for name in ("tokenizer.json", "sidecar.json")
            if (folder / name).is_file()
        }
        speech = Speech(text_tokenizer(files, bos=config.get("bos_token_id"), ends=frozenset()))
    except (ModelImportError, TokenizerError, ChatError) as error:
        raise RewardError(f"preference.reward.model: {error}") from error

    def reward(conversation: Conversation, answers: Sequence[str]) -> list[float]:
        prompt = speech.prompt(conversation)
        documents = [[*prompt, *speech.answer(said_turn(answer))] for answer in answers]
        return [checked(score, str(folder)) for score in model.scores(documents)]

    return reward
