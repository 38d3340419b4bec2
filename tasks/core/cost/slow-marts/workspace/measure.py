"""What each mart costs: python measure.py [slow|marts] [YYYY-MM-DD]"""

import json
import os
import pathlib
import sys

import duckdb

folder = sys.argv[1] if len(sys.argv) > 1 else "marts"
with duckdb.connect(os.environ["SOURCE"], read_only=True) as link:
    day = sys.argv[2] if len(sys.argv) > 2 else link.execute("SELECT max(sold_at)::DATE FROM sales").fetchone()[0]
    total = link.execute("SELECT count(*) FROM sales").fetchone()[0]
    link.execute(f"SET VARIABLE day = DATE '{day}'")
    link.execute("SET enable_profiling = 'no_output'")
    for path in sorted(pathlib.Path(folder).glob("*.sql")):
        rows = link.execute(path.read_text()).fetchall()
        took = json.loads(link.get_profiling_information(format="json"))
        scanned, processed = took.get("cumulative_rows_scanned", 0) / total, took.get("cumulative_cardinality", 0) / total
        print(f"{path.stem}: {len(rows)} rows, scans {scanned:.2f} N, processes {processed:.2f} N")
