"""Spark in both sandboxes: what jobs write is read as what it is, and bad jobs end within their limits."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from graders.perturbations import on_another_machine
from harness.engines.spark import Spark
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes import _choice
from harness.submission import Submission
from tests.conftest import diagnosis
from tests.engines.conftest import begin, task_with
from tests.turns import in_both

pytestmark = pytest.mark.engines


# A Parquet table and a Delta table, with a function in Python workers.
TABLES = """
import os, sys
from pyspark.sql import SparkSession, functions as F

spark = SparkSession.builder.getOrCreate()
lake = os.environ["LAKE"]
rows = spark.read.schema("id int, name string").csv(os.environ["DATA"] + "/names.csv")
rows = rows.select(
    "id",
    F.udf(lambda name: name and name.upper())("name").alias("name"),
    F.lit("1.10").cast("decimal(12,2)").alias("amount"),
    F.lit("2026-03-01 10:00:00").cast("timestamp").alias("at"),
    F.array(F.lit(1), F.lit(None).cast("int")).alias("list"),
    F.when(F.col("id") < 3, F.lit("2026-03-01").cast("date")).alias("day"),
)
rows.write.partitionBy("day").parquet(lake + "/names")
plain = rows.select("id", "name").repartition(int(spark.conf.get("spark.sql.shuffle.partitions")))
plain.write.format("delta").partitionBy("id").save(lake + "/merged")
kept = plain.write.format("delta").option("delta.enableDeletionVectors", "true")
kept.option("delta.columnMapping.mode", "name").save(lake + "/marked")
spark.sql(f"DELETE FROM delta.`{lake}/marked` WHERE id = 2")
plain.withColumn("name", F.lit("changed")).where("id = 1").createOrReplaceTempView("changes")
spark.sql(f"MERGE INTO delta.`{lake}/merged` AS t USING changes AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *")
print(sys.argv[1:], spark.conf.get("spark.sql.shuffle.partitions"))
"""
# Iceberg's own statements, and Spark's Kafka source as far as it goes without a broker.
ICEBERG = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE TABLE iceberg.shop.orders (id int, name string) USING iceberg")
spark.sql("INSERT INTO iceberg.shop.orders VALUES (1, 'a'), (2, 'b')")
spark.sql(
    "MERGE INTO iceberg.shop.orders t USING (SELECT 2 AS id, 'c' AS name) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
)
print(sorted((row.id, row.name) for row in spark.table("iceberg.shop.orders").collect()))
first = spark.sql("SELECT snapshot_id FROM iceberg.shop.orders.snapshots ORDER BY committed_at").first()[0]
print(spark.sql(f"SELECT name FROM iceberg.shop.orders VERSION AS OF {first} WHERE id = 2").first()[0])
options = {"kafka.bootstrap.servers": "localhost:9", "subscribe": "events"}
print(spark.readStream.format("kafka").options(**options).load().columns[:3])
"""
START = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
SCALA = """
import org.apache.spark.sql.SparkSession

object Doubled {
  case class Number(value: Long)
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder.getOrCreate()
    import spark.implicits._
    spark.range(3).as[Long].map(n => Number(2 * n)).write.parquet(sys.env("LAKE") + "/" + arguments(0))
  }
}
"""
BAD = {
    "does not parse": ("def f(:\n", None, "SyntaxError"),
    "fails in a task": (START + "spark.range(3).rdd.map(lambda row: 1 // row.id).collect()", None, "ZeroDivisionError"),
    "hangs": (START + "import time\ntime.sleep(1000)", "timeout", ""),
    "floods its output": (START + "while True: print('x' * 100_000)", "output", ""),
    "fills the memory": (START + "whole = [b'x' * 2**20 for _ in range(5000)]", "memory", ""),
}


def lab_in(sandbox: str, labs: dict[str, Lab], files: dict[str, str] | None = None) -> Lab:
    if sandbox not in labs:
        task = task_with(["spark"], "spark", memory=2048, disk=256, processes=512)
        labs[sandbox] = Lab(task, _choice.load(sandbox), Submission())
    return begin(labs[sandbox], files)


@pytest.mark.parametrize("sandbox", in_both("docker"))
def test_what_a_job_writes_is_read_as_what_it_is(sandbox: str, labs: dict[str, Lab]) -> None:
    lab = lab_in(sandbox, labs, {"job.py": TABLES})
    spark = lab.use(Spark)
    lab.deliver({"names.csv": "1,anna\n2,\n3,zoë\n"})
    done = spark.submit("job.py", "--date", "2026-03-01", settings={"spark.sql.shuffle.partitions": "3"})
    assert done.ok, done.explain()
    assert done.stdout.splitlines() == ["['--date', '2026-03-01'] 3"]
    day, at = datetime.date(2026, 3, 1), datetime.datetime(2026, 3, 1, 10)
    names = spark.parquet("names")
    assert names.columns == ("id", "name", "amount", "at", "list", "day")
    assert sorted(names.rows, key=str) == [
        (1, "ANNA", Decimal("1.10"), at, [1, None], day),
        (2, None, Decimal("1.10"), at, [1, None], day),
        (3, "ZOË", Decimal("1.10"), at, [1, None], None),
    ]
    now, before = spark.delta("merged"), spark.delta("merged", version=0)
    assert sorted(now.table.rows) == [(1, "changed"), (2, None), (3, "ZOË")]
    assert sorted(before.table.rows) == [(1, "ANNA"), (2, None), (3, "ZOË")]
    # Rows are only marked as deleted there, and columns have other names in the files.
    assert sorted(spark.delta("marked").table.rows) == [(1, "ANNA"), (3, "ZOË")]
    assert (now.version, now.operations) == (1, {0: "WRITE", 1: "MERGE"})
    assert (now.partitioned_by, now.types) == (("id",), {"id": "integer", "name": "string"})
    assert any(path.startswith("day=2026-03-01/") for path in spark.files("names"))
    assert not lab.box.incidents


@pytest.mark.parametrize("sandbox", in_both("bubblewrap"))
@pytest.mark.parametrize(("job", "killed", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_job_ends_within_its_limits(
    sandbox: str, job: str, killed: str | None, said: str, labs: dict[str, Lab]
) -> None:
    lab = lab_in(sandbox, labs, {"job.py": job})
    done = lab.use(Spark).submit("job.py", timeout=10 if killed == "timeout" else 90)
    assert not done.ok
    assert done.killed == killed, done.explain()
    assert said in done.explain()
    # Nothing of it is there when the next one comes.
    assert lab.box.run(["sh", "-c", "ls /proc | grep -c '^[0-9]'"]).stdout.strip() in ("3", "4", "5", "6", "7", "8")
    lab.fresh()
    assert lab.box.collect() == {"job.py": job.encode()}


@pytest.mark.bubblewrap
def test_iceberg_tables_and_the_kafka_source_are_there(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs, {"job.py": ICEBERG})
    done = lab.use(Spark).submit("job.py")
    assert done.ok, done.explain()
    assert done.stdout.splitlines() == ["[(1, 'a'), (2, 'c')]", "b", "['key', 'value', 'topic']"]
    assert any(path.startswith("metadata/") for path in lab.use(Spark).files("shop/orders"))


@pytest.mark.bubblewrap
def test_scala_is_compiled_and_run(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs, {"Doubled.scala": SCALA, "Wrong.scala": "object Wrong { val n: Int = none }"})
    wrong = lab.run("scalac", "-d", "job.jar", "Doubled.scala", "Wrong.scala")
    assert not wrong.ok
    assert "Wrong.scala:1: error: not found: value none" in wrong.explain()
    assert lab.run("scalac", "-d", "job.jar", "Doubled.scala").ok
    spark = lab.use(Spark)
    assert spark.submit("job.jar", "numbers", main="Doubled").ok
    assert sorted(spark.parquet("numbers").column("value")) == [0, 2, 4]


STREAMS = """
for stream in a b/c; do
  mkdir -p lake/$stream/commits lake/$stream/offsets
  for n in 0 1 2 3; do touch lake/$stream/{commits,offsets}/{$n,.$n.crc}; done
done
rm lake/a/commits/3
"""


@pytest.mark.bubblewrap
def test_a_stream_is_set_back_to_before_a_commit(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    spark = lab.use(Spark)
    assert spark.committed_batches() == {}
    assert spark.forget_commits({}) == 0
    assert lab.run("bash", "-c", STREAMS).ok
    assert spark.committed_batches() == {"a": {0, 1, 2}, "b/c": {0, 1, 2, 3}}
    assert spark.forget_commits({"a": frozenset({0, 1, 2}), "b/c": frozenset({0, 1})}) == 1
    assert spark.committed_batches() == {"a": {0, 1, 2}, "b/c": {0, 1}}
    # What the batch is made of is noted down, and nothing of the one after it.
    left = {path for path in spark.files("b/c") if path.startswith("offsets/")}
    assert left == {f"offsets/{name}" for n in range(3) for name in (f"{n}", f".{n}.crc")}


@pytest.mark.bubblewrap
def test_what_spark_keeps_for_itself_is_no_part_of_the_solution(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs, {"job.py": "1"})
    assert lab.run("bash", "-c", "mkdir -p spark-warehouse/orders && touch spark-warehouse/orders/x").ok
    assert lab.collect().files == {"job.py": b"1"}


@pytest.mark.bubblewrap
def test_another_machine_has_the_lake_and_the_submission(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs, {"job.py": "1", "lake/old": "2"})
    assert lab.run("bash", "-c", "mkdir x; touch x/y lake/new $TMPDIR/z .hidden; echo 3 > job.py; rm lake/old").ok
    on_another_machine(lab, "lake")
    assert set(lab.run("find", ".", lab.box.path("tmp"), "-type", "f").stdout.split()) == {"./lake/new", "./job.py"}
    assert lab.run("cat", "job.py").stdout == "1"


@pytest.mark.bubblewrap
def test_what_the_world_writes_is_read_as_what_it_is(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    spark = lab.use(Spark)
    columns = {"id": "int", "n": "bigint", "x": "double", "a": "decimal(12,2)", "at": "timestamp", "d": "date"}
    row = ["1", "2", "0.5", "1.10", "2026-03-01 10:00:00", "2026-03-01"]
    spark.append("t", columns, [row, [None] * 6])
    spark.append("t", {"id": "int", "more": "string"}, [["2", "new"]])
    expected = (1, 2, 0.5, Decimal("1.10"), datetime.datetime(2026, 3, 1, 10), datetime.date(2026, 3, 1))
    now, before = spark.delta("t"), spark.delta("t", version=0)
    assert sorted(before.table.rows, key=str) == [expected, (None,) * 6]
    assert sorted(now.table.rows, key=str) == [(*expected, None), (2, *[None] * 5, "new"), (None,) * 7]
    assert (now.version, now.types["a"], now.types["more"]) == (1, "decimal(12,2)", "string")
    spark.deliver("in/part.parquet", columns, [row])
    read = "import os, pyarrow.parquet as p; print(p.read_table(os.environ['DATA'] + '/in/part.parquet').to_pylist())"
    assert "'a': Decimal('1.10')" in lab.run("python", "-c", read).stdout


@pytest.mark.bubblewrap
def test_a_real_command_starts_without_our_settings(labs: dict[str, Lab]) -> None:
    """As an agent would try things: the version, with what the image holds."""
    done = lab_in("bubblewrap", labs).run("spark-submit", "--version")
    assert done.ok
    assert "version 4.1" in done.stderr


FOLDERS = {
    "nothing": "true",
    "a file": "echo hello > lake/orders",
    "an empty folder": "mkdir lake/orders",
    "only what is no data": "mkdir lake/orders && touch lake/orders/_SUCCESS lake/orders/.part.crc",
    "no Parquet": "mkdir lake/orders && echo hello > lake/orders/part-0.parquet",
    "zeros": "mkdir lake/orders && truncate -s 1M lake/orders/part-0.parquet",
    "a link to a file": "mkdir lake/orders && ln -s /etc/passwd lake/orders/part-0.parquet",
    "a link to a folder": "ln -s /data lake/orders",
    "a pipe": "mkdir lake/orders && mkfifo lake/orders/part-0.parquet",
    "a broken log": "mkdir -p lake/orders/_delta_log && echo '{' > lake/orders/_delta_log/00000000000000000000.json",
}


@pytest.mark.bubblewrap
@pytest.mark.parametrize("script", FOLDERS.values(), ids=FOLDERS.keys())
def test_a_folder_that_is_no_table_is_the_submissions_fault(script: str, labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    assert lab.run("bash", "-c", f"mkdir lake && {script}").ok
    for read in (lab.use(Spark).parquet, lab.use(Spark).delta):
        with pytest.raises(SubmissionFault, match="orders can't be read"):
            read("orders")


@pytest.mark.bubblewrap
def test_a_table_without_end_is_the_submissions_fault(labs: dict[str, Lab]) -> None:
    make = """
import os, pyarrow, pyarrow.parquet
os.makedirs("lake/orders")
pyarrow.parquet.write_table(pyarrow.table({"id": [1] * 600_000}), "lake/orders/part-0.parquet")
"""
    lab = lab_in("bubblewrap", labs)
    assert lab.run("python", "-c", make).ok
    with pytest.raises(SubmissionFault, match="more than 500000 rows"):
        lab.use(Spark).parquet("orders")


@pytest.mark.bubblewrap
def test_settings_are_nobodys_to_change(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    assert not lab.run("bash", "-c", "echo spark.master yarn >> $SPARK_CONF_DIR/spark-defaults.conf").ok
    assert not lab.run("bash", "-c", "rm $SPARK_HOME/warm/classes.jsa").ok


def test_a_sandbox_that_works_is_there() -> None:
    assert any(diagnosis(name).works for name in ("docker", "bubblewrap"))
