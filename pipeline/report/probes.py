"""What a report says of probes: texts that were planted to measure what models remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.contract import ReportSection, ReportTable

COLUMNS = ("bucket", "kind", "probes", "repetitions", "records")


def probes_section(probes: Sequence[Mapping[str, Any]]) -> ReportSection | None:
    """The section, from `planted.corpus_probes`; None where nothing is planted."""
    buckets = [(file["source"], bucket) for file in probes for bucket in file["buckets"]]
    if not probes:
        return None
    texts = sum(bucket["probes"] for _, bucket in buckets if bucket["repetitions"])
    controls = sum(bucket["probes"] for _, bucket in buckets if not bucket["repetitions"])
    records = sum(bucket["records"] for _, bucket in buckets)
    sentence = (
        f"To measure what models remember, {texts:,} texts were planted in {records:,} records, and {controls:,} "
        "controls are kept out. No stage judged them, and they were compared with nothing."
    )
    names = ("name", *COLUMNS[1:])
    return ReportSection(
        "Probes",
        (sentence,),
        tuple((f"{file['source']}: {file['file']}", file["sha256"]) for file in probes),
        (
            ReportTable(
                "Planted",
                ("source", *COLUMNS),
                tuple((source, *(bucket[name] for name in names)) for source, bucket in buckets),
            ),
        ),
        answers={"3.3": (sentence,)},
        warnings=tuple(
            f"{file['file']} of source {file['source']}: {file['kept']:,} of {wanted:,} planted records are kept, so "
            "its repetition counts do not hold; two files of the source have a probe of one id: rename one"
            for file in probes
            if file["kept"] != (wanted := sum(bucket["records"] for bucket in file["buckets"]))
        ),
    )
