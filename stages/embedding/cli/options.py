"""What the commands share: the encoder, the texts of two classes, and how a result is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import typer

from lauter.pipeline.cli.console import FAILED, USAGE, fail
from lauter.stages.training_console import FILES, print_measures, read_texts

if TYPE_CHECKING:
    from lauter.stages.embedding.encoder import Device, Precision
    from lauter.stages.embedding.head import Head
    from lauter.stages.embedding.measured import Encoder
    from lauter.stages.labelled_texts import Labelled

MOST_CHARACTERS = 1 << 17
"""Code points of a text that are read: 64 chunks and more."""

PositivesArgument = Annotated[str, typer.Argument(metavar="POSITIVES", help=f"Good, or toxic, texts: {FILES}.")]
NegativesArgument = Annotated[str, typer.Argument(metavar="NEGATIVES", help="The others, in the same form.")]
WeightsOption = Annotated[
    Path, typer.Option(metavar="FILE", help="The encoder's weights: .safetensors, .bin or .onnx.")
]
TokenizerOption = Annotated[Path, typer.Option(metavar="FILE", help="The encoder's tokenizer.json.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--encoder-config", metavar="FILE", help="The encoder's config.json; .onnx needs none.")
]
DeviceOption = Annotated[str, typer.Option(help="cpu or cuda.")]
PrecisionOption = Annotated[str, typer.Option(help="float32 or bfloat16.")]
BatchOption = Annotated[int, typer.Option(min=512, help="Tokens that the encoder sees at once.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="CPU threads.")]
MOST = 80_000
"""As many as FineWeb2-HQ has of each language (arXiv:2502.10361)."""


class EncoderFiles(NamedTuple):
    """An encoder as the options name it."""

    weights: Path
    tokenizer: Path
    config: Path | None
    device: str
    precision: str
    batch_tokens: int
    threads: int


def load_encoder(files: EncoderFiles) -> Encoder:
    """The encoder, ready; leaves with a usage error where it can't be had."""
    from lauter.stages.embedding.config import EmbeddingConfig
    from lauter.stages.embedding.encoder import digest_of, load, width_of
    from lauter.stages.embedding.measured import Encoder
    from lauter.stages.encoders.chunks import Chunker
    from lauter.stages.encoders.extras import MissingExtraError

    if files.device not in ("cpu", "cuda"):
        fail(f"--device is cpu or cuda, not {files.device}", USAGE)
    if files.precision not in ("float32", "bfloat16"):
        fail(f"--precision is float32 or bfloat16, not {files.precision}", USAGE)
    fields = EmbeddingConfig.model_fields
    try:
        model = load(
            str(files.weights),
            str(files.config) if files.config is not None else None,
            cast("Device", files.device),
            cast("Precision", files.precision),
            files.threads,
        )
        chunker = Chunker(str(files.tokenizer), fields["chunk_tokens"].default)
        width_of(model, fields["chunk_tokens"].default, chunker.pad)
        return Encoder(
            model,
            chunker,
            digest_of(str(files.weights), str(files.tokenizer)),
            files.batch_tokens,
            fields["max_chunks"].default,
        )
    except MissingExtraError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{error.filename or files.weights} can't be read: {error.strerror or error}", USAGE)
    except ValueError as error:
        fail(str(error), USAGE)


def load_texts(positives: str, negatives: str, language: str | None, most: int) -> Labelled:
    """The texts; leaves with a usage error where they can't be had, or one of them names no language."""
    from lauter.stages.labelled_texts import UNLABELLED

    texts = read_texts(positives, negatives, language, most, MOST_CHARACTERS)
    bare = texts.languages.count(UNLABELLED)
    if bare:
        fail(f"{bare:,} texts name no language, and a head judges the languages of its texts: --language LABEL", USAGE)
    return texts


def print_heads(heads: Mapping[str, Head]) -> None:
    """A table of what heads, by file name, do on texts that they were not trained on."""
    print_measures(
        ("head", "language"),
        [((name, label), found) for name, head in heads.items() for label, found in head.card["held out"].items()],
    )
