"""Databricks: Delta unless something else is said; what only its own runtime has ends with an error that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.engines.databricks import Databricks, databricks_own
from harness.lab import Lab
from harness.submission import Submission
from tests.engines.conftest import begin, quick_sandbox, task_with

pytestmark = [pytest.mark.engines, pytest.mark.bubblewrap]

# A statement of Databricks' -> what the driver says of it.
REFUSED = {
    "COPY INTO orders FROM '/data' FILEFORMAT = PARQUET": "COPY INTO",
    "GRANT SELECT ON TABLE orders TO `analysts`": "Unity Catalog's grants",
    "CREATE VOLUME landing": "Unity Catalog's catalogs",
    "USE CATALOG main": "Unity Catalog's catalogs",
    "ALTER TABLE orders SET TAGS ('pii' = 'no')": "tags",
    "ALTER TABLE orders SET ROW FILTER own ON (id)": "tags",
    "CREATE TABLE keyed (id int PRIMARY KEY)": "constraints in a table's definition",
    "CREATE STREAMING TABLE s AS SELECT * FROM STREAM orders": "streaming tables",
    "CREATE MATERIALIZED VIEW m AS SELECT * FROM orders": "streaming tables",
    "CREATE TABLE copied DEEP CLONE orders": "DEEP CLONE",
    "UNDROP TABLE orders": "UNDROP",
    "CREATE TABLE clustered (id int) CLUSTER BY AUTO": "CLUSTER BY AUTO",
    "INSERT INTO orders REPLACE USING (id) SELECT 1, 'x'": "REPLACE USING",
    "CREATE BLOOMFILTER INDEX ON TABLE orders FOR COLUMNS (id)": "Bloom filter",
    "CACHE SELECT * FROM orders": "the disk cache",
    "ANALYZE TABLE orders COMPUTE DELTA STATISTICS": "ANALYZE",
    "SELECT * FROM orders QUALIFY row_number() OVER (ORDER BY id) = 1": "QUALIFY",
    "SELECT * FROM orders@v0": "versions behind an @",
    "SELECT * FROM read_files('/data')": "read_files",
    "SELECT is_account_group_member('analysts')": "functions of accounts",
    "SELECT ai_query('model', 'text')": "AI functions",
}
JOB = """
import json, os, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE TABLE orders (id int, name string)")
spark.sql("INSERT INTO orders VALUES (1, 'a')")
print("said", json.dumps(spark.sql("DESCRIBE DETAIL orders").first().format))
said = {}
for statement in json.loads(sys.argv[1]):
    try:
        spark.sql(statement)
    except Exception as error:
        said[statement] = str(error)
print("said", json.dumps(said))
for statement in (
    "MERGE WITH SCHEMA EVOLUTION INTO orders t USING (SELECT 1 AS id, 'b' AS name, 5 AS more) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET *",
    "OPTIMIZE orders ZORDER BY (id)",
    "CREATE TABLE clustered (id bigint GENERATED ALWAYS AS IDENTITY, name string) CLUSTER BY (name)",
    "RESTORE TABLE orders TO VERSION AS OF 2",
):
    spark.sql(statement)
print("said", json.dumps(spark.table("orders").columns))
table = spark.read.load(os.environ["LAKE"] + "/shared")
rows = table.collect()
spark.createDataFrame(rows, table.schema).write.mode("overwrite").save(os.environ["LAKE"] + "/shared")
dbutils.notebook.exit("done")
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    task = task_with(["databricks"], "spark", memory=2048, disk=256, processes=512)
    with Lab(task, quick_sandbox(), Submission()) as opened:
        yield opened


def test_what_is_open_source_works_and_what_is_not_is_refused(lab: Lab) -> None:
    begin(lab, {"job.py": JOB})
    databricks = lab.use(Databricks)
    columns = {"id": "int"}
    databricks.append("shared", columns, [["1"]])
    done, appended = databricks.beside_another_writer(
        lambda: databricks.submit("job.py", json.dumps([*REFUSED]), timeout=300), "shared", columns, [["2"]]
    )
    lines = [line.removeprefix("said ") for line in done.stdout.splitlines() if line.startswith("said ")]
    kind, said, after = map(json.loads, lines)
    assert kind == "delta"
    assert after == ["id", "name", "more"]
    assert {statement for statement in REFUSED if statement not in said} == set(), "accepted"
    for statement, what in REFUSED.items():
        assert databricks_own(said[statement]).startswith(f"Only Databricks' own runtime has {what}"), said[statement]
    assert not done.ok
    assert "Only Databricks' own runtime has" in done.explain()
    # Another program's row was there before the job's first write: it had not read yet, and so has kept it.
    assert appended == 1
    assert sorted(databricks.delta("shared").table.column("id")) == [1, 2]


def test_other_errors_are_left_alone() -> None:
    assert "has dbutils" in databricks_own("NameError: name 'dbutils' is not defined")
    assert not databricks_own("[DIVIDE_BY_ZERO] in SELECT 1 / 0 -- GRANT")
    assert not databricks_own("[TABLE_OR_VIEW_NOT_FOUND] The table or view `orders` cannot be found.")
