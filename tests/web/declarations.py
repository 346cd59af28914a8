"""The objects of the protocol and of the admin API as TypeScript declares them, for the checker of the scripts.

    python -m tests.web.declarations       writes server.d.ts anew, after a Struct has changed

They are made from the schemas of `/openapi.json`, so the scripts are checked against what the server really sends.
"""

import json
import textwrap
from pathlib import Path
from typing import Any

from gateway.web.docs import document
from gateway.web.endpoints import ENDPOINTS

FILE = Path(__file__).with_name("server.d.ts")
HEAD = "// Made by `python -m tests.web.declarations` from the schemas of /openapi.json.\n"
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def declarations() -> str:
    """The whole file: one declaration for each schema, by name."""
    schemas = document("0", ENDPOINTS)["components"]["schemas"]
    inner = "\n".join(f"{_declared(name, schema)}\n" for name, schema in sorted(schemas.items()))
    return f"{HEAD}\ndeclare namespace Server {{\n{textwrap.indent(inner, '  ')}}}\n"


def _declared(name: str, schema: dict[str, Any]) -> str:
    fields = schema.get("properties")
    return f"interface {name} {_fields(schema)}" if fields else f"type {name} = {_type(schema)};"


def _fields(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    lines = [
        f"  {name if name.isidentifier() else json.dumps(name)}{'' if name in required else '?'}: {_type(each)};"
        for name, each in schema["properties"].items()
    ]
    return "\n".join(["{", *lines, "}"])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if any_of := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_type(each) for each in any_of))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(SIMPLE[each] for each in kind)
    if kind == "array":
        return f"Array<{_type(schema['items'])}>" if schema.get("items") else "unknown[]"
    if kind == "object" and schema.get("properties"):
        return _fields(schema)
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    return SIMPLE.get(str(kind), "unknown")


if __name__ == "__main__":
    FILE.write_text(declarations(), encoding="utf-8")
