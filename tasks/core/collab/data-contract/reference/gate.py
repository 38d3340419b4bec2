"""The gate of the order events: python gate.py EVENTS ACCEPTED REJECTED

Holds every line against contract/order_event.schema.json, then against the rules that JSON Schema can't state. Exit code 0:
nothing was rejected; 1: something was; 2: the file or the contract can't be read.
"""

import datetime
import decimal
import json
import os
import pathlib
import sys

import jsonschema

# What the loader's column for the items of an order can hold. An order's amounts are bounded by the contract.
MOST_ITEMS = 2**31 - 1
CONTRACT = pathlib.Path(__file__).parent / "contract" / "order_event.schema.json"


def exists(moment: str) -> bool:
    try:
        datetime.datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def due(event: dict) -> decimal.Decimal:
    lines = sum(int(line["quantity"]) * decimal.Decimal(line["unit_price"]) for line in event["lines"])
    return lines - decimal.Decimal(event.get("discount") or 0)


def beyond(event: dict) -> list[str]:
    """What is wrong with an event whose form is right."""
    found = []
    if not exists(event["occurred_at"]):
        found.append(f"occurred_at: {event['occurred_at']} is no moment that exists")
    if event["event_type"] == "order_placed" and decimal.Decimal(event["total"]) != due(event):
        found.append(f"total: {event['total']} is stated, the lines come to {due(event)}")
    if event["event_type"] == "order_placed" and sum(line["quantity"] for line in event["lines"]) > MOST_ITEMS:
        found.append(f"lines: their quantity comes to more than {MOST_ITEMS}")
    return found


def reasons(line: str, validator: jsonschema.Draft202012Validator) -> list[str]:
    try:
        event = json.loads(line)
    except ValueError as error:
        return [f"the line is no JSON: {error}"]
    if not isinstance(event, dict):
        return ["the line is JSON, but no object"]
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(event)]
    return found or beyond(event)


def write(path: str, lines: list[str]) -> None:
    """The whole file at once: who reads it meets this run's or the last one's."""
    beside = f"{path}.part"
    pathlib.Path(beside).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.replace(beside, path)


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    events, accepted, rejected = sys.argv[1:]
    try:
        schema = json.loads(CONTRACT.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        lines = pathlib.Path(events).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError, jsonschema.SchemaError) as error:
        for path in (accepted, rejected):
            write(path, [])
        print(f"can't be read: {error}", file=sys.stderr)
        return 2
    validator = jsonschema.Draft202012Validator(schema)
    passed, stopped = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = reasons(line, validator)
        if found:
            stopped.append({"line": number, "reasons": found, "event": line})
        else:
            passed.append(line)
    write(accepted, passed)
    write(rejected, [json.dumps(row, ensure_ascii=False) for row in stopped])
    for row in stopped[:20]:
        print(f"line {row['line']}: {'; '.join(row['reasons'])}", file=sys.stderr)
    print(f"{len(passed)} accepted, {len(stopped)} rejected")
    return 1 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
# canary: 63400513-3c16-49ec-b11f-1514c96a4912
