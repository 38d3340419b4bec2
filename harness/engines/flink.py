"""Apache Flink: a submission's job runs in a mini-cluster of its own, in one Java."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import ClassVar

from harness.engines import Engine
from harness.engines._reading import read
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box
from harness.service import Service, service
from harness.tables import Table

READER = "lake_reader"

# A short-lived job gains nothing from the optimising compiler or a parallel garbage collector.
JAVA_ARGUMENTS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx640m"
# What Flink's own configuration, in whose place ours stands, opens of Java's modules.
OPENED = (
    "java.lang java.lang.reflect java.io java.net java.nio java.text java.time java.util java.util.concurrent "
    "java.util.concurrent.atomic java.util.concurrent.locks sun.nio.ch"
)
CONFIGURATION = """\
env:
  log:
    dir: {logs}
  java:
    opts:
      all: {opened}
"""


class Flink(Engine):
    """The submission's tables are folders of files below ``$LAKE``; ``$CHECKPOINTS`` outlives a job."""

    name: ClassVar[str] = "flink"
    leaves: ClassVar[tuple[str, ...]] = ("lake/*", "checkpoints/*")
    fidelity: ClassVar[str] = (
        "Flink 2.3 (PyFlink and SQL), the real thing, as a mini-cluster in one Java: job manager and task manager are "
        "one process, state and files lie on a disk; no cluster, no object store; its Kafka connector, but no broker."
    )
    starts_slowly: ClassVar[bool] = True

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.lake = f"{box.path('work')}/lake"
        self._settings = f"{box.path('sockets')}/flink"

    def start(self) -> None:
        # Beside the sockets: the driver writes there, the submission only reads.
        opened = " ".join(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED.split())
        text = CONFIGURATION.format(logs=self.box.path("tmp"), opened=opened)
        self.box.put("sockets", {"flink/config.yaml": text.encode()})
        self.box.preload(READER, "driver")

    def variables(self) -> dict[str, str]:
        environment = self.box.space.interpreter.removesuffix("/bin/python")
        return {
            "LAKE": self.lake,
            "CHECKPOINTS": f"{self.box.path('work')}/checkpoints",
            "JAVA_HOME": f"{environment}/share/warm/java",
            "FLINK_CONF_DIR": self._settings,
            "JVM_ARGS": JAVA_ARGUMENTS,
        }

    def job(self, *argv: str) -> AbstractContextManager[Service]:
        """Start a job that stays, as ``service`` does."""
        return service(self.box, *argv)

    def rows(self, name: str) -> Table:
        """All rows of the finished files (JSON lines) of a folder below ``$LAKE``; none if there is no such folder."""
        return Table.decoded(name, read(self.box, READER, "json_lines", name, path=f"{self.lake}/{name}"))

    def holds(self, table: str) -> bool:
        try:
            return len(self.rows(table)) > 0
        except SubmissionFault:
            return False


ENGINE = Flink
