r"""Tools as the model reads them: of a JSON schema, a declaration in the manner of TypeScript.

A comment with what the tool does, then `type NAME = (_: {...}) => any;` with one line a parameter, its comment before
it, `?` where it may be left out and its default behind it (Apertus's chat format, `chat_template.jinja` of
swiss-ai/apertus_format; it breaks lines within objects and calls long types `any`, which is not done here). Every line
of a description is a comment, so that no description can end a declaration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lauter.chat.conversation import ChatError, Tool, shown

_NAMES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "array": "any[]",
    "object": "object",
}
"""Types of JSON schema (draft 2020-12, section 6.1.1) by their names in TypeScript; of any other, `any`."""
_END = "=> any;"


def declared(specification: Mapping[str, Any]) -> Tool:
    """A tool of its specification: `name`, `description` and `parameters`, a JSON schema; or these in `function`.

    Raises:
        ChatError: it has no name that a tool can have, or a parameter's name has a line break.
    """
    said = specification.get("function") or specification
    if not isinstance(said, Mapping):
        raise ChatError(f"a tool's function is no object but {type(said).__name__}")
    if not isinstance(said.get("name"), str):
        raise ChatError(f"a tool without a name: it has {', '.join(sorted(map(str, said))) or 'nothing'}")
    name: str = said["name"]
    try:
        declaration = "\n".join([*_comment(said.get("description")), f"type {name} = {_parameters(said)}"])
    except (RecursionError, TypeError, ValueError) as error:
        raise ChatError(f"the parameters of the tool {name!r} are no JSON schema: {error}") from error
    return Tool(name, declaration)


def declarations(text: str) -> tuple[Tool, ...]:
    """The tools of declarations that stand one after the other.

    Raises:
        ChatError: it is no such text.
    """
    tools: list[Tool] = []
    name, lines = "", list[str]()
    for line in text.split("\n"):
        lines.append(line)
        if line.startswith("//"):
            continue
        if not name:
            head, equals, _ = line.removeprefix("type ").partition(" = ")
            if not equals or not line.startswith("type "):
                raise ChatError(f"a declaration of a tool begins with {shown(line)}")
            name = head
            whole = line.endswith(f" = () {_END}")
        else:
            whole = line == f"}}) {_END}"
        if whole:
            tools.append(Tool(name, "\n".join(lines)))
            name, lines = "", []
    if lines:
        raise ChatError(f"the declaration of a tool has no end: {shown(lines[0])}")
    return tuple(tools)


def _parameters(said: Mapping[str, Any]) -> str:
    schema = said.get("parameters")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping) or not properties:
        return f"() {_END}"
    members = []
    for name, one in properties.items():
        told: Mapping[str, Any] = one if isinstance(one, Mapping) else {}
        default = f", // default: {_default(told)}" if "default" in told else ""
        members.append("\n".join([*_comment(told.get("description")), f"{_member(name, one, schema)}{default}"]))
    return "\n".join(["(_: {", ",\n".join(members), f"}}) {_END}"])


def _default(schema: Mapping[str, Any]) -> str:
    value = schema["default"]
    # One of several names stands there as it is, if it is of one line.
    return value if isinstance(value, str) and schema.get("enum") and "\n" not in value else _json(value)


def _member(name: str, one: object, schema: Mapping[str, Any]) -> str:
    if not name or "\n" in name or name.startswith(("//", "})")):
        raise ValueError(f"{name!r} can't be a parameter's name")
    required = schema.get("required")
    return f"{name}{'' if isinstance(required, list) and name in required else '?'}: {_type(one)}"


def _type(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    found = _not_null(schema)
    return f"{found} | null" if schema.get("nullable") is True else found


def _not_null(schema: Mapping[str, Any]) -> str:
    enum, kind, items, properties = (schema.get(key) for key in ("enum", "type", "items", "properties"))
    variants = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(enum, list) and enum and kind in (None, "string"):
        return " | ".join(map(_json, enum))
    if isinstance(variants, list) and variants:
        return " | ".join(map(_type, variants))
    if isinstance(kind, list) and kind:
        return " | ".join(_NAMES.get(one, "any") if isinstance(one, str) else "any" for one in kind)
    if kind == "array" and isinstance(items, Mapping):
        inner = _type(items)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "object" and isinstance(properties, Mapping) and properties:
        return f"{{{', '.join(_member(name, one, schema) for name, one in properties.items())}}}"
    return _NAMES.get(kind, "any") if isinstance(kind, str) else "any"


def _comment(description: object) -> Iterator[str]:
    if isinstance(description, str) and description:
        yield from (f"// {line}" for line in description.split("\n"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
