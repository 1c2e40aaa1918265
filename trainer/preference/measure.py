"""How far a model has gone from the reference model, and what it won: by sampling from both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lauter.chat.conversation import ChatError, Conversation
from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, open_checkpoint
from lauter.trainer.config.preference import PreferenceSection, ReferencesSection
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.generate.load import load_model, tokenizer_of
from lauter.trainer.generate.tokenizer import TokenizerError
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.preference.encoding import Speech
from lauter.trainer.preference.preparing import reward_of
from lauter.trainer.preference.prompts import read_prompts
from lauter.trainer.preference.quantile import quantile_rewards
from lauter.trainer.preference.rewards import Reward
from lauter.trainer.preference.sampling import Completion, drawn


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all completions of all prompts."""

    prompts: int
    completions: int
    """Of each model."""
    quantile: float
    """Quantile reward of the model's completions among those of the reference model."""
    quantile_before: float
    """The same of other completions by the reference model: 1/2, and more by ties and 1/n."""
    reward: float
    reward_before: float
    kl: float
    """KL divergence of the model from the reference model, nats a completion: the mean log-ratio of what the model
    said (Monte Carlo, no bias)."""
    kl_error: float
    """Standard error of that mean."""
    tokens: float
    """Of the model's completions, and of the reference model's."""
    tokens_before: float

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def measure(
    model: Apertus,
    reference: Apertus,
    speech: Speech,
    conversations: Sequence[Conversation],
    reward: Reward,
    section: ReferencesSection,
    seed: int,
) -> Measured:
    """Let both models answer; `section` says how often. The reference model answers twice, with two seeds.

    Always at temperature 1 and `top_p` 1, whatever the pairs were drawn with: the mean log-ratio is the KL divergence
    where the completions are drawn from the model itself.
    """
    section = section.model_copy(update={"temperature": 1.0, "top_p": 1.0})
    rows: list[tuple[float, float, float, float, float, int, int]] = []
    for first in range(0, len(conversations), section.batch):
        some = conversations[first : first + section.batch]
        prompts = [speech.prompt(one) for one in some]
        said = drawn(model, speech, prompts, section, seed)
        before = drawn(reference, speech, prompts, section, seed + 1)
        against = drawn(reference, speech, prompts, section, seed + 2)
        for conversation, prompt, now, then, other in zip(some, prompts, said, before, against, strict=True):
            rewards, rewards_before, among = (reward(conversation, _texts(one)) for one in (now, then, other))
            ratios = _log_probabilities(model, prompt, now) - _log_probabilities(reference, prompt, now)
            rows += zip(
                quantile_rewards(rewards, among),
                quantile_rewards(rewards_before, among),
                rewards,
                rewards_before,
                ratios.tolist(),
                (len(one.ids) for one in now),
                (len(one.ids) for one in then),
                strict=True,
            )
    columns = np.array(rows, np.float64)
    quantile, quantile_before, won, won_before, kl, tokens, tokens_before = columns.mean(0).tolist()
    error = float(columns[:, 4].std(ddof=1) / np.sqrt(len(columns))) if len(columns) > 1 else float("nan")
    return Measured(
        prompts=len(conversations),
        completions=len(columns),
        quantile=quantile,
        quantile_before=quantile_before,
        reward=won,
        reward_before=won_before,
        kl=kl,
        kl_error=error,
        tokens=tokens,
        tokens_before=tokens_before,
    )


def measure_run(
    section: PreferenceSection, run: Path, start: Path | None, prompts: Sequence[str], count: int, seed: int
) -> Measured:
    """Measure the newest checkpoint of a run against the reference model, on the first prompts of files.

    The reference model is the checkpoint `start`, or what the run began from, where that still lies there.

    Raises:
        UnfitError: the prompts can't be read or are too long, or the reference model is gone or has no chat.
            `CheckpointError`: a checkpoint.
            `RewardError`: there is no reward.
    """
    policy = open_checkpoint(run)
    reference = open_checkpoint(_began_from(policy) if start is None else start)
    try:
        speech = Speech(tokenizer_of(reference))
    except (ChatError, TokenizerError) as error:
        raise UnfitError([f"{reference.path}: {error}"]) from error
    some = [one.conversation for one in islice(read_prompts(prompts), count)]
    if not some:
        raise UnfitError([f"{', '.join(prompts)} hold no prompt"])
    room = min(model_shape_of(one).positions for one in (policy, reference)) - section.references.new_tokens
    too_long = [
        f"prompt {number} of {', '.join(prompts)} has {size} tokens, and there is room for {max(room, 0)} before "
        f"{section.references.new_tokens} new ones; lower preference.references.new_tokens, or leave it out"
        for number, one in enumerate(some)
        if (size := len(speech.prompt(one))) > room
    ]
    if too_long:
        raise UnfitError(too_long)
    device, dtype = ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
    models = [load_model(one, dtype, device) for one in (policy, reference)]
    return measure(models[0], models[1], speech, some, reward_of(section), section.references, seed)


def _began_from(policy: Checkpoint) -> Path:
    parent = policy.meta["parent"] or {}
    name, start = str(parent.get("checkpoint")), Path(str(parent.get("from")))
    for folder in (start, start / "checkpoints" / name, start / name):
        if folder.name == name and folder.is_dir() and digest_of(folder) == parent["files_sha256"]:
            return folder
    raise UnfitError([f"{policy.path}: the checkpoint that it began from ({name}) is not there any more; give --from"])


def _texts(completions: Sequence[Completion]) -> list[str]:
    return [one.text for one in completions]


def _log_probabilities(model: Apertus, prompt: list[int], completions: Sequence[Completion]) -> torch.Tensor:
    """Of each completion, in nats: shape (n,), fp64. All of one prompt in one pass."""
    batch, of = _batch(prompt, [one.ids for one in completions])
    losses = model.token_losses(batch.to(model.lm_head.weight.device))
    return -torch.bincount(of, weights=losses.double().cpu(), minlength=len(completions) + 1)[1:]


def _batch(prompt: list[int], answers: Sequence[list[int]]) -> tuple[Batch, torch.Tensor]:
    documents = [[*prompt, *answer] for answer in answers]
    labels = list(_labels(documents, len(prompt)))
    of = [number if label != IGNORE else 0 for number, some in enumerate(labels, 1) for label in some]
    flat = torch.tensor([label for some in labels for label in some])
    tokens = torch.tensor([token for one in documents for token in one])
    positions = torch.cat([torch.arange(len(one), dtype=torch.int32) for one in documents])
    languages = torch.full((len(tokens),), -1, dtype=torch.int16)
    bounds = Bounds.of([len(one) for one in documents])
    return Batch(tokens, flat, positions, bounds, languages, int((flat != IGNORE).sum()), 0), torch.tensor(of)


def _labels(documents: Sequence[list[int]], prompt: int) -> Iterator[list[int]]:
    for one in documents:
        yield [*[IGNORE] * (prompt - 1), *one[prompt:], IGNORE]
