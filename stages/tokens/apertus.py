r"""The tokenizer of Apertus, made of the tekken vocabulary: other names below id 73, and four LaTeX pieces.

Source of names and ids: Apertus (arXiv 2509.14233, section 2.2) and its published `tokenizer.json`. Ids 0 to 3 and 18
to 72 are control tokens with a part; 4 to 13 and 73 to 999 have a name and no use. Text has the ids that tekken gives
it, but for the pieces `\begin{`, `\end{`, `\text{` and `\boxed{`, which are ids 14 to 17 wherever they stand.

Apertus reaches those four through added tokens that are not special: the library cuts them out of a text before it does
anything else. A corpus's tokenizer has no added tokens, so here its pattern cuts them out, with equal ids (`pattern`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lauter.stages.tokens.definition import canonical_json
from lauter.stages.tokens.pattern import LATEX, LATEX_SPLIT, SPLIT
from lauter.stages.tokens.placeholders import PLACEHOLDERS
from lauter.stages.tokens.sidecar import Control, Sidecar
from lauter.stages.tokens.tekken import convert, embedded_files

CONTROL_COUNT = 1000
"""Ids before the first one that tekken's merges make."""

NAMED = (
    *("<filename>", "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>"),
    *("<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<empty_output>", "<commit_before>", "<commit_msg>"),
    *("<commit_after>", "<reponame>", "<think>", "</think>", "<answer>", "</answer>", "<iban-pii>", "<email-pii>"),
    *("<ip-pii>", "<file_sep>", "<code_to_intermediate>", "<intermediate_to_code>", "<pr>", "<pr_status>"),
    *("<pr_is_merged>", "<pr_base>", "<pr_file>", "<pr_base_code>", "<pr_diff>", "<pr_diff_hunk>", "<pr_comment>"),
    *("<pr_event_id>", "<pr_review>", "<pr_review_state>", "<pr_review_comment>", "<pr_in_reply_to_review_id>"),
    *("<pr_in_reply_to_comment_id>", "<pr_diff_hunk_comment_line>", "<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>"),
    *("<|system_start|>", "<|system_end|>", "<|developer_start|>", "<|developer_end|>", "<|user_start|>"),
    *("<|user_end|>", "<|assistant_start|>", "<|assistant_end|>", "<|inner_prefix|>", "<|inner_suffix|>"),
    *("<|tools_prefix|>", "<|tools_suffix|>"),
)
"""Control tokens 18 to 72: code and its history, reasoning, removed personal data, fill in the middle, chat, tools."""

_FIRST = (
    *("<unk>", "<s>", "</s>", "<pad>", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "<SPECIAL_10>", "[PREFIX]", "[MIDDLE]", "[SUFFIX]"),
)

NAMES = (
    *(*_FIRST, *LATEX, *NAMED),
    *(f"<SPECIAL_{index}>" for index in range(len(_FIRST) + len(LATEX) + len(NAMED), CONTROL_COUNT)),
)
"""Apertus's names of the ids 0 to 999, the four LaTeX pieces included."""

SIDECAR = Sidecar(
    unk=Control(id=0, token="<unk>"),
    bos=Control(id=1, token="<s>"),
    eos=Control(id=2, token="</s>"),
    pad=Control(id=3, token="<pad>"),
    placeholders=PLACEHOLDERS,
    added={name: NAMES.index(name) for name in NAMED if not name.endswith("-pii>")},
    reserved=((0, min(LATEX.values())), (max(LATEX.values()) + 1, CONTROL_COUNT)),
)
"""The control tokens by part and by name. Ids 4 to 13 and 73 to 999 are reserved: no text yields them."""


def build(tekken: bytes | None = None) -> dict[str, bytes]:
    """A corpus's tokenizer, name -> canonical bytes: `tokenizer.json` without added tokens, and `sidecar.json`.

    `tekken` is a tekken file of mistral-common, as `tekken_240718.json`; None takes the embedded vocabulary.

    Raises:
        ValueError: the file can't be converted (see `convert`), or is not of Apertus's kind.
    """
    document = _renamed(tekken)
    (split, *rest) = document["pre_tokenizer"]["pretokenizers"]
    cut = {**split, "pattern": {"Regex": LATEX_SPLIT}}
    # Apertus removes three types of personal data; the other types have ids that it has no use for.
    names = {NAMES[control.id]: control.token for control in PLACEHOLDERS.values()}
    vocabulary = {names.get(name, name): index for name, index in document["model"]["vocab"].items()}
    whole = {
        **document,
        "model": {**document["model"], "vocab": vocabulary},
        "pre_tokenizer": {**document["pre_tokenizer"], "pretokenizers": [cut, *rest]},
    }
    return {"tokenizer.json": canonical_json(whole), "sidecar.json": SIDECAR.canonical()}


def build_huggingface(tekken: bytes | None = None) -> dict[str, bytes]:
    """The same tokenizer in the form in which Apertus is published, name -> bytes; transformers loads the folder.

    All 1,000 ids are added tokens, so a text that spells `</s>` becomes the control token: who encodes text of
    strangers passes `split_special_tokens=True`. BOS comes before a text, nothing after it.

    Raises:
        ValueError: see `build`.
    """
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [{"id": index, "content": name, **flags, "special": name not in LATEX} for index, name in enumerate(NAMES)]
    document = {**_renamed(tekken), "added_tokens": added, "post_processor": _template("<s>", SIDECAR.bos.id)}
    parts = {part: control.token for part, control in SIDECAR.controls().items() if not part.startswith("placeholder")}
    names = {f"{part}_token": token for part, token in sorted(parts.items())}
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added
        },
        **names,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return {
        "tokenizer.json": canonical_json(document),
        "tokenizer_config.json": _indented(config),
        "special_tokens_map.json": _indented(names),
    }


def _renamed(tekken: bytes | None) -> dict[str, Any]:
    """The vocabulary in Hugging Face form, with Apertus's names and tekken's pattern."""
    files = embedded_files() if tekken is None else convert(tekken)
    document: dict[str, Any] = json.loads(files["tokenizer.json"])
    controls = len(Sidecar.model_validate_json(files["sidecar.json"]).ids())
    if controls != CONTROL_COUNT:
        raise ValueError(f"it has {controls} special ids, and Apertus has {CONTROL_COUNT}")
    model = document["model"]
    by_id = {index: name for name, index in model["vocab"].items()}
    found = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    if found != SPLIT:
        raise ValueError(f"its pattern is not that of Mistral-Nemo's tekken, which Apertus has: {found}")
    ordinary = {by_id[index]: index for index in range(CONTROL_COUNT, len(by_id))}
    vocabulary = {name: index for index, name in enumerate(NAMES)} | ordinary
    if len(vocabulary) != len(by_id):
        raise ValueError("a name of a control token is also an ordinary token")
    return {**document, "model": {**model, "vocab": vocabulary}}


def _template(bos: str, index: int) -> Mapping[str, Any]:
    def token(kind: str, name: str, segment: int) -> dict[str, Any]:
        return {kind: {"id": name, "type_id": segment}}

    first = [token("SpecialToken", bos, 0), token("Sequence", "A", 0)]
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, token("SpecialToken", bos, 1), token("Sequence", "B", 1)],
        "special_tokens": {bos: {"id": bos, "ids": [index], "tokens": [bos]}},
    }


def _indented(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
