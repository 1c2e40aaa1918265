"""`lauter probes`: files of probes, made of a user's own text, and what a file plants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, refuse_existing, show

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Files of probes, to measure what a model remembers of its corpus."
)


@app.callback()
def probes() -> None:
    """Files of probes, to measure what a model remembers of its corpus."""


@app.command()
def passages(
    texts: Annotated[list[Path], typer.Argument(metavar="TEXT...", help="Text files (UTF-8) of your own.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the probes go (JSONL); must not exist yet.")],
    words: Annotated[int, typer.Option(min=1, help="Words of a passage.")] = 500,
    per_bucket: Annotated[int, typer.Option(min=1, metavar="N", help="Passages for each repetition count.")] = 10,
    repetitions: Annotated[
        str, typer.Option(metavar="LIST", help="Repetition counts; 0 are controls.")
    ] = "0,1,2,4,8,16,32,64,128",
    seed: Annotated[int, typer.Option(min=0, help="Deals the passages to the buckets.")] = 0,
) -> None:
    """Cut texts to passages that are planted 0, 1, 2, 4, … times; no two overlap."""
    from lauter.stages.read.probes.entries import MAX_REPETITIONS
    from lauter.stages.read.probes.passages import passages as cut_passages

    refuse_existing(out, "what a corpus was built with", "file")
    names = [path.stem for path in texts]
    if len(set(names)) < len(names):
        fail("two texts have one name without folder and ending: their passages would have one id; rename one", USAGE)
    try:
        counts = [int(item) for item in repetitions.split(",")]
    except ValueError:
        counts = []
    if not counts or not 0 <= min(counts) <= max(counts) <= MAX_REPETITIONS or len(set(counts)) < len(counts):
        fail(f"--repetitions takes different counts from 0 to {MAX_REPETITIONS:,}, not {repetitions!r}", USAGE)
    read = {path.stem: _text(path) for path in texts}
    try:
        made = cut_passages(read, words, per_bucket, counts, seed)
    except ValueError as error:
        fail(str(error), USAGE)
    try:
        lines = (json.dumps(probe.model_dump(), ensure_ascii=False) + "\n" for probe in made)
        out.write_text("".join(lines), "utf-8")
    except OSError as error:
        fail(f"{out} can't be written: {error}", FAILED)
    records = sum(probe.repetitions for probe in made)
    Console(emoji=False).print(f"{len(made):,} probes, {records:,} records: {out}", soft_wrap=True, highlight=False)


@app.command(name="list")
def list_probes(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of probes (YAML or JSONL).")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what a file plants, by bucket."""
    from lauter.stages.read.probes.reader import ProbesConfig, ProbesReader

    try:
        with file.open("rb") as stream:
            buckets = ProbesReader(ProbesConfig(), "").plants(stream)
    except (ValueError, OSError) as error:
        fail(f"{file}: {error}", USAGE)
    if as_json:
        show([{**bucket._asdict(), "records": bucket.probes * bucket.repetitions} for bucket in buckets])
        return
    table = Table()
    for header in ("bucket", "kind", "probes", "repetitions", "records"):
        table.add_column(header, justify="left" if header in ("bucket", "kind") else "right")
    for bucket in buckets:
        numbers = (bucket.probes, bucket.repetitions, bucket.probes * bucket.repetitions)
        table.add_row(bucket.name, bucket.kind, *(f"{number:,}" for number in numbers))
    Console(emoji=False).print(table)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}", USAGE)
    except UnicodeDecodeError as error:
        fail(f"{path} is not UTF-8 at byte {error.start:,}; save it as UTF-8", USAGE)
