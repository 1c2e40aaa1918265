"""The tokenizer stage: documents to token ids, BOS first and EOS last, with any Hugging Face tokenizer.

Page text never becomes a control token (`sealing`), and no template is applied. The only ids that come from elsewhere
than the text are BOS, EOS and the placeholders of removed personal data.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import field_validator

from lauter.pipeline import schema
from lauter.pipeline.contract import FilePath, ModelPath, StageConfig, StageContext
from lauter.stages.tokens.apertus import build
from lauter.stages.tokens.definition import Definition, definition_of, load_definition, tokenizer_digest
from lauter.stages.tokens.engine import Engine, EngineName, open_engine
from lauter.stages.tokens.marked import Piece as Stretch
from lauter.stages.tokens.marked import dialogue_pieces, joined, loss_spans
from lauter.stages.tokens.tekken import embedded_files

_TOKENS = schema.TOKENS.field("tokens").type

Piece = tuple[int, str]
"""A control token's id, and the text between it and the next one."""


class TokenizerConfig(StageConfig):
    """Which tokenizer, and what runs it."""

    embedded: ClassVar[tuple[str, ...]] = ("tekken", "apertus")
    """Values of input fields that are no files."""

    tokenizer: ModelPath | Literal["tekken", "apertus"] = "tekken"
    """A Hugging Face `tokenizer.json`, or an embedded one of 131,072 entries: `tekken` is Mistral-Nemo's, `apertus` the
    same with Apertus's control tokens and its four LaTeX pieces."""
    sidecar: FilePath | None = None
    """Names of the control tokens; `tekken` has its own. It must be named here, so that a changed one is noticed. An
    empty text is none, as `${SIDECAR:-}` gives it."""
    bos: str | None = None
    """Token before every document, for a tokenizer without a sidecar."""
    eos: str | None = None
    """Token after every document, for a tokenizer without a sidecar."""
    engine: EngineName = "fastokens"
    """The library that encodes. `tokenizers` is used, with a warning, where fastokens can't take the tokenizer."""

    @field_validator("sidecar", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None


class HuggingFaceEncoder:
    """Encodes with a `tokenizer.json` and its sidecar."""

    name: ClassVar[str] = "tokenizer"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("fastokens", "tokenizers")
    Config: ClassVar[type[StageConfig]] = TokenizerConfig

    @classmethod
    def check_config(cls, config: TokenizerConfig) -> None:
        """Read a tokenizer of the user's own, before any work.

        Raises:
            ValueError: see `load_definition`.
        """
        if config.tokenizer not in config.embedded:
            cls(config, StageContext()).files()

    def __init__(self, config: TokenizerConfig, context: StageContext) -> None:
        self._config = config
        self._engine: Engine | None = None

    @cached_property
    def definition(self) -> Definition:
        """The tokenizer as it is used.

        Raises:
            ValueError: see `load_definition`.
        """
        config = self._config
        sidecar = Path(config.sidecar) if config.sidecar else None
        if config.tokenizer not in config.embedded:
            return load_definition(Path(config.tokenizer), sidecar, bos=config.bos, eos=config.eos)
        files = build() if config.tokenizer == "apertus" else embedded_files()
        return definition_of(files | ({"sidecar.json": sidecar.read_bytes()} if sidecar else {}), config.tokenizer)

    @property
    def engine(self) -> EngineName:
        """The library in use.

        Raises:
            RuntimeError: not opened.
        """
        return self._opened().name

    def open(self) -> None:
        """Load the vocabulary: one second and 120 MB for the embedded one.

        fastokens then caches words: 105 MB more after 21 MB of real text in 400 languages, and no more than 315 MB
        after 68 MB of random letters.

        Raises:
            ValueError: see `load_definition` and `open_engine`.
        """
        definition = self.definition
        self._engine = open_engine(
            self._config.engine,
            definition.sealed,
            byte_level=definition.byte_level,
            tested=self._config.tokenizer in self._config.embedded,
        )

    def files(self) -> dict[str, bytes]:
        """`tokenizer.json` and `sidecar.json`, canonical; works without `open`."""
        return self.definition.files()

    def digest(self) -> str:
        """SHA-256 over both files (`tokenizer_digest`)."""
        return tokenizer_digest(self.files())

    def encode(self, text: pa.LargeStringArray, spans: pa.ListArray | None) -> pa.ListArray:
        """Ids of each text, `schema.TOKENS`'s list<uint32>; a null text has null ids.

        A span (`schema.SPAN`) whose type is among the sidecar's placeholders becomes one id, and the texts around it
        are encoded each for itself. Spans of other types are ordinary text, as are spans outside the text, empty ones,
        and those that begin before the one before them ends.

        Raises:
            RuntimeError: not opened.
        """
        engine = self._opened()
        sidecar = self.definition.sidecar
        texts = text.to_pylist()
        begins = np.full(len(texts), sidecar.bos.id, np.uint32)
        last = np.ones(len(texts), np.bool_)
        pieces: list[str] = ["" if item is None else item for item in texts]
        inserted = self._insertions(spans) if spans is not None and sidecar.placeholders else {}
        if inserted:
            cut = [cut_out(piece, sidecar.bos.id, inserted.get(row, [])) for row, piece in enumerate(pieces)]
            begins = np.array([index for row in cut for index, _ in row], np.uint32)
            pieces = [piece for row in cut for _, piece in row]
            last = np.zeros(len(pieces), np.bool_)
            last[np.cumsum([len(row) for row in cut]) - 1] = True
        ids, offsets = interleave(*engine.encode(pieces), begins, last, sidecar.eos.id)
        return pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()),
            pa.array(ids),
            type=_TOKENS,
            mask=pc.is_null(text) if text.null_count else None,
        )

    @classmethod
    def controls(cls, config: TokenizerConfig) -> frozenset[str]:
        """See `marking.MarkingEncoder`: what the sidecar has `added`.

        Raises:
            ValueError: see `load_definition`.
        """
        return frozenset(cls(config, StageContext()).definition.sidecar.added)

    def encode_marked(
        self, text: pa.LargeStringArray, spans: pa.ListArray | None, marks: pa.ListArray
    ) -> tuple[pa.ListArray, pa.ListArray]:
        """See `marking.MarkingEncoder`. A placeholder carries loss where the text around it does.

        Raises:
            RuntimeError: not opened.
            ValueError: a mark names a control token that the sidecar lacks.
        """
        engine = self._opened()
        sidecar = self.definition.sidecar
        placed = self._insertions(spans) if spans is not None and sidecar.placeholders else {}
        pieces: list[Stretch] = []
        counts: list[int] = []
        marked = marks.is_valid().to_numpy(zero_copy_only=False)
        for row, (item, own) in enumerate(zip(text.to_pylist(), marks.to_pylist(), strict=True)):
            found = dialogue_pieces(item or "", own or (), placed.get(row, ()), sidecar.added, sidecar.bos.id)
            if own is None:
                found.append(Stretch(sidecar.eos.id))
            pieces += found
            counts.append(len(found))
        encoded = joined(*engine.encode([piece.text for piece in pieces]), pieces, counts)
        offsets = pa.array(encoded.offsets.astype(np.int32))
        ids = pa.ListArray.from_arrays(offsets, pa.array(encoded.ids), type=_TOKENS)
        return ids, loss_spans(encoded.offsets, encoded.labels, marked)

    def decode(self, ids: list[int]) -> str:
        """The text of a document's ids: placeholders by their token's name, all other control tokens by nothing.

        For a byte-level tokenizer without a normaliser, `decode(encode(text)) == text`, whatever the text.

        Raises:
            RuntimeError: not opened.
        """
        engine = self._opened()
        sidecar = self.definition.sidecar
        names = {control.id: control.token for control in sidecar.placeholders.values()}
        parts: list[str] = []
        run: list[int] = []
        for index in [*ids, sidecar.eos.id]:
            if index not in self._controls:
                run.append(index)
                continue
            parts += [engine.decode(run) if run else "", names.get(index, "")]
            run = []
        return "".join(parts)

    @cached_property
    def _controls(self) -> frozenset[int]:
        # A thousand reserved ids: built once, or decoding a short text takes ten times as long.
        sidecar = self.definition.sidecar
        return sidecar.ids() - ({sidecar.unk.id} if sidecar.unk and not self.definition.byte_level else set())

    def _opened(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("open() comes first")
        return self._engine

    def _insertions(self, spans: pa.ListArray) -> dict[int, list[tuple[int, int, int]]]:
        # (start, end, id) of the spans that become an id, by row.
        placeholders = self.definition.sidecar.placeholders
        flat = spans.flatten()
        counts = pc.fill_null(pc.list_value_length(spans), 0).to_numpy(zero_copy_only=False)
        kind = pc.index_in(pc.struct_field(flat, "type"), value_set=pa.array(sorted(placeholders), pa.string()))
        ids = [placeholders[name].id for name in sorted(placeholders)]
        starts, ends = (pc.struct_field(flat, name).to_pylist() for name in ("start", "end"))
        found: dict[int, list[tuple[int, int, int]]] = {}
        for row, start, end, which in zip(
            np.repeat(np.arange(len(spans)), counts).tolist(), starts, ends, kind.to_pylist(), strict=True
        ):
            if which is not None:
                found.setdefault(row, []).append((start, end, ids[which]))
        return found


def cut_out(text: str, bos: int, spans: list[tuple[int, int, int]]) -> list[Piece]:
    """A document as its control tokens (`bos` first, then one a span) and the text after each.

    `spans` are (start, end, id) in code points. Those that lie wrongly are ordinary text.

    >>> cut_out("ask a@b.c now", 1, [(4, 9, 37)])
    [(1, 'ask '), (37, ' now')]
    """
    pieces: list[Piece] = []
    control, at = bos, 0
    for start, end, index in sorted(spans):
        if at <= start < end <= len(text):
            pieces.append((control, text[at:start]))
            control, at = index, end
    return [*pieces, (control, text[at:])]


def interleave(
    ids: NDArray[np.uint32], offsets: NDArray[np.int64], begins: NDArray[np.uint32], last: NDArray[np.bool_], eos: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Put `begins[i]` before piece i, and `eos` after every piece that is the `last` of its document.

    `ids` has shape (offsets[-1],); piece i is ids[offsets[i]:offsets[i + 1]]; `begins` and `last` have shape (pieces,).
    Returns the ids and the documents' offsets, shape (documents + 1,).
    """
    size = np.diff(offsets) + 1 + last
    end = np.cumsum(size)
    control = np.zeros(end[-1] if len(end) else 0, np.bool_)
    result = np.full(len(control), eos, np.uint32)
    control[end - size] = True
    control[end[last] - 1] = True
    result[end - size] = begins
    result[~control] = ids
    return result, np.concatenate([np.zeros(1, np.int64), end[last]])
