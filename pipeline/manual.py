"""The manual of a manifest: every reader, stage and parameter, from the code that reads them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from lauter.pipeline.contract import InputFile
from lauter.pipeline.manifest import Catalogue, load_target


def manual(catalogue: Catalogue) -> list[dict[str, Any]]:
    """One entry a reader, stage and encoder: kind, name, what it does, its parameters, its reasons."""
    kinds = {
        "source": catalogue.readers,
        "stage": {**catalogue.stages, **catalogue.barriers, **catalogue.cutters},
        "tokenizer": {"tokenizer": catalogue.encoder},
    }
    return [_entry(kind, name, target) for kind, names in kinds.items() for name, target in names.items()]


def _entry(kind: str, name: str, target: str) -> dict[str, Any]:
    cls = load_target(target, "")
    return {
        "kind": kind,
        "name": name,
        "does": inspect.cleandoc(cls.__doc__ or ""),
        "parameters": [_parameter(key, info) for key, info in cls.Config.model_fields.items()],
        "reasons": [reason.name for reason in getattr(cls, "reasons", ())],
    }


def _parameter(name: str, info: FieldInfo) -> dict[str, Any]:
    default = None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    return {
        "name": name,
        "type": type_name(info.annotation),
        "required": info.is_required(),
        "default": default.model_dump(mode="json") if isinstance(default, BaseModel) else default,
        "does": " ".join((info.description or "").split()),
    }


def type_name(annotation: object) -> str:
    """A type as a reader of a manual wants it: `'allow' or 'deny' or none`, `list of file`, `mapping of str to int`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kinds = [item.kind for item in inner[1:] if isinstance(item, InputFile)]
        return f"{kinds[0]} path" if kinds else type_name(inner[0])
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in (Union, UnionType):
        return " or ".join("none" if item is NoneType else type_name(item) for item in inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {type_name(inner[0])} to {type_name(inner[1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"list of {type_name(inner[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"{{{', '.join(annotation.model_fields)}}}"
    return inspect.formatannotation(annotation).replace("typing.", "")


def print_manual(console: Console, entries: list[dict[str, Any]], *, whole: bool) -> None:
    """The first line of each entry, or the whole of it."""
    name, kind = (max((len(entry[key]) for entry in entries), default=0) + 2 for key in ("name", "kind"))
    for entry in entries:
        if not whole:
            first = entry["does"].split("\n")[0]
            console.print(
                f"[bold]{entry['name']:<{name}}[/]{entry['kind']:<{kind}}{escape(first)}",
                soft_wrap=True,
                highlight=False,
            )
            continue
        console.print(f"[bold]{entry['name']}[/] ({entry['kind']})\n\n{escape(entry['does'])}\n", highlight=False)
        for item in entry["parameters"]:
            default = "required" if item["required"] else f"default {item['default']!r}"
            console.print(
                f"[bold]{item['name']}[/]: {escape(item['type'])}, {escape(default)}", soft_wrap=True, highlight=False
            )
            if item["does"]:
                console.print(Padding(escape(item["does"]), (0, 0, 0, 4), expand=False), highlight=False)
        if entry["reasons"]:
            console.print(f"\nreasons in the ledger: {', '.join(entry['reasons'])}", highlight=False)
    if not whole:
        console.print("\n`lauter stages NAME` shows its parameters.", highlight=False)
