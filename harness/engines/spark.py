"""Apache Spark in local mode, with Delta Lake and Iceberg: every run is a ``spark-submit`` and a Java of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from harness.engines import Engine
from harness.engines._hooks import Hooks
from harness.engines._reading import read
from harness.errors import InfrastructureError, SubmissionFault
from harness.sandboxes import Role, runtime_folder
from harness.sandboxes._box import Box, Completed
from harness.tables import Table

READER, WRITER = "lake_reader", "lake_writer"
WRITING_TIME = 60.0  # seconds
FRAME = re.compile(r"\s+(at \S+\(.*\)|\.\.\. \d+ more)$")

DEFAULTS = """\
spark.master                                 local[2]
spark.driver.memory                          1g
spark.ui.enabled                             false
spark.ui.showConsoleProgress                 false
spark.sql.session.timeZone                   UTC
spark.sql.shuffle.partitions                 4
spark.sql.sources.parallelPartitionDiscovery.parallelism  4
spark.sql.warehouse.dir                      {lake}
spark.sql.extensions                         io.delta.sql.DeltaSparkSessionExtension,{iceberg}
spark.sql.catalog.spark_catalog              org.apache.spark.sql.delta.catalog.DeltaCatalog
spark.sql.catalog.iceberg                    org.apache.iceberg.spark.SparkCatalog
spark.sql.catalog.iceberg.type               hadoop
spark.sql.catalog.iceberg.warehouse          {lake}
spark.databricks.delta.snapshotPartitions    2
"""
ICEBERG = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""


@dataclass(frozen=True)
class DeltaTable:
    """A Delta table as it stands, or stood. ``types`` by column; ``operations`` by version (``WRITE``, ``MERGE``)."""

    table: Table
    version: int
    types: Mapping[str, str]
    partitioned_by: tuple[str, ...]
    operations: Mapping[int, str]


# Spark's name of each column's type (``decimal(12,2)``), and rows of text.
Columns = Mapping[str, str]
Rows = Sequence[Sequence[str | None]]
# Numbers by the folder of a stream's checkpoint below ``$LAKE``.
Batches = Mapping[str, frozenset[int]]


class Spark(Engine):
    """The submission's tables are folders below ``$LAKE``."""

    name: ClassVar[str] = "spark"
    leaves: ClassVar[tuple[str, ...]] = ("lake/*", "spark-warehouse/*", "metastore_db/*", "derby.log")
    programs: ClassVar[tuple[str, ...]] = ("spark-submit", "scalac")
    fidelity: ClassVar[str] = (
        "Spark 4.1, Delta Lake 4.4, Iceberg 1.12 and Scala 2.13's compiler, the real things, in local mode on two "
        "cores: driver and executor are one process, files lie on a disk; no cluster manager, no Hive metastore. "
        "Iceberg's tables are those of a folder as catalog. The Kafka source is Spark 4.1.3's."
    )
    starts_slowly: ClassVar[bool] = True
    defaults: ClassVar[str] = DEFAULTS

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.lake = f"{box.path('work')}/lake"
        self._settings = f"{box.path('sockets')}/spark"

    def start(self) -> None:
        # Beside the sockets: the driver writes there, the submission only reads.
        settings = {
            "spark-defaults.conf": self.defaults.format(lake=self.lake, iceberg=ICEBERG),
            "log4j2.properties": LOGGING,
        }
        self.box.put("sockets", {f"spark/{name}": text.encode() for name, text in settings.items()})
        self.box.preload(READER, "driver")

    def variables(self) -> dict[str, str]:
        environment = self.box.space.interpreter.removesuffix("/bin/python")
        return {
            "LAKE": self.lake,
            "SPARK_HOME": f"{environment}/share/warm/spark",
            "JAVA_HOME": f"{environment}/share/warm/java",
            "SPARK_CONF_DIR": self._settings,
            # A box has no name that anybody could resolve.
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "PYSPARK_PYTHON": self.box.space.interpreter,
        }

    def submit(
        self,
        script: str,
        *arguments: str,
        main: str = "",
        settings: Mapping[str, str] | None = None,
        timeout: float = 120.0,
    ) -> Completed:
        """``spark-submit SCRIPT ARGUMENTS`` in the work folder; ``settings`` are given as ``--conf``.

        ``main``: the class that is started, if the script is a jar.
        """
        options = ["--class", main] if main else []
        options += [word for name, value in (settings or {}).items() for word in ("--conf", f"{name}={value}")]
        done = self.box.run(["spark-submit", *options, script, *arguments], timeout=timeout)
        if done.ok:
            return done
        # Spark passes on what Python writes to either as standard output; Java's stacks would hide the rest.
        said, job = (
            "\n".join(line for line in text.splitlines() if not FRAME.match(line))
            for text in (done.stderr, done.stdout)
        )
        return replace(done, stderr=self.explained(f"{said[-500:]}\n{job[-1000:]}".strip()))

    def explained(self, error: str) -> str:
        """What a job that failed said, with what is known of it here."""
        return error

    # -- reading ----------------------------------------------------------------------------------------------------

    def parquet(self, name: str) -> Table:
        """All rows of the table of Parquet files below ``$LAKE``, its partitions' columns among them."""
        return Table.decoded(name, self._read("parquet", name))

    def delta(self, name: str, version: int | None = None) -> DeltaTable:
        """A Delta table below ``$LAKE``, now or at a version."""
        found = self._read("delta", name, version=version)
        operations = {entry["version"]: entry["operation"] for entry in found["history"]}
        columns = tuple(found["partitioned_by"])
        return DeltaTable(Table.decoded(name, found), found["version"], found["types"], columns, operations)

    def files(self, name: str) -> dict[str, str]:
        """The SHA-256 of each file of a table below ``$LAKE``, by its path there; empty if there is no such table."""
        found: dict[str, str] = self._read("files", name)["files"]
        return found

    def holds(self, table: str) -> bool:
        try:
            return len(self.parquet(table)) > 0
        except SubmissionFault:
            return False

    def _read(self, function: str, name: str, **arguments: Any) -> dict[str, Any]:
        return read(self.box, READER, function, name, path=f"{self.lake}/{name}", **arguments)

    # -- what the world, or another program, writes -----------------------------------------------------------------

    def deliver(self, path: str, columns: Columns, rows: Rows) -> None:
        """A Parquet file below ``$DATA``."""
        done = self._write("driver", "parquet", f"{self.box.path('data')}/{path}", columns, rows)
        if not done.ok:
            raise InfrastructureError("engine", f"{path} couldn't be written: {done.explain()}")

    def append(self, name: str, columns: Columns, rows: Rows) -> None:
        """A further version of a Delta table below ``$LAKE``, by delta-rs."""
        done = self._write("submission", "append", f"{self.lake}/{name}", columns, rows)
        if not done.ok:
            raise SubmissionFault(f"delta-rs can't append to {name}: {done.explain()}")

    def beside_another_writer(
        self, act: Callable[[], Completed], name: str, columns: Columns, rows: Rows
    ) -> tuple[Completed, int]:
        """``act``, while another program appends to a Delta table: a row before each write of a PySpark job.

        Returns how ``act`` ended, and how many of the rows were appended.
        """
        given = {"path": f"{self.lake}/{name}", "columns": dict(columns), "rows": [list(row) for row in rows]}
        files = {
            f"{WRITER}.py": (runtime_folder() / f"{WRITER}.py").read_bytes(),
            "other_writer.json": json.dumps(given).encode(),
        }
        hooks = Hooks(self.box, "OTHER_WRITER_LOG", ".other_writer")
        hooks.put_on({"OTHER_WRITER": f"{hooks.folder}/other_writer.json"}, files)
        try:
            done = act()
        finally:
            appended = hooks.take_off()
        return done, len(appended.stdout)

    def _write(self, role: Role, function: str, path: str, columns: Columns, rows: Rows) -> Completed:
        arguments = {"path": path, "columns": dict(columns), "rows": [list(row) for row in rows]}
        return self.box.call(WRITER, function, arguments, role=role, timeout=WRITING_TIME)

    # -- streams ----------------------------------------------------------------------------------------------------

    def committed_batches(self) -> Batches:
        """The batches that streams have committed so far."""
        found: dict[str, set[int]] = {}
        for path in self.files("."):
            folder, commits, name = path.rpartition("/commits/")
            if commits and name.isascii() and name.isdigit():
                found.setdefault(folder, set()).add(int(name))
        return {folder: frozenset(numbers) for folder, numbers in found.items()}

    def forget_commits(self, before: Batches) -> int:
        """Set streams back to where a kill leaves them that comes between a batch's write and its commit.

        The batch is each stream's first that is not in ``before``; none after it has begun. Returns how many streams
        there are with such a batch.
        """
        paths = []
        streams = 0
        for folder, numbers in self.committed_batches().items():
            batches = sorted(numbers - before.get(folder, frozenset()))
            streams += bool(batches)
            for place, number in enumerate(batches):
                # What a batch is made of is noted down before it is written.
                for log in ("commits", "offsets") if place else ("commits",):
                    paths += [f"{self.lake}/{folder}/{log}/{name}" for name in (number, f".{number}.crc")]
        if paths:
            done = self.box.run(["rm", "-f", "--", *paths])
            if not done.ok:
                raise SubmissionFault(f"its checkpoint can't be changed: {done.explain()}")
        return streams


ENGINE = Spark
