"""Continuations of fixed prompts during a run: what the numbers of a loss do not show."""

from __future__ import annotations

from dataclasses import dataclass

from torch.distributed.fsdp import FSDPModule

from lauter.trainer.config.watching import SamplingSection
from lauter.trainer.data.tokenizer import TokenizerFiles
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError, text_tokenizer
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.plan import let_go


@dataclass(frozen=True, slots=True)
class Prompts:
    """The section's prompts as ids, BOS first."""

    section: SamplingSection
    tokenizer: TextTokenizer
    ids: list[list[int]]


def read_prompts(section: SamplingSection, files: TokenizerFiles, shape: ModelShape) -> Prompts:
    """Encode the prompts with the corpus's tokenizer, before the first step.

    Raises:
        ConfigError: a prompt has a control token in it, or is too long for the model.
    """
    try:
        tokenizer = text_tokenizer(files.files, bos=files.bos, ends=frozenset({files.eos}))
        ids = [tokenizer.encode(prompt) for prompt in section.prompts]
    except TokenizerError as error:
        raise ConfigError(f"sampling.prompts: {error}") from error
    for prompt, encoded in zip(section.prompts, ids, strict=True):
        if len(encoded) + section.new_tokens > shape.positions:
            raise ConfigError(
                f"sampling.prompts: {prompt!r} has {len(encoded)} tokens; with sampling.new_tokens "
                f"{section.new_tokens} that is more than the model's {shape.positions} positions"
            )
    return Prompts(section, tokenizer, ids)


def continuations(model: Apertus, prompts: Prompts, *, seed: int) -> list[tuple[str, str]]:
    """Each prompt with its continuation; called by all ranks, as each layer's shards are gathered by all."""
    new: list[list[int]] = [[] for _ in prompts.ids]
    if isinstance(model, FSDPModule):
        # The output layer is called by itself, and must be whole and in the dtype of the layers.
        model.unshard()
    ends = prompts.tokenizer.ends
    try:
        for generated in generate(
            model,
            prompts.ids,
            new_tokens=prompts.section.new_tokens,
            temperature=prompts.section.temperature,
            top_p=prompts.section.top_p,
            seed=seed,
            eos=ends,
        ):
            new[generated.sequence].append(generated.token)
    finally:
        # Also for whoever saves after an error.
        let_go(model)
    texts = [prompts.tokenizer.decode([token for token in ids if token not in ends]) for ids in new]
    return list(zip(prompts.section.prompts, texts, strict=True))
