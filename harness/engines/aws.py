"""AWS in one box: Kinesis, S3 and the Glue catalog by moto's server, reached at ``AWS_ENDPOINT_URL``."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines._server import ServedEngine, drawn_port
from harness.errors import InfrastructureError, SubmissionFault, UsageError
from harness.sandboxes._box import Box

REGION = "eu-central-1"
# Names an endpoint elsewhere, LocalStack's or AWS's own, in place of moto; with the caller's own keys.
ACCOUNT = "BENCH_AWS_ENDPOINT_URL"
ANSWER_TIME = 120.0  # seconds
FIRST_PORT = 10_000
HASH_KEYS = 2**128
MOST_OBJECTS = 1000


@dataclass(frozen=True)
class StreamRecord:
    """A record of a stream, as it stands in a shard."""

    shard: str
    number: int
    key: str
    data: bytes


@dataclass(frozen=True)
class Shard:
    id: str
    parents: tuple[str, ...]
    is_open: bool
    hash_keys: tuple[int, int]


class Aws(ServedEngine):
    """Every verb but ``plan`` acts past the door that the submission goes through: no planned fault befalls it."""

    name: ClassVar[str] = "aws"
    fidelity: ClassVar[str] = (
        "Kinesis, S3, STS and the Glue catalog emulated by moto 5.2, its shards replaced by ones that close and have "
        "children; no throughput limits but planned ones, no IAM. Glue jobs and crawlers, Athena, Redshift's data API, "
        "enhanced fan-out and every other service are refused."
    )

    # Every client loads its service's model first, and a task that reads streams has many runs.
    starts_slowly: ClassVar[bool] = True

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._account = os.environ.get(ACCOUNT, "")
        self._port = drawn_port(FIRST_PORT)

    def start(self) -> None:
        path = f"{self.box.path('sockets')}/aws"
        self._serve("AWS's server", "driver/aws_server.py", path, REGION, timeout=ANSWER_TIME)
        if not self._account:
            self._ask("reset")  # answered once it listens
            self._open(self._port, path)
            return
        credentials = {name.lower(): value for name, value in own_credentials().items()}
        reply = self._ask("account", endpoint=self._account, credentials=credentials)
        if "unreachable" in reply:
            raise UsageError(
                f"{ACCOUNT}: {self._account} can't be reached from the box: {reply['unreachable']}",
                "boxes have no network: use --sandbox embedded (for our own solutions only), or unset it",
            )

    def variables(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "loader", "AWS_SECRET_ACCESS_KEY": "loader"}
        return {
            "AWS_ENDPOINT_URL": self._account or f"http://127.0.0.1:{self._port}",
            **(own_credentials() if self._account else keys),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def reset(self) -> None:
        self._ask("reset")

    def close(self) -> None:
        if self._account:  # what was made there costs its owner money; a box that is lost can't remove it
            with suppress(InfrastructureError):
                self._ask("reset")
        super().close()

    def plan(
        self,
        *,
        partly_refused: int = 0,
        empty_reads: int = 0,
        throttled: Mapping[str, int] | None = None,
        denied_puts: Mapping[str, int] | None = None,
        after_reads: int = 0,
        then: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """What befalls the submission's next calls, in place of what was planned before.

        partly_refused: so many calls of PutRecords have every other record refused, the first among them
        empty_reads:    so many calls of GetRecords are answered without records
        throttled:      operation -> so many calls of it are refused
        denied_puts:    bucket -> so many objects that are to be stored there are refused: access denied
        after_reads:    once so many calls of GetRecords have been answered, ``then`` happens: what ``putting``,
                        ``splitting`` and ``merging`` return
        """
        if self._account:
            raise UsageError(f"faults are planned in moto alone, not at {self._account}", f"unset {ACCOUNT}")
        plan = {"partly_refused": partly_refused, "empty_reads": empty_reads, "after_reads": after_reads}
        plans = {"throttled": dict(throttled or {}), "denied_puts": dict(denied_puts or {}), "then": list(then)}
        self._ask("plan", **plan, **plans)

    # -- streams -----------------------------------------------------------------------------------------------------

    def create_stream(self, name: str, shards: int = 1) -> None:
        self._call("kinesis", "create_stream", StreamName=name, ShardCount=shards)

    def put(self, stream: str, records: Sequence[tuple[str, bytes]]) -> None:
        """Key and data of each, in this order."""
        for call in putting(stream, records):
            self._ask("call", **call)

    def split(self, stream: str, shard: str, new_hash_key: int) -> None:
        self._ask("call", **splitting(stream, shard, new_hash_key))

    def merge(self, stream: str, shard: str, adjacent: str) -> None:
        self._ask("call", **merging(stream, shard, adjacent))

    def shards(self, stream: str) -> list[Shard]:
        return [
            Shard(
                raw["ShardId"],
                tuple(raw[name] for name in ("ParentShardId", "AdjacentParentShardId") if name in raw),
                "EndingSequenceNumber" not in raw["SequenceNumberRange"],
                (int(raw["HashKeyRange"]["StartingHashKey"]), int(raw["HashKeyRange"]["EndingHashKey"])),
            )
            for raw in self._call("kinesis", "list_shards", StreamName=stream)["Shards"]
        ]

    def records(self, stream: str) -> list[StreamRecord]:
        """All records of a stream, in the order in which they were put."""
        found = []
        for shard in self.shards(stream):
            start = {"StreamName": stream, "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self._call("kinesis", "get_shard_iterator", **start)["ShardIterator"]
            while iterator:
                answer = self._call("kinesis", "get_records", ShardIterator=iterator, Limit=1000)
                found += [
                    StreamRecord(shard.id, int(raw["SequenceNumber"]), raw["PartitionKey"], decoded(raw["Data"]))
                    for raw in answer["Records"]
                ]
                iterator = answer.get("NextShardIterator") if answer["MillisBehindLatest"] else None
        return sorted(found, key=lambda record: record.number)

    # -- files and the catalog -----------------------------------------------------------------------------------------

    def create_bucket(self, name: str) -> None:
        self._call("s3", "create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put_objects(self, bucket: str, files: Mapping[str, bytes | str]) -> None:
        for key, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            self._call("s3", "put_object", Bucket=bucket, Key=key, Body=encoded(body))

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """The content of every object below a prefix, by key."""
        listed = self._call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix).get("Contents", ())
        keys = [entry["Key"] for entry in listed]
        if len(keys) > MOST_OBJECTS:
            raise SubmissionFault(f"s3://{bucket}/{prefix} has more than {MOST_OBJECTS} objects")
        return {key: decoded(self._call("s3", "get_object", Bucket=bucket, Key=key)["Body"]) for key in keys}

    def delete_objects(self, bucket: str, *keys: str) -> None:
        for key in keys:
            self._call("s3", "delete_object", Bucket=bucket, Key=key)

    def fetched(self) -> list[str]:
        """Bucket and key of the objects that the submission has read so far, in this order."""
        return list(self._ask("fetched")["fetched"])

    def create_database(self, name: str) -> None:
        self._call("glue", "create_database", DatabaseInput={"Name": name})

    def create_table(self, database: str, table: Mapping[str, Any]) -> None:
        """``table`` is Glue's ``TableInput``."""
        self._call("glue", "create_table", DatabaseName=database, TableInput=dict(table))

    def catalog_table(self, database: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("glue", "get_table", DatabaseName=database, Name=name)["Table"]
        return found

    def catalog_partitions(self, database: str, table: str) -> list[dict[str, Any]]:
        answer = self._call("glue", "get_partitions", DatabaseName=database, TableName=table)
        return list(answer["Partitions"])

    # -- the wire ----------------------------------------------------------------------------------------------------

    def _ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        reply = self._steer(op, **arguments)
        # Something isn't there any more, or not what it was.
        if "refused" in reply:
            raise SubmissionFault(reply["refused"])
        return reply

    def _call(self, service: str, method: str, **arguments: Any) -> Any:
        return self._ask("call", service=service, method=method, arguments=arguments)["answer"]


Call = dict[str, Any]


def putting(stream: str, records: Sequence[tuple[str, bytes]]) -> list[Call]:
    entries = [{"PartitionKey": key, "Data": encoded(data)} for key, data in records]
    return [
        {
            "service": "kinesis",
            "method": "put_records",
            "arguments": {"StreamName": stream, "Records": entries[start : start + 500]},
        }
        for start in range(0, len(entries), 500)
    ]


def splitting(stream: str, shard: str, new_hash_key: int) -> Call:
    arguments = {"StreamName": stream, "ShardToSplit": shard, "NewStartingHashKey": str(new_hash_key)}
    return {"service": "kinesis", "method": "split_shard", "arguments": arguments}


def merging(stream: str, shard: str, adjacent: str) -> Call:
    arguments = {"StreamName": stream, "ShardToMerge": shard, "AdjacentShardToMerge": adjacent}
    return {"service": "kinesis", "method": "merge_shards", "arguments": arguments}


def own_credentials() -> dict[str, str]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {name: os.environ[name] for name in names if name in os.environ}


def encoded(data: bytes) -> dict[str, str]:
    return {"$bytes": base64.b64encode(data).decode()}


def decoded(said: Mapping[str, str]) -> bytes:
    return base64.b64decode(said["$bytes"])


ENGINE = Aws
