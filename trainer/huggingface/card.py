"""The model card: what was trained, on what, and how anyone can check it. Every number comes from the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lauter.trainer.model.shape import ModelShape

Rows = Iterator[tuple[str, object]]

_OF_CORPUS = {
    "corpus": "corpus",
    "root": "corpus root",
    "ledger_root": "root of the ledger",
    "lineage": "lineage",
    "layout_id": "layout id",
    "index_sha256": "SHA-256 of tokens/index.json",
    "tokenizer": "digest of the tokenizer",
    "lauter": "built by Lauter",
}
"""Keys of a corpus's provenance that come first, and what they are called."""


def model_card(origin: Mapping[str, Any], shape: ModelShape, *, name: str, dtype: str) -> str:
    """README.md of a model named `name`; `origin` is what `lauter.json` says."""
    parts = [_front_matter(origin), f"# {name}", _introduction(origin)]
    parts += ["## Architecture", _table(_architecture(shape, dtype))]
    parts += ["## Training", _table(_training(origin)), *_goldfish(origin), *_changes(origin)]
    parts += ["## Data", *_data(origin)]
    parts += ["## Use", _use(name)]
    parts += [
        "## Licence",
        "Not declared. Whoever publishes this model decides: set `license` at the head of this file, and see the "
        "licences of the sources in the corpus's data register.",
    ]
    config = origin.get("config")
    if config is not None:
        told = json.dumps(config, indent=1, ensure_ascii=False)
        parts += ["## Config", f"<details><summary>As it was run</summary>\n\n{_fenced(told)}\n\n</details>"]
    return "\n\n".join(parts) + "\n"


def _front_matter(origin: Mapping[str, Any]) -> str:
    languages = (origin.get("data") or {}).get("languages") or ()
    codes = sorted({str(language).split("_")[0] for language in languages} - {"und", "zxx", "mul"})
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation", "license: unknown"]
    # Quoted: `no` (Norwegian) is false to YAML.
    lines += [f"language: [{', '.join(json.dumps(code) for code in codes)}]"] if codes else []
    return "\n".join([*lines, "tags:", "- apertus", "- lauter", "---"])


def _introduction(origin: Mapping[str, Any]) -> str:
    version = (origin.get("versions") or {}).get("lauter", "unknown")
    return (
        f"A base model of the Apertus architecture (arXiv 2509.14233), exported by Lauter {version}. "
        "It continues text; it was not taught to follow instructions or to refuse. `lauter.json` holds what follows "
        "in a form for programs."
    )


def _architecture(shape: ModelShape, dtype: str) -> Rows:
    yield "parameters", shape.parameters
    yield "without embeddings", shape.non_embedding_parameters
    yield "layers", shape.layers
    yield "width", shape.hidden
    yield "MLP", f"{shape.feed_forward:,}, xIELU, no gate"
    yield "attention", f"{shape.heads} heads of {shape.head_dim}, {shape.kv_heads} for keys and values, QK-norm"
    yield "vocabulary", shape.vocabulary
    yield "context", shape.positions
    scaling = shape.rope_scaling
    stretched = f", llama3 scaling x{scaling.factor:g} from {scaling.original_positions:,}" if scaling else ""
    yield "rotary embeddings", f"theta {shape.rope_theta:,.0f}{stretched}"
    yield "weights in this folder", dtype


def _training(origin: Mapping[str, Any]) -> Rows:
    progress = origin.get("progress") or {}
    yield "tokens seen", progress.get("tokens", 0)
    yield "steps", progress.get("step", 0)
    yield "updates", origin.get("optimizer_steps", 0)
    counts = origin.get("counts") or {}
    for key, label in (("targets", "labels that carried loss"), ("skipped_samples", "samples skipped")):
        if key in counts:
            yield label, counts[key]
    config = origin.get("config") or {}
    for key in ("name", "seed", "precision", "z_loss"):
        if key in config:
            yield key, config[key]
    optimizer, schedule = config.get("optimizer") or {}, config.get("schedule") or {}
    for key in ("name", "learning_rate", "weight_decay", "clip"):
        if key in optimizer:
            yield f"optimizer: {key}", optimizer[key]
    for key, value in schedule.items():
        yield f"schedule: {key}", value
    if "sequence_length" in (config.get("data") or {}):
        yield "sequence length", config["data"]["sequence_length"]
    parent = origin.get("parent")
    if parent is not None:
        yield "started from", f"{parent.get('form', 'checkpoint')} {parent.get('name') or parent.get('checkpoint')}"


def _goldfish(origin: Mapping[str, Any]) -> Iterator[str]:
    config = origin.get("config")
    if config is None:
        return
    setting = (config.get("data") or {}).get("goldfish")
    if setting is None:
        yield "Goldfish loss: off; every label carried loss."
        return
    rate = origin.get("goldfish_rate")
    realised = "the realised rate is not known" if rate is None else f"{rate:.3%} of labels were left out"
    yield (
        f"Goldfish loss (arXiv 2406.10209): hash `{setting.get('hash')}`, 1 label in {setting.get('k')}, "
        f"windows of {setting.get('h')} tokens; {realised}."
    )


def _changes(origin: Mapping[str, Any]) -> Iterator[str]:
    """Of this run, then of those that it branched from."""
    told = []
    run: Mapping[str, Any] | None = origin
    while run is not None:
        changes = run.get("changes") or ()
        if run is not origin and changes:
            told.append(f"In the run before that, up to {run.get('checkpoint')}:")
        if changes:
            rows = [[change.get(key) for key in ("step", "key", "before", "after")] for change in changes]
            lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
            told.append("\n".join(["| from step | setting | before | after |", "|---|---|---|---|", *lines]))
        run = run.get("parent")
    yield from ["### Changed during the run", *told] if told else []


def _data(origin: Mapping[str, Any]) -> Iterator[str]:
    if not origin.get("data") and not origin.get("parent"):
        yield "The checkpoint says nothing about its data."
    for heading, corpora in _generations(origin):
        if heading:
            yield heading
        for corpus in corpora:
            yield f"### {corpus.get('name', 'corpus')}"
            yield _table(_of_corpus(corpus))
            yield _optout(corpus.get("optout"))
            if corpus.get("root"):
                yield (
                    "Check a copy of the corpus against its root, every file and every decision:\n\n"
                    f"```\nlauter audit FOLDER --root {corpus['root']}\n```\n\n"
                    "A corpus that was built on, or had records taken down since, has another root; the audit then "
                    "says so, and whether it comes from this one."
                )
    tokenizer = origin.get("tokenizer") or {}
    named = (("digest", "SHA-256 of its files"), ("vocabulary", "SHA-256 of ids and pieces"), ("ids", "ids"))
    yield "### Tokenizer"
    yield _table((label, tokenizer[key]) for key, label in named if tokenizer.get(key) is not None)


def _generations(origin: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """This run's corpora, then those of the checkpoint that it began with, and so on."""
    yield from _states(origin.get("data") or {})
    parent = origin.get("parent")
    while parent is not None:
        if "form" in parent:
            yield f"The weights were imported ({parent['form']}: {_cell(parent.get('name'))}).", ()
            claims = parent.get("claims")
            if claims is None:
                yield "What they were trained on before that is not known to Lauter.", ()
                return
            yield "What that folder says of itself, which nobody checked:", ()
            yield from _generations(claims)
            return
        data = parent.get("data") or {}
        if data.get("provenance"):
            tokens = (parent.get("progress") or {}).get("tokens", 0)
            yield f"Before that, up to {parent.get('checkpoint')} of another run ({tokens:,} tokens):", ()
            yield from _states(data)
        parent = parent.get("parent")


def _states(data: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The corpora of one run, each state that was read, the newest last: a takedown or a build gives another root."""
    history = data.get("history") or [{"from_sample": 0, "provenance": data.get("provenance") or ()}]
    ends = [state["from_sample"] for state in history[1:]]
    for state, end in zip(history, [*ends, None], strict=True):
        first = state["from_sample"]
        told = f"From sample {first:,} on" if end is None else f"From sample {first:,} to {end - 1:,}"
        yield "" if first == 0 and end is None else f"{told} these were read:", state["provenance"]


def _of_corpus(corpus: Mapping[str, Any]) -> Rows:
    yield from ((label, corpus[key]) for key, label in _OF_CORPUS.items() if corpus.get(key) is not None)
    takedown = corpus.get("takedown") or {}
    if takedown.get("demands"):
        yield "demands for removal that were met", takedown["demands"]
        yield "SHA-256 of the demands", takedown.get("sha256")
    else:
        yield "demands for removal that were met", "none"
    yield from ((f"tokens of {stream}", count) for stream, count in (corpus.get("tokens") or {}).items())


def _optout(policy: Mapping[str, Any] | None) -> str:
    if policy is None:
        return "Opt-outs: the corpus was built without that stage; no owner's reservation was looked up."
    told = json.dumps(policy, indent=1, ensure_ascii=False)
    return f"Opt-outs were honoured under this policy, of which each decision is in the ledger:\n\n{_fenced(told)}"


def _fenced(text: str) -> str:
    # A fence longer than any run of backticks inside.
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n{text}\n{fence}"


def _use(name: str) -> str:
    return (
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'tokenizer = AutoTokenizer.from_pretrained("{name}")\n'
        f'model = AutoModelForCausalLM.from_pretrained("{name}")\n'
        "```\n\n"
        "Every document was trained with its beginning-of-sequence token, which the tokenizer puts before a text. "
        "Text of strangers is encoded with `split_special_tokens=True`, so that it can't write control tokens."
    )


def _table(rows: Iterator[tuple[str, object]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {label} | {_cell(value)} |" for label, value in rows)])


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("\n", " ").replace("|", "\\|")
