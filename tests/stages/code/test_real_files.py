"""Real files that somebody wrote: none of them looks like data, and their licences are what they say."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.code import Code, CodeConfig
from lauter.stages.licence import Licence, LicenceConfig
from lauter.stages.read.columns import Columns, TableConfig
from lauter.stages.read.jsonl import JsonlReader
from tests.stages.read.archives import folder


def test_tex_of_three_projects() -> None:
    (path,) = [path for path in folder("math") if path.name == "tex.jsonl.gz"]
    columns = Columns(repository="repo", path="path", licences="licence")
    stage, licence = Code(CodeConfig(), StageContext()), Licence(LicenceConfig(), StageContext())
    reasons: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    with path.open("rb") as stream:
        for batch in JsonlReader(TableConfig(columns=columns), "math").read(stream, path.name):
            records = batch.records.filter(pa.array(batch.verdict.keep))
            scores = pa.RecordBatch.from_pydict(dict(stage.apply(records).columns), schema=stage.scores)
            reasons.update(Code.reasons[code - 1].name for code in stage.decide(scores).reason if code)
            kept = licence.apply(records).keep.tolist()
            for declared, keep in zip(records.column("licences").to_pylist(), kept, strict=True):
                allowed[declared[0]] += keep
    assert not reasons
    assert {name for name, count in allowed.items() if count} == {"Apache-2.0"}
    assert set(allowed) == {"Apache-2.0", "CC-BY-4.0", "CC-BY-SA-3.0"}
