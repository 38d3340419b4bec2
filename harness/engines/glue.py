"""AWS Glue: jobs on Spark with our own ``awsglue``, the catalog and S3 by the engine ``aws``."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import ClassVar

from harness.engines._reading import read
from harness.engines.aws import Aws
from harness.engines.spark import READER, Spark
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box, Completed
from harness.tables import Table


class Glue(Aws):
    """What ``aws`` has, and jobs: ``spark-submit`` with Glue's arguments. The task's engines name ``spark``, too.

    ``awsglue`` lies in ``harness/runtime/glue``, where the agent's own box has it as well.
    """

    name: ClassVar[str] = "glue"
    fidelity: ClassVar[str] = (
        "As `aws`. Jobs are real PySpark 4.1, their library `awsglue` is ours: GlueContext, DynamicFrames, choices, "
        "transforms, sinks that update the catalog, bookmarks. It copies the objects of S3, so Spark's own readers "
        "know no s3:// path. No crawlers, triggers, workflows, Relationalize; JSON, CSV and Parquet only; mixed types "
        "below a column's top level are text."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._readings = 0

    def variables(self) -> dict[str, str]:
        return {**super().variables(), "PYTHONPATH": f"{self.box.space.runtime}/glue"}

    def run(self, script: str, job: str, *arguments: str, timeout: float = 120.0) -> Completed:
        """A run of the job, with bookmarks on."""
        given = ("--JOB_NAME", job, "--job-bookmark-option", "job-bookmark-enable", *arguments)
        return Spark(self.box).submit(script, *given, timeout=timeout)

    # -- what a job left -----------------------------------------------------------------------------------------------

    def catalogued(self, database: str, name: str) -> Table:
        """All rows that somebody finds by the catalog: those of the table's partitions, or of its location."""
        table = self.catalog_table(database, name)
        keys = [key["Name"] for key in table.get("PartitionKeys", ())]
        places = [("", table["StorageDescriptor"])]
        if keys:
            places = [
                ("".join(map("{}={}/".format, keys, partition["Values"])), partition["StorageDescriptor"])
                for partition in self.catalog_partitions(database, name)
            ]
        found: dict[str, bytes] = {}
        for number, (folders, place) in enumerate(places):
            for key, content in self._objects_at(str(place.get("Location", ""))).items():
                found[f"{folders}{number}-{key.rpartition('/')[2]}"] = content
        return self.parquet(f"{database}.{name}", found)

    def holds(self, table: str) -> bool:
        database, _, name = table.rpartition(".")
        try:
            return len(self.catalogued(database, name)) > 0
        except SubmissionFault:
            return False

    def _objects_at(self, location: str) -> dict[str, bytes]:
        match = re.fullmatch(r"s3[an]?://([^/]+)/(.*?)/?", location)
        if not match:
            raise SubmissionFault(f"the catalog names {location[:200]!r} as a location")
        return self.objects(match[1], f"{match[2]}/")

    def parquet(self, name: str, objects: Mapping[str, bytes]) -> Table:
        """All rows of objects by their key; its folders may be partitions."""
        if not objects:
            raise SubmissionFault(f"{name} can't be read: there are no objects")
        self._readings += 1
        folder = f"objects/{self._readings}"
        self.box.put("driver", {f"{folder}/{as_path(key)}": content for key, content in objects.items()})
        return Table.decoded(name, read(self.box, READER, "parquet", name, path=f"{self.box.path('driver')}/{folder}"))


def as_path(key: str) -> str:
    """A key as the path of a file: a stranger chose it."""
    parts = [urllib.parse.quote(urllib.parse.unquote(part), safe="=") for part in key.split("/")]
    return "/".join(f"x{part}" if part in ("", ".", "..") else part for part in parts)


ENGINE = Glue
