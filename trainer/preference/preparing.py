"""All of preference data: completions, rewards and pairs of a section, in its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lauter.chat.conversation import ChatError
from lauter.pipeline.storage import Storage
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, open_checkpoint, tokenizer_files
from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.generate.load import load_model, tokenizer_of
from lauter.trainer.generate.tokenizer import TokenizerError
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.preference.data import folder_of
from lauter.trainer.preference.encoding import Speech
from lauter.trainer.preference.endpoint import Endpoint, by_endpoint
from lauter.trainer.preference.folder import INDEX, MAKING, read_block
from lauter.trainer.preference.index import begin_making, finish_making, making_of
from lauter.trainer.preference.judge import by_judge
from lauter.trainer.preference.making import (
    POLL_SECONDS,
    Making,
    count_prompts,
    make_completions,
    make_pairs,
    make_rewards,
)
from lauter.trainer.preference.pair_windows import pair_lengths
from lauter.trainer.preference.reward_model import by_model as by_reward_model
from lauter.trainer.preference.rewards import Reward, by_function
from lauter.trainer.preference.sampling import Answer, by_model


def prepare(
    section: PreferenceSection,
    *,
    seed: int,
    longest: int,
    start: Path,
    out: Path,
    tell: Callable[[str], None],
) -> None:
    """Make what is missing in the folder of a run's preference data. Under torchrun every process calls it.

    Args:
        section: what to make.
        seed: of the completions that are drawn, and of what else is left to chance.
        longest: tokens of a window, which must hold a pair.
        start: the reference model, a checkpoint; it is also what the training begins from.
        out: the run folder.
        tell: where it says how it gets on.

    Raises:
        UnfitError: the section does not go with the checkpoint, the prompts or what is in the folder.
        CheckpointError: the checkpoint can't be read. `DataError`: a file of the folder.
        RewardError: a reward can't be had. `EndpointError`: an answer of a server.
    """
    ranks = ranks_here()
    storage = Storage(str(folder_of(section, out)))
    checkpoint = open_checkpoint(start)
    files = tokenizer_files(checkpoint)
    most = _longest_prompt(section, longest, checkpoint)
    making = making_of(section, seed, longest, checkpoint, files)
    if ranks.first:
        begin_making(storage, making, files)
    else:
        _until(lambda: storage.size(MAKING) is not None)
        begin_making(storage, making, files)
    if storage.size(INDEX) is not None:
        return
    try:
        speech = Speech(tokenizer_of(checkpoint))
    except (ChatError, TokenizerError) as error:
        raise UnfitError([f"{checkpoint.path}: {error}"]) from error
    prompts = count_prompts(section)
    blocks = -(-prompts // section.block)
    each = Making(section, seed, storage, speech, ranks, longest, most, blocks)
    make_completions(each, lambda: _answer(section, checkpoint, speech, seed), tell)
    make_rewards(each, lambda: reward_of(section), tell)
    make_pairs(each)
    if ranks.first:
        counts = _counts(storage, blocks, prompts)
        finish_making(storage, making, blocks, counts)
        tell(
            f"{counts['pairs']:,} pairs of {prompts:,} prompts, {counts['completions']:,} completions, of which "
            f"{counts['cut']:,} were cut at {section.references.new_tokens} tokens"
        )
        if counts["answered"] < prompts:
            tell(
                f"{prompts - counts['answered']:,} prompts are left out: in a window of {longest} tokens they leave no "
                f"room for two answers, or with {section.references.new_tokens} new tokens are too long for the model; "
                f"the longest that is taken has {most}"
            )
    _until(lambda: storage.size(INDEX) is not None)


def _longest_prompt(section: PreferenceSection, longest: int, checkpoint: Checkpoint) -> int:
    """Tokens of the longest prompt that can be learnt from.

    Twice in a window, with one token of answer each; and before all tokens of an answer among the model's positions,
    where it is sampled from here: a server cuts answers there by itself.

    Raises:
        UnfitError: the model has no room for a prompt, or for a window.
    """
    positions, new_tokens = model_shape_of(checkpoint).positions, section.references.new_tokens
    if longest > positions:
        raise UnfitError(
            [f"data.sequence_length: {longest} is more than the {positions} positions of {checkpoint.path}; lower it"]
        )
    most = longest // 2 - 1
    if section.references.endpoint is not None:
        return most
    if new_tokens >= positions:
        raise UnfitError(
            [
                f"preference.references.new_tokens: {new_tokens} leave no room for a prompt in the {positions} "
                f"positions of {checkpoint.path}; lower them"
            ]
        )
    return min(most, positions - new_tokens)


def _answer(section: PreferenceSection, checkpoint: Checkpoint, speech: Speech, seed: int) -> Answer:
    references = section.references
    if references.endpoint is not None:
        return by_endpoint(Endpoint(references.endpoint), speech, references, seed)
    gpu = torch.cuda.is_available()
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if gpu else "cpu"
    model = load_model(checkpoint, torch.bfloat16 if gpu else torch.float32, device)
    return by_model(model, speech, references, seed)


def reward_of(section: PreferenceSection) -> Reward:
    """What gives the rewards. Raises `RewardError` and `EndpointError` where it can't be had."""
    reward = section.reward
    if reward.function is not None:
        return by_function(reward.function)
    if reward.judge is not None:
        return by_judge(reward.judge, Endpoint(reward.judge.endpoint))
    assert reward.model is not None
    return by_reward_model(Path(reward.model))


def _counts(storage: Storage, blocks: int, prompts: int) -> dict[str, int]:
    found = {"prompts": prompts, "answered": 0, "completions": 0, "cut": 0, "pairs": 0, "pair_tokens": 0}
    for block in range(blocks):
        completions = read_block(storage, "completions", block)
        whole = [one for row in completions["whole"].to_pylist() for one in row]
        lengths = pair_lengths(read_block(storage, "pairs", block))
        found["answered"] += len(completions)
        found["completions"] += len(whole)
        found["cut"] += whole.count(False)
        found["pairs"] += len(lengths)
        found["pair_tokens"] += int(lengths.sum())
    return found


def ranks_here() -> Ranks:
    """Which part is this process's: without a process group, as nothing is said here for hours."""
    return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")), torch.device("cpu"))


def _until(there: Callable[[], bool]) -> None:
    while not there():
        time.sleep(POLL_SECONDS)
