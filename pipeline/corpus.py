"""What makes a run folder a corpus: its index, its lock file, and `corpus.json`, written when everything is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from lauter import __version__
from lauter.pipeline.graph.annotating import scored
from lauter.pipeline.graph.cutting import cut_counts
from lauter.pipeline.graph.joining import cluster_counts
from lauter.pipeline.graph.mirroring import mirror_counts
from lauter.pipeline.graph.packing import read_layout, repeat_counts, shard_tasks
from lauter.pipeline.planted import corpus_probes
from lauter.pipeline.proof.chain import CORPUS as CORPUS
from lauter.pipeline.proof.chain import ROOTS, publish, tree_fields, write_ranges
from lauter.pipeline.proof.graph import PROVING, ledger_tree, published_ledger
from lauter.pipeline.report.graph import COUNTING, counted
from lauter.pipeline.report.probes import probes_section
from lauter.pipeline.report.repeats import repeats_section
from lauter.pipeline.report.sections import plain, sections
from lauter.pipeline.report.write import write_report
from lauter.pipeline.specs import input_fields, reader_spec, spec_class
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.streams import describe
from lauter.pipeline.takedown.demands import read_tombstones
from lauter.pipeline.takedown.published import takedown_fields, takedown_files
from lauter.pipeline.task import Result

if TYPE_CHECKING:
    from lauter.pipeline.graph.plan import Plan

OWNED = ("documents", "scores", "decisions", "cuts", "signals", "signatures", "ledger", "tokens", "proof", "state")
"""Folders in which a file that the current plan did not make is a leftover."""


COUNTED = "state/windows"
"""What a trainer has counted of the finished corpus: Parquet files that name its lineage. Equal lineage means equal
tokens, so those that fit outlive a corpus that is finished anew, as by another version or with other declarations: at
10^12 tokens they are 10 minutes of work."""


def finish_unless_finished(plan: Plan, results: Mapping[str, Result]) -> None:
    """Write what makes the run folder a corpus, unless all of it is there and says what it would say now."""
    key = corpus_key(plan, results)
    if not _is_finished(plan.storage, key, results):
        finish(plan, results, key)


def corpus_key(plan: Plan, results: Mapping[str, Result]) -> str:
    """SHA-256 over all that corpus.json is made from: the resolved manifest and the digests of all outputs.

    The digests are those from before any takedown. The tree and the counts of the ledger change with one, and have no
    part.
    """
    made = [result for name, result in results.items() if name.split("/", 1)[0] not in (*PROVING, *COUNTING)]
    outputs = sorted((output.path, output.sha256) for result in made for output in result.outputs)
    return hashlib.sha256(json.dumps([lock_file(plan, results), outputs], sort_keys=True).encode()).hexdigest()


def _is_finished(storage: Storage, key: str, results: Mapping[str, Result]) -> bool:
    if storage.size(CORPUS) is None:
        return False
    try:
        corpus = storage.read_json(CORPUS)
        files = corpus["files"]
        listed = [Output.from_json(item) for item in [*files["other"], *files["report"]]]
        digests = {item["path"]: item["sha256"] for items in files.values() for item in items}
    except (StorageError, KeyError, TypeError):
        return False
    now = (output for result in results.values() for output in result.published())
    return (
        corpus.get("key") == key
        and corpus.get("takedown") == takedown_fields(read_tombstones(storage))
        and all(digests.get(output.path, output.sha256) == output.sha256 for output in now)
        and all(storage.size(output.path) == output.size for output in listed)
    )


def finish(plan: Plan, results: Mapping[str, Result], key: str) -> None:
    """Write index, lock file and report, remove what is stale, and write corpus.json last."""
    storage = plan.storage
    laid_out = read_layout(plan)
    layout = laid_out["layout_id"]
    streams = {name: [results[task] for task in tasks] for name, tasks in shard_tasks(laid_out)}
    sizes = {
        name: {
            "rows": sum(shard.info["documents"] for shard in shards),
            "tokens": sum(shard.info["tokens"] for shard in shards),
            "of": describe(name, plan.manifest.streams),
        }
        for name, shards in streams.items()
    }
    tokenizer = results["tokenizer/all"]
    extra = list(tokenizer.outputs)
    index = {
        "layout_id": layout,
        "tokenizer": {**tokenizer.info, "files": [output.to_json() for output in extra]},
        "streams": {
            name: {
                **sizes[name],
                "shards": [_shard(shard) for shard in shards],
            }
            for name, shards in streams.items()
        },
    }
    extra.append(storage.write_json("tokens/index.json", index))
    lock = lock_file(plan, results)
    extra.append(storage.write("manifest.lock.yaml", yaml.safe_dump(lock, sort_keys=False).encode()))
    ledger = published_ledger(plan, results)
    tree = ledger_tree(plan, results)
    extra.append(write_ranges(storage, tree))
    extra += takedown_files(storage)
    numbers = counted(plan, results)
    summary = numbers.summary
    prepared = {name: results[f"prepare/{name}"].info["counts"] for name in plan.prepared}
    cuts = cut_counts(plan, results)
    repeats = repeat_counts(plan, results)
    probes = corpus_probes(plan.parts, results)
    plan.save_digests()
    corpus: dict[str, Any] = {
        "name": plan.manifest.name,
        "lauter": __version__,
        "lineage": lineage(plan, results),
        "layout_id": layout,
        "order": ["read", *(spec["name"] for spec in plan.all_stages())],
        "routes": {name: list(sources) for name, sources in plan.routes.items()},
        "summary": summary,
        "stages": _stage_counts(plan, results),
        "inputs": [_input(part, results[f"documents/{part.name}"]) for part in plan.parts],
        "sources": {
            source.name: {
                "kind": source.kind,
                "options": dict(source.config),
                "files": len(source.files),
                "optional": source.optional,
                "about": dict(source.about),
            }
            for source in plan.manifest.sources
        },
        "provider": dict(plan.manifest.provider),
        "tokenizer": {"settings": _settings(plan.encoder), "sha256": tokenizer.info["sha256"]},
        "prepared": prepared,
        "sections": [
            *sections(
                plan.all_stages(),
                {**summary, "cuts": cuts, "personal_data": numbers.pii, "codes": numbers.codes},
                prepared,
                mirror_counts(plan, results) or {},
                plan.routes,
            ),
            *({"stage": "read", **plain(section)} for section in [probes_section(probes)] if section is not None),
            *({"stage": "pack", **plain(section)} for section in [repeats_section(repeats)] if section is not None),
        ],
        "probes": probes,
        "clusters": cluster_counts(plan, results),
        "mirrors": mirror_counts(plan, results),
        "streams": sizes,
        "cuts": cuts,
        "repeats": repeats,
        "files": {
            "ledger": [output.to_json() for output in ledger],
            "tokens": [shard.lying("tokens").to_json() for shards in streams.values() for shard in shards],
            "documents": _outputs(plan, results, "documents", "documents"),
            "scores": _within([scored(results, part.name) for part in plan.parts], "scores"),
            "decisions": _outputs(plan, results, "decide", "decisions"),
            **({"cuts": _outputs(plan, results, "cut", "cuts")} if plan.cutter else {}),
            "signals": _outputs(plan, results, "documents", "signals"),
            "signatures": _outputs(plan, results, "sign", "signatures") if plan.joining else [],
            "prepared": [output.to_json() for name in plan.prepared for output in results[f"prepare/{name}"].outputs],
            "other": [output.to_json() for output in extra],
        },
        "ledger_sha256": combined_digest(ledger),
        **tree_fields(tree),
        "takedown": takedown_fields(read_tombstones(storage)),
        "key": key,
    }
    report = write_report(storage, corpus, numbers)
    corpus["files"]["report"] = [output.to_json() for output in report]
    remove_stale(plan, results, {output.path for output in [*extra, *report]})
    publish(storage, corpus, "build")


def _shard(shard: Result) -> dict[str, Any]:
    """A shard as the index of the tokens lists it; `repeats` where these were removed."""
    counts = {name: shard.info[name] for name in ("tokens", "repeats") if name in shard.info}
    return {**shard.lying("tokens").to_json(), **counts}


def combined_digest(outputs: list[Output]) -> str:
    """One SHA-256 over a list of files: their paths and digests, in order of path."""
    digest = hashlib.sha256()
    for output in sorted(outputs, key=lambda item: item.path):
        digest.update(f"{output.path}\0{output.sha256}\n".encode())
    return digest.hexdigest()


def _outputs(plan: Plan, results: Mapping[str, Result], step: str, folder: str) -> list[dict[str, Any]]:
    return _within([results[f"{step}/{part.name}"] for part in plan.parts], folder)


def _within(done: Iterable[Result], folder: str) -> list[dict[str, Any]]:
    published = (output for result in done for output in result.published())
    return [output.to_json() for output in published if output.path.startswith(folder + "/")]


def _input(part: Any, result: Result) -> dict[str, Any]:  # noqa: ANN401 - plan.Part, kept out to break a cycle
    return {
        "part": part.name,
        "source": part.source,
        "uri": part.file.uri,
        "file": part.file_name,
        "size": part.file.size,
        "sha256": result.info["input_sha256"],
        "records": result.info["records"],
        "counted": result.info["counted"],
        "others": result.info["others"],
    }


def _stage_counts(plan: Plan, results: Mapping[str, Result]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    passes = [f"{step}/{part.name}" for step in ("documents", "annotate") for part in plan.parts]
    for task in (name for name in passes if name in results):
        for name, stage in results[task].info["stages"].items():
            row = counts.setdefault(name, {"rows": 0, "dropped": 0})
            row["rows"] += stage["rows"]
            row["dropped"] += stage["dropped"]
    return counts


def _locked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A stage with every parameter, defaults included, and all else that its output depends on."""
    config = spec_class(spec).Config.model_validate(dict(spec["config"])).model_dump(mode="json")
    return {
        "version": spec["version"],
        "config": config,
        "inputs": [*spec["inputs"], *spec["decision_inputs"]],
        "libraries": spec["libraries"],
        "data": spec["data"],
        "source": spec["source"],
    }


def _routed(plan: Plan, spec: Mapping[str, Any]) -> dict[str, list[str]]:
    """The sources that a stage is limited to."""
    return {"sources": sorted(plan.routes[spec["name"]])} if spec["name"] in plan.routes else {}


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter; of a file its name alone, since where it lay is nobody's business."""
    config, paths = _locked(spec)["config"], {name for name, _ in input_fields(spec_class(spec).Config)}
    return {
        name: value.rsplit("/", 1)[-1] if name in paths and isinstance(value, str) else value
        for name, value in config.items()
        if value is not None
    }


def _without_paths(spec: Mapping[str, Any]) -> dict[str, Any]:
    locked = _locked(spec)
    paths = {name for name, _ in input_fields(spec_class(spec).Config)}
    return {**locked, "config": {name: value for name, value in locked["config"].items() if name not in paths}}


def lock_file(plan: Plan, results: Mapping[str, Result]) -> dict[str, Any]:
    """The manifest, resolved: every parameter with its value, every input and model with size and digest."""
    manifest = plan.manifest
    return {
        "name": manifest.name,
        "lauter": __version__,
        "seed": manifest.seed,
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "optional": source.optional,
                "about": dict(source.about),
                "reader": reader_spec(source),
            }
            for source in manifest.sources
        ],
        "inputs": [
            {
                "source": part.source,
                "uri": part.file.uri,
                "size": part.file.size,
                "sha256": results[f"documents/{part.name}"].info["input_sha256"],
            }
            for part in plan.parts
        ],
        "stages": [{spec["name"]: _locked(spec) | _routed(plan, spec)} for spec in plan.all_stages()],
        "tokenizer": _locked(plan.encoder),
        "sharding": manifest.sharding.model_dump(mode="json"),
        "streams": None if manifest.streams is None else manifest.streams.model_dump(mode="json"),
        "provider": dict(manifest.provider),
    }


def lineage(plan: Plan, results: Mapping[str, Result]) -> str:
    """SHA-256 over what the corpus was made from: parameters, versions, and digests of all inputs; no path, no time.

    What is only declared (`provider`, `about`) made nothing in it.
    """
    lock = lock_file(plan, results)
    del lock["provider"]
    for item in lock["inputs"]:
        del item["uri"]
    for item in lock["sources"]:
        del item["about"]
    # The order of groups of languages decides; as text it stays.
    lock["streams"] = json.dumps(lock["streams"])
    lock["stages"] = [{spec["name"]: _without_paths(spec) | _routed(plan, spec)} for spec in plan.all_stages()]
    lock["tokenizer"] = _without_paths(plan.encoder)
    return hashlib.sha256(json.dumps(lock, sort_keys=True).encode()).hexdigest()


def _lineage_of(storage: Storage, path: str) -> str | None:
    """Of which corpus a file in `COUNTED` says that it is; None where it says nothing or can't be read."""
    try:
        with storage.open(path) as source:
            said = (pq.read_schema(source).metadata or {}).get(b"lauter.lineage")
    except (StorageError, OSError, pa.ArrowException):
        return None
    return None if said is None else said.decode(errors="replace")


def remove_stale(plan: Plan, results: Mapping[str, Result], extra: set[str]) -> None:
    """Remove what an earlier plan left in the folders that a build owns."""
    storage = plan.storage
    wanted = extra | {output.path for result in results.values() for output in result.outputs}
    wanted |= {f"state/{name}.json" for name in results} | set(plan.listings())
    wanted |= {"state/digests.json", "state/plan.json", "state/run", "state/lock", ROOTS}
    own = lineage(plan, results)
    wanted |= {path for path in storage.list(COUNTED) if _lineage_of(storage, path) == own}
    for path in storage.list("state/prepare"):
        if path not in wanted:
            for item in storage.read_json(path)["outputs"]:
                storage.delete(item["path"])
    for folder in OWNED:
        for path in storage.list(folder):
            if path not in wanted and not path.startswith("state/quarantine/"):
                storage.delete(path)
