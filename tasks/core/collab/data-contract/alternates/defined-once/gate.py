"""Usage: gate.py EVENTS ACCEPTED REJECTED"""

import argparse
import json
import sys
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match

MOST_MONEY = 5 * 10**9  # in euros it may be more than it is
SCHEMA = Path(__file__).resolve().parent / "contract/order_event.schema.json"


def parse(raw):
    def refuse(token):
        raise ValueError(f"{token} is not JSON")

    return json.loads(raw, parse_constant=refuse)


def problem(event, validator):
    error = best_match(validator.iter_errors(event))
    if error:
        return [f"/{'/'.join(map(str, error.absolute_path))} {error.message}"]
    problems = []
    stamp = event["occurred_at"]
    try:
        datetime.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        problems.append(f"/occurred_at {stamp} does not exist")
    if event["event_type"] == "order_placed":
        expected = sum(Fraction(line["unit_price"]) * int(line["quantity"]) for line in event["lines"])
        if expected - Fraction(event.get("discount") or 0) != Fraction(event["total"]):
            problems.append("/total is not what /lines come to")
        if sum(int(line["quantity"]) for line in event["lines"]) >= 2**31:
            problems.append("/lines have more pieces than an INTEGER holds")
    for field in {"order_placed": ["total"], "order_paid": ["amount"]}.get(event["event_type"], []):
        if Fraction(event[field]) > MOST_MONEY:
            problems.append(f"/{field} is more than the warehouse holds")
    return problems


def main():
    parser = argparse.ArgumentParser()
    for name in ("events", "accepted", "rejected"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    try:
        schema = json.loads(SCHEMA.read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        content = arguments.events.read_bytes()
    except (OSError, json.JSONDecodeError, SchemaError) as error:
        arguments.accepted.unlink(missing_ok=True)
        arguments.rejected.unlink(missing_ok=True)
        print(error, file=sys.stderr)
        return 2
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    accepted, rejected = [], []
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        text = raw.decode("utf-8", "backslashreplace")
        try:
            event = parse(raw)
            reasons = problem(event, validator)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            reasons = [f"line: {error}"]
        if reasons:
            rejected.append(json.dumps({"line": number, "reasons": reasons, "event": text}))
        else:
            accepted.append(raw)
    arguments.accepted.write_bytes(b"".join(one + b"\n" for one in accepted))
    arguments.rejected.write_text("".join(one + "\n" for one in rejected), "utf-8")
    return 1 if rejected else 0


if __name__ == "__main__":
    sys.exit(main())
# canary: 63400513-3c16-49ec-b11f-1514c96a4912
