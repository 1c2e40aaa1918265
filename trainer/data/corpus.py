"""Opens the corpora of a run: streams to train on, held-out ones, the one tokenizer, and where it all comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lauter.trainer.config.sections import DataSection, StageSection
from lauter.trainer.data.errors import DataError as DataError
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.data.mixture import mixture
from lauter.trainer.data.run_folder import RunFolder, open_run_folder
from lauter.trainer.data.stored_windows import stored_windows
from lauter.trainer.data.stream import Stream
from lauter.trainer.data.tokenizer import TokenizerFiles
from lauter.trainer.data.verify import WHOLE, Share, Verify, check_shards, shards_of


@dataclass(frozen=True, slots=True)
class Corpus:
    """All corpora of a run as one."""

    streams: Mapping[str, Stream]
    """What is trained on, by name, in order of name."""
    held_out: Mapping[str, Stream]
    """The last shards of the same streams; empty where none are held out."""
    languages: tuple[str, ...]
    """Names as in the shards (`deu_Latn`), sorted: `Batch.languages` are indices into it."""
    language_tokens: Mapping[str, int]
    """Tokens of each language over all corpora, in order of name, held-out shards included."""
    tokenizer: TokenizerFiles
    provenance: list[dict[str, Any]]
    """Of each corpus, as JSON: `provenance.py` says what."""


def open_corpora(section: DataSection, *, verify: Verify = "quick", share: Share = WHOLE) -> Corpus:
    """Open and check the section's corpora, and check its stages against their streams.

    `verify`: `quick` looks at sizes and footers of all shards, `full` at every byte too, of this process's `share`.

    Raises:
        DataError: every problem found: what, where, and how to mend it. `UnfitError` where no file is broken.
    """
    broken: list[str] = []
    unfit: list[str] = []
    folders: list[RunFolder] = []
    for one in section.corpora:
        try:
            folders.append(open_run_folder(one))
        except UnfitError as error:
            unfit += error.problems
        except DataError as error:
            broken += error.problems
    unfit += [*_same_names(folders), *_mixed_tokenizers(folders)]
    languages = tuple(sorted(frozenset().union(*(folder.languages for folder in folders))))
    streams: dict[str, Stream] = {}
    for folder in folders:
        packed = section.sequence_length if section.packing == "best-fit" else None
        found, wrong = _streams(folder, languages, verify, share, packed, prefixed=len(section.corpora) > 1)
        streams.update(found)
        broken += wrong
    held = section.hold_out_shards
    trained = {name for stage in section.stages for name in _read(stage, streams)} or set(streams)
    unfit += [
        f"stream {name!r} has {len(stream.shards)} shards, and data.hold_out_shards {held} leaves nothing to train on; "
        "hold out fewer, or build with a smaller sharding.tokens_per_shard"
        for name, stream in streams.items()
        if name in trained and not stream.without_last(held).tokens
    ]
    if not section.corpora:
        unfit.append("no corpus: name one under data.corpora, or give --data DIR")
    if broken:
        raise DataError([*broken, *unfit])
    if unfit:
        raise UnfitError(unfit)
    # Last, as streams that could not be opened would be called unknown.
    mixture(section, streams)
    ordered = {name: streams[name] for name in sorted(streams)}
    return Corpus(
        {name: stream.without_last(held) for name, stream in ordered.items()},
        {name: stream.last(held) for name, stream in ordered.items() if held},
        languages,
        {name: sum(folder.languages.get(name, 0) for folder in folders) for name in languages},
        folders[0].tokenizer,
        [folder.provenance for folder in folders],
    )


def _streams(
    folder: RunFolder, languages: Sequence[str], verify: Verify, share: Share, packed: int | None, *, prefixed: bool
) -> tuple[dict[str, Stream], list[str]]:
    """`packed`: the length of best-fit windows, None for others."""
    shards = shards_of(folder)
    tokens, problems = check_shards(folder, shards, verify, share)
    numbers = {name: number for number, name in enumerate(languages)}
    windows = None
    if packed is not None and not problems:
        try:
            windows = stored_windows(folder.storage, folder.provenance["lineage"], tokens, packed)
        except DataError as error:
            problems += error.problems
    found = {}
    for stored in tokens:
        name = f"{folder.name}/{stored}" if prefixed else stored
        copies = int(folder.index["streams"][stored].get("of", {}).get("copies", [1])[0])
        own = None if windows is None else windows.get(stored)
        found[name] = Stream(name, stored, folder.layout_id, shards[stored], tokens[stored], numbers, copies, own)
    return found, problems


def _read(stage: StageSection, streams: Collection[str]) -> list[str]:
    """The streams that a stage names, or all where it names none."""
    if stage.mixture is not None:
        return [name for name in streams if stage.mixture.names(name)]
    return list(stage.streams or streams)


def _same_names(folders: Sequence[RunFolder]) -> list[str]:
    return [
        f"data.corpora: {count} corpora are called {name!r}; give each a `name` of its own"
        for name, count in Counter(folder.name for folder in folders).items()
        if count > 1
    ]


def _mixed_tokenizers(folders: Sequence[RunFolder]) -> list[str]:
    first = folders[0] if folders else None
    return [
        f"{folder.storage.root}: was built with tokenizer {folder.tokenizer.digest}, and {first.storage.root} with "
        f"{first.tokenizer.digest}: ids of two tokenizers do not mix; build one again with the other's tokenizer"
        for folder in folders
        if first is not None and folder.tokenizer.digest != first.tokenizer.digest
    ]
