"""Makes the training data of the embedded model from the public collections that its inputs are had from.

Which file of which collection is text of which label is a table that is shipped with the model (`inputs.tsv`:
source, path in the collection, label, licence). A row more, or a collection of one's own in one of these forms, is all
that new data takes. What a model is to be tested with is kept out: words of the Universal Declaration of Human Rights
are subtracted from counts, as Unilex was counted in pages that have it, and words and lines of test sets are left out.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import yaml

from lauter.stages.kernels.words import text_buffers
from lauter.stages.language.labels import LABEL
from lauter.stages.language.normaliser import normalise
from lauter.stages.language.script import count_scripts, letters_of
from lauter.stages.language.training.material import UNSPACED
from lauter.stages.language.training.noise import noise_lines

_MOST = 40_000
"""Words of a list that are kept."""
_MOST_HEADWORDS = 20_000
_MOST_VERSES = 4_000
_UNILEX_LEAST = 1_500
"""Words of running text that a list must come from, after subtraction."""
_VERSE_BLOCK, _KEPT_BLOCKS, _LEFT_OUT = 10, 25, 2
"""Of each 25 blocks of ten verses two are left out, the same ones in every translation: they are a test set."""
_SHORT = 8
"""Characters below which a line of running text is none."""


class Input(NamedTuple):
    """One file of a collection."""

    source: str
    path: str
    label: str


class KeptOut(NamedTuple):
    """What is kept out."""

    subtracted: Mapping[str, Counter[str]]
    """Label -> words whose counts are subtracted."""
    words: Mapping[str, frozenset[str]]
    """Label -> words that are left out of its lists."""
    lines: frozenset[str]
    """Lines that are left out everywhere."""


def gather(inputs: Path, collections: Mapping[str, Path], kept_out: KeptOut, out: Path, noise: int) -> None:
    """Write `out`, a folder of training data (see `material`).

    Args:
        inputs: The table of inputs.
        collections: Source -> folder of its collection. A folder of `LABEL.txt` under the name `lines` gives the
            sources that have no row in the table; `udhr` is never taken.
        kept_out: What is kept out.
        out: A new folder.
        noise: Lines of noise that are made up.

    Raises:
        ValueError: The table has a source that is not known, or a file is not as those of its source are.
        OSError: A file cannot be read or written.
    """
    out.mkdir(parents=True)
    by_label: dict[str, list[Input]] = defaultdict(list)
    for row in read_inputs(inputs):
        if row.source not in READERS:
            raise ValueError(f"{inputs}: source {row.source!r} is none of {', '.join(READERS)}")
        by_label[row.label].append(row)
    own = collections.get("lines")
    owned = {path.stem for path in own.glob("*.txt")} if own else set()
    if strange := sorted(name for name in owned if not LABEL.fullmatch(name)):
        raise ValueError(f"{own}: {strange[0]} is no label like deu_Latn")
    labels = owned | set(by_label)
    for label in sorted(labels):
        words: dict[str, Counter[str]] = defaultdict(Counter)
        lines: dict[str, list[str]] = defaultdict(list)
        for row in by_label[label]:
            try:
                content = READERS[row.source](collections[row.source], row)
            except (ValueError, TypeError, EOFError, gzip.BadGzipFile, yaml.YAMLError) as problem:
                what = f"{type(problem).__name__} {problem}"
                raise ValueError(f"{collections[row.source] / row.path} ({row.label}): {what}") from None
            if isinstance(content, Counter):
                words[row.source].update(content)
            else:
                lines[row.source] += content
        for source, text in _own_lines(own, label):
            if source not in READERS and source != "udhr":
                lines[source].append(text)
        if label == "zxx_Zzzz":
            lines["noise"] += normalised(noise_lines(0, noise))
        _write(out, label, words, lines, kept_out)


def read_inputs(path: Path) -> Iterator[Input]:
    """The rows of a table of inputs.

    Raises:
        ValueError: A row has too few columns, or none that is a label; the message says which.
        OSError: The file cannot be read.
    """
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            if len(cells) < len(Input._fields) or not LABEL.fullmatch(cells[2]):
                raise ValueError(
                    f"{path}:{number}: {line!r} is not source, path and a label like deu_Latn, tabs between"
                )
            yield Input(*cells[: len(Input._fields)])


def read_kept_out(
    declaration: Sequence[tuple[str, str]], words: Sequence[tuple[str, str]], lines: Iterable[str]
) -> KeptOut:
    """What is kept out, from test sets of (label, text)."""
    subtracted: dict[str, Counter[str]] = defaultdict(Counter)
    for label, text in declaration:
        subtracted[label].update(" ".join(normalised([text])).split(" "))
    left_out: dict[str, set[str]] = defaultdict(set)
    for label, text in words:
        left_out[label].update(" ".join(normalised([text])).split(" "))
    return KeptOut(
        subtracted,
        {label: frozenset(found) for label, found in left_out.items()},
        frozenset(normalised([*lines, *(text for _, text in declaration)])),
    )


def normalised(texts: Iterable[str]) -> list[str]:
    """Texts as the model reads them, one for each."""
    offsets, data = text_buffers(pa.array(list(texts), pa.large_string()))
    data, offsets = normalise(data, offsets)
    spans = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    raw = data.tobytes()
    return [raw[start:end].decode() for start, end in spans]


def _write(
    out: Path, label: str, words: Mapping[str, Counter[str]], lines: Mapping[str, list[str]], kept_out: KeptOut
) -> None:
    left_out = kept_out.words.get(label, frozenset())
    rows = []
    for source in sorted(words):
        counts = words[source]
        if source == "unilex":
            counts = Counter(counts)
            counts.subtract(
                {word: count for word, count in kept_out.subtracted.get(label, {}).items() if word in counts}
            )
            counts = Counter({word: count for word, count in counts.items() if count > 0})
            if counts.total() < _UNILEX_LEAST:
                continue
        kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST]
        rows += [f"{source}\t{word}\t{count}\n" for word, count in kept if word not in left_out]
    if rows:
        (out / f"{label}.words").write_text("".join(rows), "utf-8")
    texts = [
        f"{source}\t{text}\n"
        for source in sorted(lines)
        for text in dict.fromkeys(lines[source])
        if len(text) >= _SHORT and text not in kept_out.lines
    ]
    if texts:
        (out / f"{label}.txt").write_text("".join(texts), "utf-8")


def _own_lines(folder: Path | None, label: str) -> Iterator[tuple[str, str]]:
    path = folder and folder / f"{label}.txt"
    if path is None or not path.exists():
        return
    try:
        lines = [line.split("\t", 1) for line in path.read_text("utf-8").split("\n") if "\t" in line]
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path} is not UTF-8: {problem}") from None
    yield from zip((source for source, _ in lines), normalised(text for _, text in lines), strict=True)


def _unilex(folder: Path, row: Input) -> Counter[str]:
    """Unicode Unilex: lines `form<TAB>occurrences in 10^9 words`, and the size of the corpus in a comment."""
    size = 0
    forms: list[str] = []
    shares: list[int] = []
    for line in (folder / row.path).read_text("utf-8").splitlines():
        if line.startswith("# Corpus-Size:"):
            size = int(line.partition(":")[2])
        form, tab, share = line.partition("\t")
        if tab and share.isdigit() and not line.startswith("#") and len(forms) < 2 * _MOST:
            forms.append(form)
            shares.append(int(share))
    counts: Counter[str] = Counter()
    for word, occurrences in zip(normalised(forms), shares, strict=True):
        if word and " " not in word:
            counts[word] += (occurrences * size + 5 * 10**8) // 10**9
    return counts


def _fineweb2(folder: Path, row: Input) -> Counter[str]:
    """FineWeb-2: a list in order of frequency, and stop words. Zipf's law gives the counts (G. K. Zipf, 1949).

    Stop words take 35 % of a line: they are what the lists, of words that are rare elsewhere, leave out.
    """
    listed = [word for word in dict.fromkeys(normalised((folder / row.path).read_text("utf-8").split("\n"))) if word]
    listed = [word for word in listed if " " not in word][:_MOST]
    settings = folder / "configs" / f"{row.label}.yml"
    stop: list[str] = []
    if settings.exists():
        found: Any = yaml.load(settings.read_text("utf-8"), Loader=yaml.CSafeLoader) or {}
        if not isinstance(found, dict):
            raise ValueError(f"{settings} is no mapping")
        stop = [word for word in dict.fromkeys(normalised(map(str, found.get("stopwords") or []))) if word]
        stop = [word for word in stop if " " not in word]
    counts: Counter[str] = Counter()
    share = (65 if listed else 0, 35 if stop else 0)
    for words, offset, part in ((listed, 15, share[0]), (stop, 5, share[1])):
        weights = [10**9 // (rank + offset) for rank in range(len(words))]
        for word, weight in zip(words, weights, strict=True):
            counts[word] += max(1, weight * part * 10**6 // (sum(share) * sum(weights)))
    return counts


def _wiktionary(folder: Path, row: Input) -> Counter[str]:
    """A list of headwords, one a line; those in the script of the label."""
    lines = (folder / row.path).read_text("utf-8", "replace").split("\n")
    found = normalised(_in_script([line for line in lines if line[:1] not in ("-", "*")], row.label[4:]))
    if row.label[4:] not in UNSPACED:
        found = " ".join(found).split(" ")
    kept = sorted({word for word in found if word}, key=lambda word: (zlib.crc32(word.encode()), word))
    return Counter(dict.fromkeys(kept[:_MOST_HEADWORDS], 1))


def _wordfreq(folder: Path, row: Input) -> Counter[str]:
    """wordfreq: msgpack of lists; words of the list number i are 10^(-i/100) of all."""
    import msgpack  # type: ignore[import-untyped]  # what the collection itself is read with

    with gzip.open(folder / row.path) as file:
        content = msgpack.load(file, raw=False)
    if not isinstance(content, list):
        raise TypeError("it is no list")
    counts: Counter[str] = Counter()
    for place, words in enumerate(content[1:]):
        for word in normalised(_in_script(words, row.label[4:])):
            if word and " " not in word:
                counts[word] += max(1, round(10 ** (9 - place / 100)))
    return counts


def _in_script(words: Sequence[str], script: str) -> list[str]:
    """The words of which most letters can stand in a text in `script`."""
    offsets, data = text_buffers(pa.array(words, pa.large_string()))
    counts, _ = count_scripts(data, offsets)
    is_own = letters_of(script, counts) * 2 > counts.sum(axis=1)
    return [word for word, own in zip(words, is_own.tolist(), strict=True) if own]


def _verses(folder: Path, row: Input) -> list[str]:
    """eBible: a verse a line, the same verse in the same line of every translation."""
    verses = [
        (place, verse)
        for place, verse in enumerate((folder / row.path).read_text("utf-8", "replace").split("\n"))
        if len(verse) >= 20 and zlib.crc32(str(place // _VERSE_BLOCK).encode()) % _KEPT_BLOCKS >= _LEFT_OUT
    ]
    verses.sort(key=lambda verse: zlib.crc32(f"{row.path} {verse[0]}".encode()))
    return normalised(verse for _, verse in verses[:_MOST_VERSES])


READERS: Mapping[str, Callable[[Path, Input], Counter[str] | list[str]]] = {
    "unilex": _unilex,
    "fw2_words": _fineweb2,
    "wiktionary": _wiktionary,
    "wordfreq": _wordfreq,
    "ebible_open": _verses,
}
"""How the files of each source are read: to words with counts, or to lines."""
