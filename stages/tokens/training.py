"""Trains a byte-level BPE on the text of a corpus: only on documents that its ledger calls kept.

Pieces as in today's large vocabularies: words apart, each digit alone, line ends together. All 256 bytes are entries,
so that no text is without ids.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from lauter.chat.control import NAMES as CHAT
from lauter.pipeline import parquet
from lauter.pipeline.finished import read_corpus
from lauter.pipeline.storage import Storage
from lauter.stages.tokens.definition import canonical_json, load_definition, tokenizer_digest
from lauter.stages.tokens.encoder import cut_out
from lauter.stages.tokens.pattern import SPLIT
from lauter.stages.tokens.placeholders import PERSONAL_DATA
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.sidecar import Control, Sidecar

SIDECAR = Sidecar(
    unk=Control(id=0, token="<unk>"),
    bos=Control(id=1, token="<s>"),
    eos=Control(id=2, token="</s>"),
    pad=Control(id=3, token="<pad>"),
    placeholders={kind: Control(id=4 + place, token=f"<{kind}-pii>") for place, kind in enumerate(PERSONAL_DATA)},
    added={name: 4 + len(PERSONAL_DATA) + place for place, name in enumerate(CHAT)},
)
"""The control tokens: ids 0 to 26, the first four as Apertus has them, the last twelve those of a chat."""

_IDS = {control.token: control.id for control in SIDECAR.controls().values()} | dict(SIDECAR.added)
CONTROLS = tuple(sorted(_IDS, key=_IDS.__getitem__))
LEAST = len(CONTROLS) + len(BYTE_LETTERS)
"""Ids of a tokenizer that merges nothing."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A tokenizer, and what it was made of."""

    files: dict[str, bytes]
    """`tokenizer.json` and `sidecar.json`, canonical: what the `tokenizer` section of a manifest takes."""
    ids: int
    documents: int
    characters: int

    @property
    def digest(self) -> str:
        """As `tokens/index.json` of a corpus names it that is built with it."""
        return tokenizer_digest(self.files)


def train_tokenizer(
    folder: str, vocabulary: int, *, min_frequency: int = 2, sample: float = 1.0, seed: int = 0
) -> Trained:
    """A tokenizer of `vocabulary` ids from a run folder (local path or s3://).

    BPE over bytes (Sennrich et al., arXiv 1508.07909; Radford et al. 2019 for bytes). What a placeholder stands for is
    no text, and nothing is merged over it. Memory holds one row group and the different pieces with their counts, not
    the corpus. Equal input gives equal bytes, whatever the number of threads.

    Args:
        folder: a finished run.
        vocabulary: ids in all, the control tokens and 256 bytes included.
        min_frequency: how often a pair of pieces must stand in the text to be merged.
        sample: share of the documents to read, from 0 to 1: those whose hash of (seed, doc_id) is low.
        seed: of that hash.

    Raises:
        ValueError: a number is out of range, no document is left, or the text has too few pairs for so many ids.
        StorageError: the folder holds no finished corpus, or cannot be read.
    """
    if vocabulary < LEAST:
        raise ValueError(
            f"--vocabulary {vocabulary}: {len(CONTROLS)} control tokens and 256 bytes are {LEAST} ids already"
        )
    if not 0 < sample <= 1:
        raise ValueError(f"--sample {sample}: a share of the documents lies above 0 and is at most 1")
    read = _Read()
    # The training of `tokenizers` is deterministic: counts are sums, the alphabet is sorted, and of pairs with equal
    # counts that with the lower ids is merged first (its test trains with one and two threads).
    made = _bpe(_texts(Storage(folder), sample, seed, read), vocabulary, min_frequency)
    if not read.documents:
        raise ValueError(f"{folder}: no kept document is there to train on{'' if sample == 1 else '; raise --sample'}")
    found = len(made["model"]["vocab"])
    if found < vocabulary:
        raise ValueError(
            f"{folder}: pairs that its text holds at least {min_frequency} times make {found} ids, not {vocabulary}; "
            f"take --vocabulary {found} or less, more text, or a lower --min-frequency"
        )
    return Trained(_canonical(made), vocabulary, read.documents, read.characters)


def write_tokenizer(files: Mapping[str, bytes], out: Path) -> None:
    """Write a tokenizer's files, name -> bytes, into a new folder.

    Raises:
        FileExistsError: `out` exists: what a corpus was built with is never overwritten.
        OSError: it cannot be written.
    """
    out.mkdir(parents=True)
    for name, data in files.items():
        (out / name).write_bytes(data)


class _Read:
    """Counts of what has gone by."""

    def __init__(self) -> None:
        self.documents = 0
        self.characters = 0


def _bpe(texts: Iterator[list[str]], vocabulary: int, min_frequency: int) -> dict[str, Any]:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=min_frequency,
        special_tokens=list(CONTROLS),  # Their ids are their places. No text is searched for them.
        initial_alphabet=list(BYTE_LETTERS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    made: dict[str, Any] = json.loads(tokenizer.to_str())
    return made


def _canonical(made: dict[str, Any]) -> dict[str, bytes]:
    # Read back as a manifest's `tokenizer` section will: that it loads is proved here.
    with tempfile.TemporaryDirectory() as folder:
        tokenizer, sidecar = Path(folder, "tokenizer.json"), Path(folder, "sidecar.json")
        tokenizer.write_bytes(canonical_json(made))
        sidecar.write_bytes(SIDECAR.canonical())
        return load_definition(tokenizer, sidecar, bos=None, eos=None).files()


def _texts(storage: Storage, sample: float, seed: int, read: _Read) -> Iterator[list[str]]:
    """Texts of kept documents, cut at their placeholders, a row group at a time in the order of the inputs."""
    _, index = read_corpus(storage)
    below = int(sample * 2**64)
    for entry in index.inputs:
        due = _kept(storage, f"ledger/{entry.part}.parquet")
        path = f"documents/{entry.part}.parquet"
        with storage.open(path) as source:
            more = [name for name in pq.read_schema(source).names if name in ("pii_spans", "marks")]
        for batch in parquet.batches(storage, path, ["doc_id", "text", *more]):
            chosen = []
            for doc_id in batch.column("doc_id").to_pylist():
                # Of two rows with one doc_id the first is the kept one, the other a record that was stored twice.
                chosen.append(doc_id in due and xxhash.xxh3_64_intdigest(doc_id, seed) < below)
                due.discard(doc_id)
            if any(chosen):
                yield _pieces(batch.filter(pa.array(chosen)), read)
        if due:
            raise ValueError(f"{storage.root}: {len(due)} kept documents are not in {path}; `lauter audit` says more")


def _kept(storage: Storage, ledger: str) -> set[bytes]:
    """The doc_ids of one input's kept records."""
    found: set[bytes] = set()
    for batch in parquet.batches(storage, ledger, ["doc_id", "verdict"]):
        kept = pc.equal(batch.column("verdict").cast(pa.string()), "kept")
        found.update(batch.column("doc_id").filter(kept).to_pylist())
    return found


def _pieces(rows: pa.RecordBatch, read: _Read) -> list[str]:
    texts: list[str] = rows.column("text").to_pylist()
    spans = rows.column("pii_spans").to_pylist() if "pii_spans" in rows.schema.names else [None] * len(texts)
    read.documents += len(texts)
    read.characters += sum(map(len, texts))
    pieces: list[str] = []
    for text, found in zip(texts, spans, strict=True):
        cuts = [(span["start"], span["end"], 0) for span in found or () if span["type"] in PERSONAL_DATA]
        pieces += [piece for _, piece in cut_out(text, 0, cuts)]
    if "marks" in rows.schema.names:
        # The fixed words of a dialogue stand in no text, and in every one's tokens: cut into bytes they would be half
        # of a short dialogue.
        for marks in rows.column("marks").to_pylist():
            pieces += [mark["literal"] for mark in marks or () if mark["literal"]]
    return pieces
