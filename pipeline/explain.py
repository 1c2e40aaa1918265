"""Every decision on one page, with its evidence, from what the run folder holds; text is never read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lauter.pipeline import parquet, schema
from lauter.pipeline.audit.index import CorpusIndex
from lauter.pipeline.audit.probes import planted_names
from lauter.pipeline.finished import read_corpus
from lauter.pipeline.likeness import Place, add_similarities
from lauter.pipeline.manifest import Catalogue
from lauter.pipeline.origin import locate
from lauter.pipeline.originals import add_originals
from lauter.pipeline.proof.leaves import doc_id_of, ledger_batches
from lauter.pipeline.routing import passes
from lauter.pipeline.spellings import near_urls
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.story import story
from lauter.pipeline.takedown.blank import REMOVED
from lauter.pipeline.takedown.demands import demand, read_tombstones
from lauter.pipeline.takedown.find import Matcher
from lauter.pipeline.takedown.published import receipt_path

NOT_SCORES = ("doc_id", "row")
SHOWN = 5
"""Agents of a long list that `lines` names: a rule for everyone has all of the policy's."""


def explain(storage: Storage, wanted: str, catalogue: Catalogue) -> list[dict[str, Any]]:
    """The ledger rows of a URL, or of a doc_id in hex, each with its evidence.

    Besides the ledger's columns a row has, where there is such a thing: `scores`; `decision`, the soft decision (stage,
    reason and rule, null where nothing was objected) with its cluster and `mirror_of`; `original`, the record that a
    duplicate is a copy of, or `unread` (`add_originals`), and `similarity` to it (`add_similarities`); `cuts`, how much
    of its text was cut, and how often the most frequent passage of it stands; `evidence`, the rows about its origin in
    what the stages prepared; `signals`, what the page itself says of its use; `takedown`, the demand that removed it;
    `story`, all of it in plain sentences. A URL is found as it was crawled, else by its origin in normal form. Raises
    `NoCorpus` where there is no finished corpus, `StorageError` where a file of it cannot be read.
    """
    data, corpus = read_corpus(storage)
    try:
        order = data["order"]
        matches = list(_ledger_rows(storage, corpus, wanted)) or list(_rows_of_place(storage, corpus, wanted))
        found = [{**row, **_of_document(storage, part, number)} for part, number, row in matches]
        places = [Place(storage, part, number) for part, number, _ in matches]
        originals = add_originals(storage, corpus, order, catalogue, found)
        add_similarities(found, places, originals, catalogue)
        _add_evidence(storage, corpus, found)
        _add_takedowns(storage, found)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StorageError(f"{storage.root} cannot be read, `lauter audit` says more: {error}") from error
    readable = [{name: _readable(name, value) for name, value in row.items()} for row in found]
    planted, routes = planted_names(corpus, catalogue), data.get("routes", {})

    def own(row: Mapping[str, Any]) -> list[str]:
        return [name for name in order if passes(routes, name, row["source"])]

    return [
        {**row, "story": [list(part) for part in _told(row, own(row), catalogue, planted=row["source"] in planted)]}
        for row in readable
    ]


def _told(
    row: Mapping[str, Any], order: Sequence[str], catalogue: Catalogue, *, planted: bool
) -> Iterator[tuple[str, str]]:
    """The story of a row; no stage has one to tell of a probe."""
    if not planted:
        yield from story(row, order, catalogue)
        return
    read, *rest = story(row, order[:1], catalogue)
    yield read
    yield "probe", "planted: no stage saw it, and it was compared with nothing"
    yield from rest


def nearby(storage: Storage, wanted: str) -> list[tuple[str, int]]:
    """(spelling, records) of near spellings of a URL that are in the ledger; the most alike first."""
    spelled = near_urls(wanted) if doc_id_of(wanted) is None else ()
    matcher = Matcher([demand("url", url) for url in spelled])
    count: Counter[int] = Counter()
    for entry in read_corpus(storage)[1].inputs if spelled else ():
        for batch in ledger_batches(storage, f"ledger/{entry.part}.parquet", ["doc_id", "url"]):
            count.update(matcher.hits(batch)[1].tolist())
    return [(spelled[index], records) for index, records in sorted(count.items())]


def lines(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `explain` says of a record as (name, text) lines to show, without its verdict, its URL and nulls."""
    for name, value in row.items():
        if name == "evidence":
            yield from ((path, _flat(item)) for path, items in value.items() for item in items)
        elif name == "signals":
            yield from ((name, _flat(item)) for item in value)
        elif name == "decision" and value["reason"] is None:
            # What a removed record was refused for, if it was, is forgotten.
            unknown = row["verdict"] == REMOVED and row["shard"] is None
            said = ", ".join(filter(None, ["" if unknown else "nothing against it", _flat(value)]))
            if said:
                yield name, said
        elif value not in (None, {}, []) and name not in ("verdict", "url", "story"):
            yield name, _flat(value)


def _flat(value: Any, name: str = "", *, within: bool = False) -> str:  # noqa: ANN401 - scalar, list or struct
    """One line; what stands `within` another value is held together by brackets."""
    if isinstance(value, dict):
        said = ", ".join(
            f"{key} {_flat(item, key, within=True)}" for key, item in value.items() if item not in (None, {}, [])
        )
        return f"({said})" if within else said
    if isinstance(value, list):
        shown = [_flat(item, within=isinstance(item, dict)) for item in value]
        if name == "agents" and len(shown) > SHOWN:
            shown = [*shown[:SHOWN], f"{len(shown) - SHOWN} more"]
        said = ", ".join(shown)
        return f"[{said}]" if within else said
    return str(value)


def _ledger_rows(storage: Storage, corpus: CorpusIndex, wanted: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(part, record row, ledger row) of every match, in run order."""
    doc_id = doc_id_of(wanted)
    for entry in corpus.inputs:
        first = 0
        for batch in parquet.batches(storage, f"ledger/{entry.part}.parquet"):
            mask = (
                pc.equal(batch.column("doc_id"), pa.scalar(doc_id, schema.DOC_ID))
                if doc_id
                else pc.equal(batch.column("url"), wanted)
            )
            numbers = np.flatnonzero(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False))
            for number, row in zip(numbers.tolist(), batch.take(pa.array(numbers)).to_pylist(), strict=True):
                yield entry.part, first + number, row
            first += batch.num_rows


def _rows_of_place(storage: Storage, corpus: CorpusIndex, wanted: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The same for a URL that is spelled in another way: what is left is compared in normal form."""
    place = locate(wanted)
    if place is None:
        return
    # Names in the ledger may be spelled in any way; a label of them is in every spelling but the escaped ones.
    label = place.origin.partition("://")[2].partition(":")[0]
    for entry in corpus.inputs:
        first = 0
        for batch in parquet.batches(storage, f"ledger/{entry.part}.parquet"):
            near = pc.match_substring(batch.column("url"), label, ignore_case=True)
            for number in np.flatnonzero(pc.fill_null(near, fill_value=False).to_numpy(zero_copy_only=False)).tolist():
                if locate(batch.column("url")[number].as_py()) == place:
                    yield entry.part, first + number, batch.slice(number, 1).to_pylist()[0]
            first += batch.num_rows


def _of_document(storage: Storage, part: str, number: int) -> dict[str, Any]:
    """Scores and soft decision of a record, where it became a document."""
    found: dict[str, Any] = {}
    for score in _at(storage, f"scores/{part}.parquet", number):
        found["scores"] = {name: value for name, value in score.items() if name not in NOT_SCORES and value is not None}
    for decision in _at(storage, f"decisions/{part}.parquet", number):
        names = ("stage", "reason", "rule", "cluster", "cluster_size", "mirror_of")
        found["decision"] = {name: decision[name] for name in names}
    path = f"cuts/{part}.parquet"
    if storage.size(path) is not None:
        cuts = list(_at(storage, path, number))
        if cuts:
            found["cuts"] = {
                "places": len(cuts),
                "chars": sum(cut["end"] - cut["start"] for cut in cuts),
                "occurrences": max(cut["occurrences"] for cut in cuts),
            }
    path = f"signals/{part}.parquet"
    if storage.size(path) is not None:
        raw = ("place", "name", "value", "position")
        said = [{name: item[name] for name in raw} for item in _at(storage, path, number)]
        if said:
            found["signals"] = said
    return found


def _at(storage: Storage, path: str, number: int) -> Iterator[dict[str, Any]]:
    for batch in parquet.batches(storage, path):
        yield from batch.filter(pc.equal(batch.column("row"), pa.scalar(number, pa.uint32()))).to_pylist()


def _add_evidence(storage: Storage, corpus: CorpusIndex, found: Sequence[dict[str, Any]]) -> None:
    """Add what the stages prepared about an origin: the rows of every prepared Parquet file with its origin_id."""
    wanted = {row["origin_id"] for row in found} - {None}
    paths = [output.path for output in corpus.outputs("prepared") if output.path.endswith(".parquet")]
    for path in paths if wanted else ():
        with storage.open(path) as source:
            if "origin_id" not in pq.read_schema(source).names:
                continue
            source.seek(0)
            one_of = pc.field("origin_id").isin(pa.array(sorted(wanted), pa.uint64()))
            rows = pq.read_table(source, filters=one_of, use_threads=False).to_pylist()
        for row in found:
            about = [item for item in rows if item["origin_id"] == row["origin_id"]]
            if about:
                row.setdefault("evidence", {})[path] = about


def _add_takedowns(storage: Storage, found: Sequence[dict[str, Any]]) -> None:
    """Add to removed records the first demand that hits each, and where its receipt is."""
    removed = [row for row in found if row["verdict"] == REMOVED]
    if not removed:
        return
    demands = read_tombstones(storage)
    columns = [
        pa.array([row["doc_id"] for row in removed], schema.DOC_ID),
        pa.array([row["url"] for row in removed], pa.string()),
    ]
    first = Matcher(demands).first(pa.RecordBatch.from_arrays(columns, names=["doc_id", "url"]))
    for row, index in zip(removed, first.tolist(), strict=True):
        said: dict[str, Any] = dict.fromkeys(("number", "reason", "date", "receipt"))
        if index >= 0:
            item = demands[index]
            path = receipt_path(item.number)
            # Demands of a manifest's lists come without a receipt.
            receipt = path if storage.size(path) is not None else None
            said = {"number": item.number, "reason": item.reason, "date": item.date, "receipt": receipt}
        row["takedown"] = {"kind": row["reason"], **said}


def _readable(name: str, value: Any) -> Any:  # noqa: ANN401 - a ledger value: scalar, list or struct
    """A value as JSON has it: bytes and origin ids in hex, times in ISO 8601."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _readable(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(name, item) for item in value]
    if name == "origin_id" and value is not None:
        return f"{value:016x}"
    return value
