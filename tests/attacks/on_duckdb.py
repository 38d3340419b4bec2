"""Attacks on DuckDB files and on who reads them."""

import random

from tests.attacks.attack import Table

TABLE = Table("duckdb/tiny-load", "run.py")
WAREHOUSE = "import duckdb, os, sys\npath = os.environ['WAREHOUSE']\nsource = os.environ['SOURCE']\n"
OPEN = WAREHOUSE + "link = duckdb.connect(path)\nlink.execute(f\"ATTACH '{source}' AS source (READ_ONLY)\")\n"
# Loads each time, and commits between deleting and inserting.
CARELESS = (
    OPEN
    + "link.execute('CREATE TABLE IF NOT EXISTS orders AS SELECT * FROM source.app.orders LIMIT 0')\n"
    + "link.execute('DELETE FROM orders')\n"
    + "link.execute('INSERT INTO orders SELECT * FROM source.app.orders LIMIT 7')\n"
    + "link.execute('INSERT INTO orders SELECT * FROM source.app.orders OFFSET 7')\n"
)
LOADS = frozenset({"every_order_arrives", "loading_again_changes_nothing", "a_late_order_arrives"})
add = TABLE.add

rubbish = random.Random(1).randbytes(20_000)
add(
    "leaves rubbish for a database",
    "import shutil\nshutil.copyfile('rubbish', 'warehouse.duckdb')\n",
    files={"rubbish": rubbish},
)
add(
    "leaves a database that is broken inside",
    OPEN
    + "link.execute('CREATE OR REPLACE TABLE orders AS SELECT * FROM source.app.orders')\nlink.close()\n"
    + "content = bytearray(open(path, 'rb').read())\n"
    + "content[12288:] = os.urandom(len(content) - 12288)\nopen(path, 'wb').write(content)\n",
)
add("leaves a pipe for a database", WAREHOUSE + "os.path.lexists(path) or os.mkfifo(path)\n")
add("leaves the world's database for its own", WAREHOUSE + "os.path.lexists(path) or os.symlink(source, path)\n")
add("leaves a folder for a database", WAREHOUSE + "os.makedirs(path, exist_ok=True)\n")
add("leaves a database of a thousand gigabytes", WAREHOUSE + "open(path, 'wb').truncate(10 ** 12)\n")
add(
    "has a view that never ends",
    OPEN
    + "link.execute(\"CREATE OR REPLACE VIEW orders AS SELECT 'x' AS order_id, DATE '2026-03-01' AS day, sum(a.range) AS amount FROM range(10000000) a, range(10000000) b\")\n",
    nightly=True,  # PostgreSQL's such view is an everyday one
)
add(
    "has a view of a million million rows",
    OPEN
    + "link.execute(\"CREATE OR REPLACE VIEW orders AS SELECT 'x' AS order_id, DATE '2026-03-01' AS day, 1.0 AS amount FROM range(1000000000000)\")\n",
)
add(
    "has a view of files that only the reader may read",
    OPEN
    + "link.execute(\"CREATE OR REPLACE VIEW orders AS SELECT content AS order_id FROM read_text('/driver/**')\")\n",
)
add(
    "has a view of the world's own file",
    OPEN + 'link.execute("CREATE OR REPLACE VIEW orders AS SELECT * FROM source.app.orders")\n',
)
add(
    "redefines what it will be asked with",
    OPEN
    + 'link.execute("CREATE OR REPLACE MACRO count(x) AS 20")\nlink.execute("CREATE OR REPLACE TABLE orders (order_id VARCHAR, day DATE, amount DECIMAL(12,2))")\n',
)
add(
    "writes to the world's database",
    WAREHOUSE
    + "for path in (source, '/data/x.duckdb', '/sockets/x.duckdb', '{host}/owned'):\n    try:\n        duckdb.connect(path).execute('DELETE FROM app.orders')\n    except Exception as error:\n        print(error)\n",
)
add(
    "loads extensions and asks the network",
    OPEN
    + "for text in ('INSTALL httpfs', 'LOAD \\'/work/evil.duckdb_extension\\'', 'SET allow_unsigned_extensions = true', \"COPY (SELECT 1) TO '/data/owned.csv'\"):\n    try:\n        link.execute(text)\n    except Exception as error:\n        print(error)\n",
)
add(
    "hides from who counts its statements",
    files={
        "run.py": "import os, subprocess, sys\nclean = {k: v for k, v in os.environ.items() if not k.startswith(('STATEMENT', 'PYTHONPATH'))}\nsys.exit(subprocess.run([sys.executable, '-I', 'real.py', *sys.argv[1:]], env=clean).returncode)\n",
        "real.py": CARELESS,
    },
    may_pass=LOADS,
)
add(
    "counts one statement, and does the rest out of sight",
    files={
        "run.py": "import duckdb, os, subprocess, sys\nclean = {k: v for k, v in os.environ.items() if not k.startswith(('STATEMENT', 'PYTHONPATH'))}\nsubprocess.run([sys.executable, '-I', 'real.py', *sys.argv[1:]], env=clean)\nduckdb.connect().execute('SELECT 1')\n",
        "real.py": CARELESS,
    },
    # A library can only be counted where it runs: see SECURITY.md, "What is not promised".
    may_pass=LOADS | {"a_killed_load_leaves_all_or_nothing"},
)
add(
    "puts a pipe where its statements are counted",
    OPEN
    + "log = os.environ.get('STATEMENT_LOG')\nif log:\n    os.path.lexists(log) and os.unlink(log)\n    os.symlink('/dev/zero', log)\n"
    + CARELESS.removeprefix(OPEN),
    may_pass=LOADS,
)
add(
    "shadows the library it is read with",
    "print('nothing')\n",
    files={
        "duckdb.py": "raise SystemExit(0)\n",
        "duckdb/__init__.py": "raise SystemExit(0)\n",
        "sitecustomize.py": "import sys\nsys.exit(0)\n",
    },
    names="what runs submissions",
)
add(
    "keeps the first result and gives it again",
    OPEN + "link.execute('CREATE TABLE IF NOT EXISTS orders AS SELECT * FROM source.app.orders')\n",
    may_pass=LOADS - {"a_late_order_arrives"} | {"a_killed_load_leaves_all_or_nothing"},
)
add(
    "patches the library in its own process",
    "import duckdb\nduckdb.DuckDBPyConnection.fetchmany = lambda *_: []\nduckdb.connect = lambda *_, **__: None\n",
)
add(
    "empties the table so that nothing is wrong in it",
    OPEN + "link.execute('CREATE OR REPLACE TABLE orders AS SELECT * FROM source.app.orders LIMIT 0')\n",
)
add(
    "leaves a table beside the one that is asked for, in another case and schema",
    OPEN
    + "link.execute('CREATE SCHEMA IF NOT EXISTS \"MAIN \"')\nlink.execute('CREATE OR REPLACE TABLE \"MAIN \".orders AS SELECT * FROM source.app.orders')\nlink.execute('CREATE OR REPLACE TABLE \"orders \" AS SELECT * FROM source.app.orders')\n",
)
