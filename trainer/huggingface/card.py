"""The model card: what was trained, on what, and how anyone can check it.

Every number comes from the checkpoint, or from the metrics of its run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lauter.trainer.huggingface.card_figures import LEAST_SHARE, held_out_figures, language_codes, language_shares
from lauter.trainer.huggingface.card_preferences import is_preferences, preferences_told
from lauter.trainer.huggingface.markdown import Rows, cell, fenced, headed, table
from lauter.trainer.model.shape import ModelShape

_Read = tuple[str, Sequence[Mapping[str, Any]], Mapping[str, Any]]
"""A heading, the corpora that were read, and the order that they were read in."""

_FORMS = {"huggingface": "Hugging Face", "megatron": "Megatron-LM"}
"""What an import's form is called."""

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


_USE = (
    "```python\n"
    "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
    'tokenizer = AutoTokenizer.from_pretrained("PATH")\n'
    'model = AutoModelForCausalLM.from_pretrained("PATH")\n'
    "```\n\n"
    "`PATH` is this folder, or the name under which it was published. "
    "Every document was trained with its beginning-of-sequence token, which the tokenizer puts before a text. "
    "Text of strangers is encoded with `split_special_tokens=True`, so that it can't write control tokens."
)


def model_card(origin: Mapping[str, Any], shape: ModelShape, *, dtype: str) -> str:
    """README.md of a model; `origin` is what `lauter.json` says."""
    parts = [_front_matter(origin), f"# {_title(origin)}", _introduction(origin)]
    parts += ["## Architecture", table(_architecture(shape, dtype)), *_rope_warning(shape)]
    parts += ["## Training", table(_training(origin)), *_goldfish(origin), *_changes(origin)]
    parts += held_out_figures(origin.get("measured") or {})
    parts += ["## Data", *_data(origin)]
    parts += ["## Use", _USE]
    parts += [
        "## Licence",
        "Not declared. Whoever publishes this model decides: set `license` at the head of this file, and see the "
        "licences of the sources in the corpus's data register.",
    ]
    config = origin.get("config")
    if config is not None:
        told = json.dumps(config, indent=1, ensure_ascii=False)
        parts += ["## Config", f"<details><summary>As it was run</summary>\n\n{fenced(told)}\n\n</details>"]
    return "\n\n".join(parts) + "\n"


def _front_matter(origin: Mapping[str, Any]) -> str:
    codes, large_only = language_codes(origin.get("data") or {})
    lines = ["---", "library_name: transformers", "pipeline_tag: text-generation", "license: unknown"]
    if codes and large_only:
        lines.append(f"# Languages with at least {LEAST_SHARE:.1%} of the tokens; the largest shares stand under Data.")
    # Quoted: `no` (Norwegian) is false to YAML.
    lines += [f"language: [{', '.join(json.dumps(code) for code in codes)}]"] if codes else []
    return "\n".join([*lines, "tags:", "- apertus", "- lauter", "---"])


def _title(origin: Mapping[str, Any]) -> str:
    """The run's name; of a model that no run trained, the import's."""
    imported = _import_of(origin) or {}
    name = (origin.get("config") or {}).get("name") or imported.get("name") or "Apertus model"
    return " ".join(str(name).split())


def _import_of(origin: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the oldest ancestor was imported from, or None where the model was trained from its first values."""
    parent: Mapping[str, Any] | None = origin.get("parent")
    while parent is not None and "form" not in parent:
        parent = parent.get("parent")
    return parent


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


def _rope_warning(shape: ModelShape) -> Iterator[str]:
    scaling = shape.rope_scaling
    if scaling is not None and shape.positions < scaling.original_positions:
        yield (
            "transformers may warn that the rotary embeddings' `original_max_position_embeddings` "
            f"({scaling.original_positions:,}) exceeds the context ({shape.positions:,}), which is meant: the "
            "frequencies are those of Apertus, whatever the context."
        )


def _training(origin: Mapping[str, Any]) -> Rows:
    progress = origin.get("progress") or {}
    imported = _import_of(origin)
    yield "tokens seen", f"{progress.get('tokens', 0):,}{'' if imported is None else _before(imported)}"
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
    averages = ("alpha", "beta3") if optimizer.get("name") == "ademamix" else ()
    for key in ("name", "learning_rate", "beta1", "beta2", *averages, "weight_decay", "clip"):
        if key in optimizer:
            yield f"optimizer: {key}", optimizer[key]
    for key, value in schedule.items():
        yield f"schedule: {key}", value
    if "sequence_length" in (config.get("data") or {}):
        yield "sequence length", config["data"]["sequence_length"]
    parent = origin.get("parent")
    if parent is not None:
        yield "started from", _start(parent)


def _before(imported: Mapping[str, Any]) -> str:
    claimed = ((imported.get("claims") or {}).get("progress") or {}).get("tokens")
    own = "are not known" if claimed is None else f"are {cell(claimed)} as it says itself, which nobody checked"
    return f" since the import; the import's own {own}"


def _start(parent: Mapping[str, Any]) -> str:
    imported = parent if "form" in parent else parent.get("parent") or {}
    at_import = parent is imported or not (parent.get("progress") or {}).get("step")
    if at_import and "form" in imported:
        return _imported(imported)
    return f"checkpoint {parent.get('checkpoint')}"


def _imported(parent: Mapping[str, Any]) -> str:
    return f"an import ({_FORMS.get(parent['form'], parent['form'])}: {cell(parent.get('name'))})"


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
            told.append(headed(("from step", "setting", "before", "after"), rows))
        run = run.get("parent")
    yield from ["### Changed during the run", *told] if told else []


def _data(origin: Mapping[str, Any]) -> Iterator[str]:
    if not origin.get("data") and not origin.get("parent"):
        yield "The checkpoint says nothing about its data."
    yield from language_shares(origin.get("data") or {})
    newest = ((origin.get("data") or {}).get("provenance")) or ()
    epochs = (origin.get("measured") or {}).get("epochs") or {}
    for heading, corpora, order in _generations(origin):
        if heading:
            yield heading
        for corpus in corpora:
            if is_preferences(corpus):
                yield from preferences_told(corpus)
                continue
            yield f"### {corpus.get('name', 'corpus')}"
            yield table(_of_corpus(corpus, order, epochs if corpus in newest else {}))
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
    yield table((label, tokenizer[key]) for key, label in named if tokenizer.get(key) is not None)


def _generations(origin: Mapping[str, Any]) -> Iterator[_Read]:
    """This run's corpora, then those of the checkpoint that it began with, and so on."""
    yield from _states(origin.get("data") or {})
    parent = origin.get("parent")
    while parent is not None:
        if "form" in parent:
            yield f"The weights began as {_imported(parent)}.", (), {}
            claims = parent.get("claims")
            if claims is None:
                yield "What they were trained on before that is not known to Lauter.", (), {}
                return
            yield "What that folder says of itself, which nobody checked:", (), {}
            yield from _generations(claims)
            return
        data = parent.get("data") or {}
        if data.get("provenance"):
            tokens = (parent.get("progress") or {}).get("tokens", 0)
            yield f"Before that, up to {parent.get('checkpoint')} of another run ({tokens:,} tokens):", (), {}
            yield from _states(data)
        parent = parent.get("parent")


def _states(data: Mapping[str, Any]) -> Iterator[_Read]:
    """The corpora of one run, each state that was read, the newest last: a takedown or a build gives another root."""
    history = data.get("history") or [{"from_sample": 0, "provenance": data.get("provenance") or ()}]
    ends = [state["from_sample"] for state in history[1:]]
    for state, end in zip(history, [*ends, None], strict=True):
        first = state["from_sample"]
        told = f"From sample {first:,} on" if end is None else f"From sample {first:,} to {end - 1:,}"
        heading = "" if first == 0 and end is None else f"{told} these were read:"
        yield heading, state["provenance"], data.get("order") or {}


def _of_corpus(corpus: Mapping[str, Any], order: Mapping[str, Any], epochs: Mapping[str, float]) -> Rows:
    """`order` says which tokens of a stream are trained on: all but the held-out shards'."""
    yield from ((label, corpus[key]) for key, label in _OF_CORPUS.items() if corpus.get(key) is not None)
    takedown = corpus.get("takedown") or {}
    if takedown.get("demands"):
        yield "demands for removal that were met", takedown["demands"]
        yield "SHA-256 of the demands", takedown.get("sha256")
    else:
        yield "demands for removal that were met", "none"
    for stream, count in (corpus.get("tokens") or {}).items():
        # With several corpora a stream is called after its own.
        names = (stream, f"{corpus.get('name')}/{stream}")
        read = {name: one for name, one in (order.get("streams") or {}).items() if name in names}
        trained = next((one["tokens"] for one in read.values() if one["layout_id"] == corpus.get("layout_id")), count)
        held_out = f": {trained:,} to train on, {count - trained:,} held out" if trained < count else ""
        yield f"tokens of {stream}", f"{count:,}{held_out}"
        yield from ((f"epochs of {stream}", f"{epochs[name]:.3g}") for name in names if name in epochs)


def _optout(policy: Mapping[str, Any] | None) -> str:
    if policy is None:
        return "Opt-outs: the corpus was built without that stage; no owner's reservation was looked up."
    told = json.dumps(policy, indent=1, ensure_ascii=False)
    return f"Opt-outs were honoured under this policy, of which each decision is in the ledger:\n\n{fenced(told)}"
