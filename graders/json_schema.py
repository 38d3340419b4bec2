"""Values held against a JSON Schema that a submission wrote: by Python's jsonschema, in the box, as the driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import SubmissionFault
from harness.lab import Lab

TIME = 30.0
# Standard input and output alone: it reads no file, and a schema that refers to one can't be used.
PROGRAM = """
import json, sys
from jsonschema import Draft202012Validator
given = json.load(sys.stdin)
Draft202012Validator.check_schema(given["schema"])
validator = Draft202012Validator(given["schema"])
def said(value):
    error = next(validator.iter_errors(value), None)
    return error and f"{error.json_path}: {error.message}"[:200]
print(json.dumps({name: [said(value) for value in values] for name, values in given["values"].items()}))
"""


def read_schema(lab: Lab, path: str) -> dict[str, Any]:
    """A schema among the submitted files, as it stands there."""
    content = lab.submission.files.get(path)
    if content is None:
        raise SubmissionFault(f"there is no {path}")
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SubmissionFault(f"{path} is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise SubmissionFault(f"{path} holds no JSON object")
    return schema


def problems_by(
    lab: Lab, schema: Mapping[str, Any], values: Mapping[str, Sequence[Any]]
) -> dict[str, list[str | None]]:
    """Of each value, by the names given, what the schema (draft 2020-12) has against it; None: nothing."""
    text = json.dumps({"schema": schema, "values": values}).encode()
    argv = [lab.box.space.interpreter, "-I", "-c", PROGRAM]
    done = lab.box.run(argv, role="driver", stdin=text, timeout=TIME, output_limit=4_000_000)
    if not done.ok:
        raise SubmissionFault(f"the schema can't be used: {done.explain()[-600:]}")
    found: dict[str, list[str | None]] = json.loads(done.stdout)
    return found


def properties_of(schema: object) -> dict[str, list[Mapping[str, Any]]]:
    """Every property that a schema speaks of, however deep, with all that it says of it."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    pending: list[object] = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            named = part.get("properties")
            for name, said in named.items() if isinstance(named, dict) else ():
                if isinstance(said, dict):
                    found.setdefault(name, []).append(said)
            pending += part.values()
    return found


def description_of(part: object, schema: Mapping[str, Any]) -> str:
    """What a part of a schema is said to mean: by itself, or by what it refers to in the same file."""
    pending, seen = [part], set()
    while pending:
        part = pending.pop()
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        if said := str(part.get("description") or "").strip():
            return said
        pending += part["allOf"] if isinstance(part.get("allOf"), list) else []
        pending.append(referred(part.get("$ref"), schema))
    return ""


def referred(reference: object, schema: Mapping[str, Any]) -> object:
    """What a reference within a schema points to, by its place or its anchor; None if there is nothing."""
    name = reference.rpartition("#")[2] if isinstance(reference, str) else ""
    if not name.startswith("/"):
        named = schema.get("$defs")
        parts = named.values() if name and isinstance(named, dict) else ()
        return next((part for part in parts if isinstance(part, dict) and part.get("$anchor") == name), None)
    found: object = schema
    for step in name.split("/")[1:]:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found
