import os
import sys

import duckdb

link = duckdb.connect(os.environ["WAREHOUSE"])
link.execute(f"ATTACH '{os.environ['SOURCE']}' AS source (READ_ONLY)")
link.execute("BEGIN")
link.execute("CREATE TABLE IF NOT EXISTS orders (order_id VARCHAR, day DATE, amount DECIMAL(12,2))")
link.execute("DELETE FROM orders WHERE day = ?", [sys.argv[1]])
link.execute("INSERT INTO orders SELECT * FROM source.app.orders WHERE day = ?", [sys.argv[1]])
link.execute("COMMIT")
