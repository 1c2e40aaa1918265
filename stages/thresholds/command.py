"""`lauter lang thresholds` and `lauter lang import-fineweb2`: files of what is set by language, never by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show

if TYPE_CHECKING:
    from lauter.stages.languages_file import LanguageEntry

MethodName = Literal["quantile", "mean-std", "median-ratio", "tail"]
OutOption = Annotated[
    Path, typer.Option(metavar="FILE.yaml", help="Where thresholds go; stop words go beside it, to FILE-words.yaml.")
]


def thresholds(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="A corpus (its folder), or a folder of LABEL.txt and LABEL.words."),
    ],
    out: OutOption,
    least: Annotated[
        int, typer.Option(min=1, metavar="N", help="Documents that a label needs for thresholds of its own.")
    ] = 100,
    least_words: Annotated[
        int, typer.Option(min=1, metavar="N", help="Words that a label needs for a list of stop words.")
    ] = 2000,
    method: Annotated[
        MethodName | None,
        typer.Option(help="How thresholds are carried from English, instead of each one's own way."),
    ] = None,
    tail: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of documents that a threshold of the tail drops.")
    ] = 0.1,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Use only lines and lists of this source; may be repeated."),
    ] = None,
    fallback: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="A languages file with stop words for labels that get none here."),
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.tsv",
            help="Lines of label, tab, text: take only stop words that work on them, or on those of another --check.",
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make thresholds and stop words by language from a corpus's scores and documents, or from lines of text."""
    from lauter.pipeline.storage import Storage, StorageError
    from lauter.stages.languages_file import read
    from lauter.stages.thresholds.checking import read_check
    from lauter.stages.thresholds.make import Listing, from_corpus, from_folder

    try:
        others = {} if fallback is None else read(str(fallback))
        listing = Listing(least_words, others, tuple(map(read_check, check or ())))
        storage = Storage(data)
        if storage.size("corpus.json") is not None:
            made = from_corpus(storage, least, listing, method, tail)
        elif Path(data).is_dir():
            with Progress(transient=True, console=Console(stderr=True)) as progress:
                bar = progress.add_task("labels")
                made = from_folder(
                    Path(data), frozenset(source or ()), least, listing, method, tail,
                    lambda done, all_: progress.update(bar, completed=done, total=all_),
                )  # fmt: skip
        else:
            fail(f"{data}: no such folder", USAGE)
    except (ValueError, StorageError) as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or data} can't be read: {error.strerror or error}", USAGE)
    command = ["lauter lang thresholds", Path(data).name, f"--out {out.name}", f"--least {least}"]
    command += [f"--least-words {least_words}", *([f"--method {method}"] if method else []), f"--tail {tail}"]
    command += [f"--source {name}" for name in source or ()] + ([f"--fallback {fallback.name}"] if fallback else [])
    command += [f"--check {path.name}" for path in check or ()]
    head = f"Made by `{' '.join(command)}`, not by hand.\nFrom {made.origin}."
    _write(out, made.thresholds, made.words, head, made.model, as_json=as_json)


def import_fineweb2(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder `configs` of FineWeb-2's repository: LABEL.yml files.")
    ],
    out: OutOption,
    *,
    as_json: JsonOption = False,
) -> None:
    """Turn FineWeb-2's published thresholds and stop words of some 1,900 labels into the same files."""
    from lauter.stages.languages_file import LanguageEntry
    from lauter.stages.thresholds.fineweb2 import digest, read_configs

    try:
        entries = read_configs(folder)
    except ValueError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or folder} can't be read: {error.strerror or error}", USAGE)
    words = {
        label: LanguageEntry(stop_words=entry.stop_words)
        for label, entry in entries.items()
        if entry.stop_words is not None
    }
    limits = {label: entry.model_copy(update={"stop_words": None}) for label, entry in entries.items()}
    head = (
        f"Made by `lauter lang import-fineweb2 {folder.name} --out {out.name}`, not by hand.\n"
        f"From FineWeb-2's configs (repository huggingface/fineweb-2, Apache-2.0; arXiv:2506.20920), {len(entries):,} "
        f"files, SHA-256 over them {digest(folder)}.\nIts thresholds of language_score are for scores of GlotLID."
    )
    _write(out, limits, words, head, "glotlid", as_json=as_json)


def _write(
    out: Path,
    limits: Mapping[str, LanguageEntry],
    words: Mapping[str, LanguageEntry],
    head: str,
    model: str | None,
    *,
    as_json: bool,
) -> None:
    from lauter.stages.languages_file import languages_text

    listed = out.with_name(f"{out.stem}-words.yaml")
    try:
        out.write_text(languages_text(limits, head, model), encoding="utf-8")
        listed.write_text(languages_text(words, head), encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename or out} can't be written: {error.strerror or error}", FAILED)
    found = {
        "thresholds": str(out),
        "stop_words": str(listed),
        "labels": len(limits),
        "labels_with_stop_words": len(words),
        "labels_with_language_score": sum(entry.language_score is not None for entry in limits.values()),
        "labels_with_quality": sum(bool(entry.quality) for entry in limits.values()),
    }
    if as_json:
        show(found)
        return
    console = Console(highlight=False)
    console.print(
        f"{out}: {found['labels']:,} labels, {found['labels_with_language_score']:,} with a threshold of the language "
        f"score, {found['labels_with_quality']:,} with thresholds of quality",
        soft_wrap=True,
    )
    console.print(f"{listed}: {len(words):,} labels with stop words", soft_wrap=True)
