from __future__ import annotations

import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from jsonschema.validators import validator_for


def leaves(error):
    """The innermost complaints: of a oneOf the branch that speaks of the event's type has the fewest."""
    if not error.context:
        return [error]
    branches = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)

    def about_type(errors):
        return sum(1 for inner in errors for leaf in leaves(inner) if list(leaf.absolute_path) == ["event_type"])

    best = min(branches.values(), key=lambda errors: (about_type(errors), len(errors)))
    return [leaf for inner in best for leaf in leaves(inner)]


def complaints(raw: str, validator) -> list[str]:
    try:
        event = json.loads(raw)
    except json.JSONDecodeError as error:
        return [f"not JSON ({error})"]
    if type(event) is not dict:
        return ["not an object"]
    found = [
        ".".join(map(str, leaf.absolute_path)) + " " + leaf.message
        for error in validator.iter_errors(event)
        for leaf in leaves(error)
    ]
    if found:
        return found
    try:
        datetime.fromisoformat(event["occurred_at"].replace("Z", "+00:00"))
    except ValueError as error:
        found.append(f"occurred_at {error}")
    if event["event_type"] == "order_placed":
        total = sum(int(100 * Decimal(line["unit_price"])) * line["quantity"] for line in event["lines"])
        total -= int(100 * Decimal(event.get("discount") or "0"))
        if total != int(100 * Decimal(event["total"])):
            found.append(f"total should be {total / 100:.2f}")
    return found


def main(events: str, accepted: str, rejected: str) -> int:
    for path in (accepted, rejected):
        Path(path).write_bytes(b"")
    try:
        schema = json.loads(Path(__file__).resolve().with_name("contract").joinpath("order_event.schema.json").read_bytes())
        cls = validator_for(schema)
        cls.check_schema(schema)
        source = open(events, encoding="utf-8", newline="\n")
    except Exception as error:
        print(error, file=sys.stderr)
        return 2
    validator, code = cls(schema), 0
    with source, open(accepted, "w", encoding="utf-8", newline="\n") as good, open(rejected, "w", encoding="utf-8") as bad:
        for number, raw in enumerate(source, start=1):
            reasons = complaints(raw, validator)
            if reasons:
                code = 1
                print(json.dumps({"line": number, "reasons": reasons, "event": raw.rstrip("\n")}), file=bad)
            else:
                good.write(raw)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
# canary: 63400513-3c16-49ec-b11f-1514c96a4912
