"""How a process enters a run: at the run's own checkpoint, at another run's, or at first values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lauter.trainer.checkpoint.error import NoCheckpoint
from lauter.trainer.checkpoint.read import Checkpoint, resolve
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.config.sections import RunSection
from lauter.trainer.data.samples import BEGIN
from lauter.trainer.huggingface.tokenizer import same_vocabulary
from lauter.trainer.loop import state
from lauter.trainer.loop.cooldown import kept_schedule, with_cooldown
from lauter.trainer.loop.counts import Counts, counts_of
from lauter.trainer.loop.errors import ConfigError, RunFailed
from lauter.trainer.loop.guard import Guard
from lauter.trainer.loop.lineage import (
    Lineage,
    by_section,
    changes,
    differences,
    flat,
    parent_of,
    read_on,
    require_parent,
    words,
)
from lauter.trainer.loop.parts import Parts
from lauter.trainer.loop.resume import identity, reads_on, require_fitting, require_same_run
from lauter.trainer.loop.weights import fill_weights
from lauter.trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of the start, besides the config."""

    start: Path | None = None
    """A checkpoint of another run to begin from, where the run folder has none yet."""
    cooldown: int | None = None
    """Only cool down, for so many tokens from where the branch began."""
    schedule: tuple[str, ...] = ()
    """Keys of the schedule that are given there, and so hold against those a cooldown keeps in its checkpoints."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Where a process came in."""

    section: RunSection
    """The config, with the schedule of a cooldown."""
    progress: Progress
    counts: Counts
    lineage: Lineage
    saved: bool
    """Whether the run's own folder holds this state."""
    again: Callable[[], Progress]
    """Fills model and moments once more as the run began, for a guard that goes back before the first checkpoint."""


def enter(parts: Parts, checkpoints: Checkpoints, guard: Guard, wanted: Wanted, tell: Callable[[str], None]) -> Entered:
    """Fill model, moments and guard. Called by all ranks.

    Raises:
        ConfigError: the checkpoint is another run's, does not fit, or the data end too early.
        CheckpointError: a checkpoint can't be read.
    """
    latest = checkpoints.latest()
    if latest is not None:
        found = _resume(parts, checkpoints, latest, wanted, tell)
        guard.load(latest.meta["guard"])
    elif parts.section.objective != "pretrain":
        found = _tune(parts, checkpoints, wanted.start, tell)
    elif wanted.start is not None:
        found = _branch(parts, checkpoints, wanted.start, wanted, tell)
    else:
        found = _begin(parts, wanted)
    _require_data(parts, found)
    return found


def _begin(parts: Parts, wanted: Wanted) -> Entered:
    section = parts.section if wanted.cooldown is None else with_cooldown(parts.section, None, wanted.cooldown)

    def fill() -> Progress:
        state.begin(parts.model, parts.optimizer, section.seed)
        return Progress()

    progress = fill()
    lineage = Lineage(None, None, [{"from_sample": 0, "provenance": parts.corpus.provenance}], [])
    return Entered(section, progress, Counts(), lineage, saved=False, again=fill)


def _resume(
    parts: Parts, checkpoints: Checkpoints, latest: Checkpoint, wanted: Wanted, tell: Callable[[str], None]
) -> Entered:
    out, meta = latest.path.parent.parent, latest.meta
    if meta["config"] is None:
        raise ConfigError(f"{out} holds an imported model; give another --out, and --from {out} to begin from it")
    if wanted.start is not None:
        require_parent(out, meta["parent"], wanted.start)
    parts.samples.go_on(meta["data"]["order"].get(BEGIN, {}))
    require_same_run(latest, _identity(parts), parts.samples)
    section = _scheduled(parts.section, latest, wanted, tell)
    state.load(checkpoints, latest, parts.model, parts.optimizer)
    progress = Progress(**meta["progress"])
    tell(f"goes on from {latest.path}: step {progress.step}, {progress.tokens:,} tokens")
    history, said = read_on(meta["data"]["history"], parts.corpus.provenance, progress.samples)
    found = changes(meta["config"], section, progress.step)
    # Layouts of streams that only later stages read: the config does not tell them.
    was, is_now = (flat("data.streams", order["streams"]) for order in (meta["data"]["order"], parts.samples.order))
    found += differences(was, is_now, progress.step)
    for line in [*said, *by_section(found)]:
        tell(f"changed since {latest.path.name}: {line}")
    cooldown = meta["cooldown"] if wanted.cooldown is None else wanted.cooldown
    lineage = Lineage(meta["parent"], cooldown, history, [*meta["changes"], *found])

    def again() -> Progress:
        if meta["parent"] is not None:
            raise RunFailed(
                f"{out} has no checkpoint from before the bad stretch; begin the branch anew, with another --out"
            )
        state.begin(parts.model, parts.optimizer, section.seed)
        return Progress()

    return Entered(section, progress, counts_of(meta), lineage, saved=True, again=again)


def _scheduled(section: RunSection, latest: Checkpoint, wanted: Wanted, tell: Callable[[str], None]) -> RunSection:
    """A cooldown goes on by its own schedule, which neither the config nor the parent's present state knows."""
    if wanted.cooldown is not None:
        return with_cooldown(section, latest.meta["parent"], wanted.cooldown)
    if latest.meta["cooldown"] is None:
        return section
    kept = kept_schedule(section, latest.meta["config"]["schedule"], wanted.schedule)
    given = f", but for schedule.{', schedule.'.join(wanted.schedule)}" if wanted.schedule else ""
    tell(
        f"a branch that cools down for {latest.meta['cooldown']:,} tokens: its own schedule holds{given}, up to "
        f"{kept.schedule.total_tokens:,} tokens"
    )
    return kept


def _branch(
    parts: Parts, checkpoints: Checkpoints, start: Path, wanted: Wanted, tell: Callable[[str], None]
) -> Entered:
    checkpoint = checkpoints.open(_step_folder(start))
    _require_vocabulary(parts, checkpoint)
    meta, section, parent = checkpoint.meta, parts.section, parent_of(checkpoint, start)
    if wanted.cooldown is not None:
        section = with_cooldown(section, parent, wanted.cooldown)
    progress = Progress(**meta["progress"])
    if meta["data"] is not None:
        parts.samples.go_on(meta["data"]["order"].get(BEGIN, {}))
    anew = meta["data"] is not None and not reads_on(checkpoint, parts.samples)
    going_on = parts.samples.go_on(meta["data"].get("read", {})) if anew else []
    found = [] if meta["config"] is None else changes(meta["config"], section, progress.step)
    differing = require_fitting(checkpoint, _identity(parts))
    for difference in [*differing, *by_section([one for one in found if words(one) not in differing])]:
        tell(f"other than in {checkpoint.path}: {difference}")

    def fill() -> list[str]:
        state.begin(parts.model, parts.optimizer, section.seed)
        return state.load_what_is_there(checkpoints, checkpoint, parts.model, parts.optimizer)

    missing = fill()
    moments = f"its moments {', '.join(missing)} start at 0, as it has none" if missing else "moments included"
    tell(f"begins from {checkpoint.path}, {moments}: step {progress.step}, {progress.tokens:,} tokens")
    if anew:
        if going_on:
            tell(
                f"its samples are others: {', '.join(going_on)} go on where it stopped; the schedule's tokens count on"
            )
        else:
            tell("its data are others: these are read from their first sample on; the schedule's tokens count on")
        progress = replace(progress, samples=0)
    history = [{"from_sample": progress.samples, "provenance": parts.corpus.provenance}]

    def again() -> Progress:
        fill()
        return progress

    lineage = Lineage(parent, wanted.cooldown, history, found)
    return Entered(section, progress, counts_of(meta), lineage, saved=False, again=again)


def _tune(parts: Parts, checkpoints: Checkpoints, start: Path | None, tell: Callable[[str], None]) -> Entered:
    """The weights of another run; moments, tokens and samples begin anew."""
    if start is None:
        raise ConfigError("there is no checkpoint to go on from yet: give --from CHECKPOINT, whose weights are tuned")
    checkpoint = checkpoints.open(_step_folder(start))
    _require_vocabulary(parts, checkpoint)
    same = {f"model.{key}" for key in asdict(parts.shape)}
    for difference in require_fitting(checkpoint, _identity(parts)):
        if difference.partition(":")[0] in same:
            tell(f"other than in {checkpoint.path}: {difference}")

    def fill() -> Progress:
        state.begin(parts.model, parts.optimizer, parts.section.seed)
        checkpoints.read(lambda: fill_weights(checkpoint, parts.model, parts.optimizer))
        return Progress()

    progress = fill()
    tell(f"begins with the weights of {checkpoint.path}, which were trained for {_tokens(checkpoint)} tokens")
    lineage = Lineage(
        parent_of(checkpoint, start), None, [{"from_sample": 0, "provenance": parts.corpus.provenance}], []
    )
    return Entered(parts.section, progress, Counts(), lineage, saved=False, again=fill)


def _tokens(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.meta['progress']['tokens']:,}"


def _step_folder(start: Path) -> Path:
    """What the user names is found once: the parent may train on and save, and a rollback goes to the same place."""
    try:
        return resolve(start)
    except NoCheckpoint as error:
        raise ConfigError(f"--from {error}") from error


def _identity(parts: Parts) -> dict[str, object]:
    return identity(parts.section, parts.shape, parts.corpus.tokenizer.digest, parts.samples.fingerprint)


def _require_vocabulary(parts: Parts, checkpoint: Checkpoint) -> None:
    """Another tokenizer will do where every id of text means the same: an import knows its vocabulary only."""
    tokenizer = parts.corpus.tokenizer
    if checkpoint.meta["tokenizer"].get("digest") == tokenizer.digest:
        return
    wrong = same_vocabulary(checkpoint, tokenizer.files["tokenizer.json"], bos=tokenizer.bos, eos=tokenizer.eos)
    if wrong:
        raise ConfigError(
            f"--from {checkpoint.path}: its vocabulary is another than the corpus's:\n  " + "\n  ".join(wrong)
        )


def _require_data(parts: Parts, entered: Entered) -> None:
    """Stages that end before the schedule does, by more than a step, would cut the cooldown off."""
    total, length = parts.samples.total, parts.section.data.sequence_length
    if total is None:
        return
    batch = parts.section.batch
    largest = max(batch.sequences, *(step.sequences for step in batch.ramp), 0)
    needed = entered.section.schedule.total_tokens - entered.progress.tokens
    left = (total - entered.progress.samples) * length
    if left + largest * length <= needed:
        raise ConfigError(
            f"data.stages hold {left:,} more tokens, schedule.total_tokens asks for {needed:,}; leave `tokens` out of "
            "the last stage, or shorten the schedule"
        )
