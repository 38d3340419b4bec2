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
