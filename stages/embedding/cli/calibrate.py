"""`lauter embedding calibrate`: a head that exists, fitted to probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, refuse_existing, show
from lauter.stages.embedding.cli.options import (
    MOST,
    BatchOption,
    ConfigOption,
    DeviceOption,
    EncoderFiles,
    NegativesArgument,
    PositivesArgument,
    PrecisionOption,
    ThreadsOption,
    TokenizerOption,
    WeightsOption,
    load_encoder,
    load_texts,
    print_heads,
)
from lauter.stages.training_console import LanguageOption, MostOption

if TYPE_CHECKING:
    from lauter.stages.embedding.head import Head


def calibrate(
    source: Annotated[
        Path, typer.Argument(metavar="HEAD", help="A head, or the bare weights of two layers (.pt, .safetensors).")
    ],
    positives: PositivesArgument,
    negatives: NegativesArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The calibrated head; must not exist yet.")],
    weights: WeightsOption,
    tokenizer: TokenizerOption,
    encoder_config: ConfigOption = None,
    chunks: Annotated[
        Literal["first", "highest"], typer.Option(help="Of bare weights: which chunks of a document they judge.")
    ] = "first",
    language: LanguageOption = None,
    most: MostOption = MOST,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float32",
    batch_tokens: BatchOption = 512,
    threads: ThreadsOption = 1,
    *,
    as_json: JsonOption = False,
) -> None:
    """Fit a head's logits to probabilities (Platt) on one half of the texts, and measure it on the other.

    Bare weights, such as those that Apertus and FineWeb2-HQ published, become a head for the languages of the texts.
    The order of documents stays, so shares of a language do too; probabilities and absolute limits become true.
    """
    refuse_existing(out, "a head", "file")
    texts = load_texts(positives, negatives, language, most)
    encoder = load_encoder(EncoderFiles(weights, tokenizer, encoder_config, device, precision, batch_tokens, threads))
    from lauter.stages.embedding.head import save
    from lauter.stages.embedding.measured import recalibrated

    head = _load(source, chunks, tuple(sorted(set(texts.languages))))
    try:
        found = recalibrated(head, texts, encoder)
    except ValueError as error:
        fail(f"{source}: {error}", FAILED)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(found, out)
    if as_json:
        show({str(out): found.facts()})
        return
    print_heads({out.name: found})


def _load(source: Path, chunks: Literal["first", "highest"], languages: tuple[str, ...]) -> Head:
    from lauter.stages.embedding.head import Head, NoHeadError, from_state, load

    try:
        try:
            return load(str(source))
        except NoHeadError:
            return Head(from_state(str(source)), chunks, languages, "", card={"weights": source.name})
    except OSError as error:
        fail(f"{source} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)
