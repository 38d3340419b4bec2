"""Loads one batch through a stage: python load_batch.py --batch 17"""

import argparse
import json
import os
import pathlib
import sys

from snowflake.connector import connect

HERE = pathlib.Path(__file__).parent
SETTINGS = ("account", "user", "password", "role", "warehouse", "database", "schema")


def is_usable(line: bytes) -> bool:
    try:
        change = json.loads(line.decode())
        usable = change["op"] in ("insert", "update", "delete") and int(change["seq"]) > 0
        return usable and isinstance(change["customer_id"], str) and change["customer_id"] != ""
    except (ValueError, TypeError, KeyError):
        return False


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--batch", type=int, required=True)
    batch = arguments.parse_args().batch
    file = pathlib.Path(os.environ["DATA"]) / "cdc" / f"customers_{batch}.jsonl"
    with file.open("rb") as lines:
        usable = [is_usable(line) for line in lines]
    if not all(usable):
        print(f"{file}: line {usable.index(False) + 1} can't be used; nothing was loaded", file=sys.stderr)
        return 1

    connection = connect(autocommit=False, **{name: os.environ["SNOWFLAKE_" + name.upper()] for name in SETTINGS})
    try:
        for _ in connection.execute_string((HERE / "tables.sql").read_text()):
            pass
        cursor = connection.cursor()
        if usable:
            cursor.execute(f"PUT file://{file} @customer_changes OVERWRITE = TRUE")
            cursor.execute(
                "COPY INTO raw_changes FROM @customer_changes "
                f"FILES = ('{file.name}.gz') FILE_FORMAT = (TYPE = JSON) FORCE = TRUE"
            )
        cursor.execute(f"SET batch = {batch}")
        for statement in (HERE / "merge.sql").read_text().split(";"):
            if statement.strip():
                cursor.execute(statement)
        connection.commit()
    except Exception:
        connection.rollback()
        raise
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
# canary: 95260fd4-e354-472a-acf6-d44a79896d28
