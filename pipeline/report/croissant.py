"""A Croissant description of a corpus (MLCommons Croissant 1.1): its files with digests, its tables with their types.

It lies in the run folder itself, `croissant.json`: readers resolve its paths below the folder that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.pipeline.storage import Storage

CROISSANT = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The JSON-LD context of the specification."""

TABLES: Mapping[str, tuple[str, str]] = {
    "tokens": ("Token shards", "One whole document a row: its token ids, in reading order."),
    "documents": ("Documents", "Text that passed the hard decisions, with its title, language and placeholders."),
    "ledger": ("Ledger", "One row per input record: its verdict, and the stage, reason and evidence. Never any text."),
}
"""Kinds of output that are described, with names and what a row is."""

PARQUET = "application/x-parquet"
"""What readers of Croissant know the format by."""


def croissant(storage: Storage, corpus: Mapping[str, Any]) -> dict[str, Any]:
    """The description as JSON-LD. Of every kind the schema of its first file is read, which is that of all."""
    provider = corpus["provider"]
    distribution: list[dict[str, Any]] = []
    record_sets = []
    for kind, (name, description) in TABLES.items():
        files = sorted(corpus["files"][kind], key=lambda output: str(output["path"]))
        if not files:
            continue
        distribution += [_file(output) for output in files]
        distribution.append(_file_set(kind, name))
        with storage.open(files[0]["path"]) as source:
            columns = pq.read_schema(source)
        record_sets.append(
            {
                "@type": "cr:RecordSet",
                "@id": kind,
                "name": name,
                "description": description,
                # The ledger has a record that was stored twice as often as it was stored.
                **({"key": {"@id": f"{kind}/doc_id"}} if kind == "tokens" else {}),
                "field": [_field(f"{kind}/{column.name}", column, kind, (column.name,)) for column in columns],
            }
        )
    summary = corpus["summary"]
    kept = summary["verdicts"].get("kept", 0)
    declared = {
        "license": provider.get("licence"),
        "url": provider.get("url"),
        "citeAs": provider.get("citation"),
        "datePublished": (provider.get("summary") or {}).get("updated"),
        "creator": {"@type": "Organization", "name": provider["name"]} if provider.get("name") else None,
    }
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": corpus["name"],
        "description": f"Pretraining corpus of {kept:,} documents and {summary['tokens']:,} tokens, built by Lauter "
        f"{corpus['lauter']}; lineage {corpus['lineage']}.",
        "version": f"1.0.0+{corpus['lineage'][:16]}",
        **{key: value for key, value in declared.items() if value is not None},
        "inLanguage": sorted(name for name, row in summary["languages"].items() if row["kept"] and name != "-"),
        "distribution": distribution,
        "recordSet": record_sets,
    }


def _file(output: Mapping[str, Any]) -> dict[str, Any]:
    path = str(output["path"])
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{output['size']} B",
        "encodingFormat": PARQUET,
        "sha256": output["sha256"],
    }


def _file_set(kind: str, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{kind}-files",
        "name": f"{name}: files",
        "encodingFormat": PARQUET,
        "includes": f"{kind}/**/*.parquet",
    }


def _field(identity: str, column: pa.Field, kind: str, path: tuple[str, ...]) -> dict[str, Any]:
    """A column; of a struct its parts, of a list its items."""
    inner, repeated = column.type, False
    while pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner):
        inner, repeated = inner.value_type, True
    if pa.types.is_dictionary(inner):
        inner = inner.value_type
    extract: dict[str, Any] = {"fileSet": {"@id": f"{kind}-files"}, "extract": {"column": path[0]}}
    if len(path) > 1:
        extract["transform"] = [{"jsonPath": part} for part in path[1:]]
    found: dict[str, Any] = {"@type": "cr:Field", "@id": identity, "name": identity, "source": extract}
    if repeated:
        found |= {"isArray": True, "arrayShape": "-1"}
    if pa.types.is_struct(inner):
        parts = [_field(f"{identity}/{part.name}", part, kind, (*path, part.name)) for part in inner]
        return {key: value for key, value in found.items() if key != "source"} | {"subField": parts}
    return found | {"dataType": _type(inner)}


def _type(kind: pa.DataType) -> str:
    """The Croissant type of a column's values. Digests and ids are bytes, for which there is `sc:Text` alone."""
    if pa.types.is_integer(kind):
        return f"cr:{'UInt' if pa.types.is_unsigned_integer(kind) else 'Int'}{kind.bit_width}"
    if pa.types.is_floating(kind):
        return f"cr:Float{kind.bit_width}"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"
