"""Completes Spark where it is installed: ``prepare.py FOLDER`` (run once, when the environment is built).

FOLDER/spark, FOLDER/java      links to Spark and to the Java that runs it
FOLDER/kafka/jars              those that kafka.lock names: a Kafka broker
pyspark/jars                   also holds what jars.lock names, fetched by the Ivy that Spark comes with
pyspark/warm                   an archive of the classes that a job loads, and the class path it was made for
pyspark/python/lib             is empty: jobs import the installed modules, which are compiled
pyspark/bin/spark-class        starts Java with them: a job then takes less than half the time
bin/scalac                     Scala's compiler, which is among Spark's jars, with all of them on its class path
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITABLE = (17, 21)  # the Javas that this Spark is tested with, the preferred one first
PLACES = (os.environ.get("JAVA_HOME", ""), "/usr/lib/jvm/*", "/usr")
HERE = Path(__file__).parent
JARS, BROKERS_JARS = HERE / "jars.lock", HERE / "kafka.lock"

MODULE = """\
<ivy-module version="2.0">
  <info organisation="bench" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies defaultconf="default->master">{dependencies}</dependencies>
</ivy-module>
"""
DEPENDENCY = '<dependency org="{}" name="{}" rev="{}" transitive="false"/>'

# Classes are archived with the path of their jar. A descriptor's path holds wherever the environment lies, and is
# mounted. Short jobs gain nothing from the optimising compiler or a parallel garbage collector.
START = """\
exec 9<"$SPARK_HOME/jars"
for index in "${!CMD[@]}"; do
  if [ "${CMD[index]}" == -cp ]; then
    CMD[index + 1]="$(<"$SPARK_HOME/warm/classpath"):${SPARK_CONF_DIR:-$SPARK_HOME/conf}"
    break
  fi
done
archive=${SPARK_ARCHIVE:--XX:SharedArchiveFile=$SPARK_HOME/warm/classes.jsa}
exec "${CMD[0]}" "$archive" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${CMD[@]:1}"
"""

SCALAC = """\
#!/usr/bin/env bash
warm="$(dirname "$(readlink -f "$0")")/../share/warm"
exec 9<"$warm/spark/jars"
exec "$warm/java/bin/java" -XX:SharedArchiveFile="$warm/spark/warm/classes.jsa" -XX:+UseSerialGC \\
  -XX:TieredStopAtLevel=1 -Xmx1g -cp "$(<"$warm/spark/warm/classpath")" scala.tools.nsc.Main -usejavacp "$@"
"""

# Does what jobs usually do, so that the classes they need are in the archive; those of Scala's compiler, too.
JOB = """\
import os, sys
from delta.tables import DeltaTable
from pyspark import SparkContext
from pyspark.sql import SparkSession, Window, functions as F

folder = sys.argv[1]
with open(folder + "/rows.csv", "w") as file:
    file.write("id,at,amount,day\\n")
    file.writelines(f"{n % 7},2026-03-01T10:00:{n:02},{n}.50,2026-03-0{1 + n % 3}\\n" for n in range(20))
spark = SparkSession.builder.config("spark.sql.sources.partitionOverwriteMode", "dynamic").getOrCreate()
schema = "id string, at timestamp, amount decimal(12,2), day date"
rows = spark.read.schema(schema).option("header", True).csv(folder + "/rows.csv").cache()
latest = Window.partitionBy("id").orderBy(F.col("at").desc(), F.col("amount"))
rows = rows.withColumn("n", F.row_number().over(latest)).where("n = 1").drop("n")
rows.write.mode("overwrite").partitionBy("day").parquet(folder + "/table")
table = spark.read.parquet(folder + "/table")
table.join(rows, "id", "left_anti").unionByName(rows).groupBy("day").agg(F.sum("amount")).collect()
rows.write.json(folder + "/json")
spark.read.json(folder + "/json").createOrReplaceTempView("json")
spark.sql("SELECT id, count(*) FROM json GROUP BY id ORDER BY id").collect()
delta = folder + "/delta"
rows.write.format("delta").partitionBy("day").save(delta)
rows.createOrReplaceTempView("rows")
spark.sql(f"MERGE INTO delta.`{delta}` AS t USING rows AS s ON t.id = s.id "
          "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
spark.read.format("delta").option("versionAsOf", 0).load(delta).collect()

DeltaTable.forPath(spark, delta).alias("t").merge(rows.withColumn("more", F.lit(1)).alias("s"), "t.id = s.id") \\
    .withSchemaEvolution().whenMatchedUpdateAll("s.at > t.at").whenNotMatchedInsertAll().execute()
stream = spark.readStream.schema("id string, at timestamp, amount decimal(12,2)").json(folder + "/json")
totals = stream.withWatermark("at", "1 hour").dropDuplicatesWithinWatermark(["id"]) \\
    .groupBy(F.window("at", "1 hour").alias("hour"), "id").agg(F.sum("amount").alias("amount"))

def upsert(batch, number):
    DeltaTable.createIfNotExists(spark).location(folder + "/totals").addColumns(batch.schema).execute()
    table = DeltaTable.forPath(spark, folder + "/totals").alias("t")
    merge = table.merge(batch.alias("s"), "t.id = s.id AND t.hour = s.hour")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

totals.writeStream.outputMode("update").foreachBatch(upsert).option("checkpointLocation", folder + "/checkpoint") \\
    .trigger(availableNow=True).start().awaitTermination()
rows.writeTo("iceberg.warm.rows").using("iceberg").create()
spark.table("iceberg.warm.rows").where("day IS NOT NULL").collect()
spark.readStream.format("kafka").option("kafka.bootstrap.servers", "localhost:9").option("subscribe", "x").load()
spark.stop()

with open(folder + "/Job.scala", "w") as file:
    file.write('''
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.expressions.Window
import org.apache.spark.sql.functions._

object Job {
  case class Row(id: String, amount: Option[BigDecimal])
  private def latest(rows: DataFrame): DataFrame =
    rows.withColumn("n", row_number().over(Window.partitionBy("id").orderBy(col("at").desc_nulls_last))).where("n = 1")
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder.getOrCreate()
    import spark.implicits._
    latest(spark.read.option("header", true).csv(arguments(0))).as[Row].map(row => row.copy(id = s"${row.id}!"))
      .write.mode("overwrite").parquet(sys.env.getOrElse("LAKE", ".") + "/rows")
  }
}''')
compiler = SparkContext._gateway.jvm.scala.tools.nsc.Main
options = ["-usejavacp", "-d", folder + "/job.jar", folder + "/Job.scala"]
given = SparkContext._gateway.new_array(SparkContext._gateway.jvm.java.lang.String, len(options))
for place, option in enumerate(options):
    given[place] = option
compiler.process(given)
assert os.path.getsize(folder + "/job.jar") > 0
"""


def spark_home() -> Path:
    return Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pyspark"


def java_home() -> Path:
    """A Java that runs this Spark.

    Raises:
        SystemExit: none is here.
    """
    found: dict[int, Path] = {}
    for pattern in filter(None, PLACES):
        for place in sorted(Path("/").glob(pattern.lstrip("/"))):
            if (place / "bin" / "java").is_file():
                said = subprocess.run([place / "bin" / "java", "-version"], capture_output=True, text=True, check=False)
                number = re.search(r'version "(\d+)', said.stderr)
                if number and int(number[1]) in SUITABLE:
                    found.setdefault(int(number[1]), (place / "bin" / "java").resolve().parent.parent)
    for version in SUITABLE:
        if version in found:
            return found[version]
    wanted = " or ".join(map(str, SUITABLE))
    sys.exit(f"no Java {wanted} is here: install one (on Debian: default-jre-headless), or let JAVA_HOME name one")


def fetch_jars(lock: Path, target: Path, home: Path, java: Path) -> None:
    """Fetch what a lock file names into a folder, by the Ivy of Spark's home."""
    locked = [line.split() for line in lock.read_text().splitlines() if line.strip() and not line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        dependencies = "".join(DEPENDENCY.format(*coordinates.split(":")) for coordinates, _ in locked)
        module = Path(folder, "ivy.xml")
        module.write_text(MODULE.format(dependencies=dependencies))
        (ivy,) = (home / "jars").glob("ivy-*.jar")
        command = [f"{java}/bin/java", "-cp", str(ivy), "org.apache.ivy.Main"]
        command += ["-ivy", str(module), "-cache", f"{folder}/cache"]
        done = subprocess.run(
            [*command, "-retrieve", f"{folder}/[artifact]-[revision].[ext]"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"fetching the jars of {lock.name} failed:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
        for coordinates, digest in locked:
            jar = "{1}-{2}.jar".format(*coordinates.split(":"))
            if hashlib.sha256(Path(folder, jar).read_bytes()).hexdigest() != digest:
                sys.exit(f"{coordinates} is not what {lock.name} says")
            shutil.copy(Path(folder, jar), target / jar)


def replace_start(home: Path) -> None:
    script = home / "bin" / "spark-class"
    text, ending = script.read_text(), 'exec "${CMD[@]}"\n'
    if text.count(ending) != 1:
        sys.exit(f"{script} doesn't end as it did")
    # A file of its own: the one that stands there may be shared with other environments.
    new = script.with_name("spark-class.new")
    new.write_text(text.replace(ending, START))
    new.chmod(0o755)
    new.replace(script)


def add_compiler() -> None:
    script = Path(sys.prefix) / "bin" / "scalac"
    script.write_text(SCALAC)
    script.chmod(0o755)


def use_compiled_modules(home: Path) -> None:
    """Spark puts its zipped Python modules first, which are compiled anew for every job; the installed ones are not."""
    for archive in (home / "python" / "lib").glob("*.zip"):
        archive.unlink()


def archive_classes(home: Path, java: Path) -> None:
    warm = home / "warm"
    warm.mkdir()
    (warm / "classpath").write_text(":".join(f"/proc/self/fd/9/{jar.name}" for jar in sorted(home.glob("jars/*.jar"))))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "job.py").write_text(JOB)
        # No file may lie in a folder of the class path while it is archived.
        (Path(folder) / "conf").mkdir()
        variables = {
            **os.environ,
            "SPARK_HOME": str(home),
            "JAVA_HOME": str(java),
            "SPARK_CONF_DIR": f"{folder}/conf",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_ARCHIVE": f"-XX:ArchiveClassesAtExit={warm / 'classes.jsa'}",
        }
        settings = {
            "spark.master": "local[2]",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,"
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.catalog.iceberg": "org.apache.iceberg.spark.SparkCatalog",
            "spark.sql.catalog.iceberg.type": "hadoop",
            "spark.sql.catalog.iceberg.warehouse": f"{folder}/iceberg",
        }
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        command = [f"{home}/bin/spark-submit", *options, f"{folder}/job.py", folder]
        done = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or not (warm / "classes.jsa").is_file():
            sys.exit(f"the job that warms Spark failed:\n{done.stderr[-2000:]}")
    (warm / "classes.jsa").chmod(0o644)


def main(folder: Path) -> None:
    home, java = spark_home(), java_home()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark").symlink_to(os.path.relpath(home, folder))
    (folder / "java").symlink_to(java)
    fetch_jars(JARS, home / "jars", home, java)
    (folder / "kafka" / "jars").mkdir(parents=True)
    fetch_jars(BROKERS_JARS, folder / "kafka" / "jars", home, java)
    replace_start(home)
    add_compiler()
    use_compiled_modules(home)
    archive_classes(home, java)


if __name__ == "__main__":
    if sys.argv[1:] == ["--try"]:  # only whether this machine has what it takes
        java_home()
    else:
        main(Path(sys.argv[1]))
