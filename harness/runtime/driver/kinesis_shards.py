"""Shards as Kinesis has them, in place of moto's.

moto moves the records of a shard that is split or merged to its children, or copies them, and goes on writing into the
parent; it says of a closed shard that there is more to come, and of one that isn't read to its end that there is no
more. Here a closed shard keeps what it has and takes no more, its reader is told its end and its children, and a
sequence number belongs to one shard of the stream and is greater than those of the shard's parents.
"""

from __future__ import annotations

import contextlib
import itertools

from moto.core.responses import ActionResult
from moto.kinesis import models, responses
from moto.kinesis.exceptions import InvalidArgumentError

MOST_RECORDS, MOST_SHARDS = 10_000, 10_000
FILTERS = {
    "FROM_TRIM_HORIZON": lambda shard: True,
    "AT_TRIM_HORIZON": lambda shard: True,
    "AFTER_SHARD_ID": lambda shard: True,
    "AT_LATEST": lambda shard: shard.is_open,
}
FIRST_NUMBER = 49_670_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
# Further apart than one: nobody can rely on the next number.
numbers = itertools.count(FIRST_NUMBER, 1 << 20)
state = {"disturbed": True}


@contextlib.contextmanager
def undisturbed():
    """No plan befalls the calls meanwhile."""
    before, state["disturbed"] = state["disturbed"], False
    try:
        yield
    finally:
        state["disturbed"] = before


class Shard(models.Shard):
    __module__ = models.__name__  # by which moto knows whose it is

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.starts = next(numbers)
        self.ends: int | None = None

    def close(self) -> None:
        self.is_open, self.ends = False, next(numbers)

    def put_record(self, partition_key: str, data: str, explicit_hash_key: str) -> str:
        number = next(numbers)
        self.records[number] = models.Record(partition_key, data, number, explicit_hash_key)
        return str(number)

    def get_records(self, last_sequence_id: str, limit: int | None):
        after = [record for number, record in self.records.items() if number > int(last_sequence_id)]
        found = after[: min(limit or MOST_RECORDS, MOST_RECORDS)]
        last = found[-1].sequence_number if found else int(last_sequence_id)
        behind = 0
        if len(found) < len(after):
            behind = max(1, round((after[-1].created_at - after[len(found)].created_at) * 1000))
        return found, last, behind

    def to_json(self) -> dict:
        said = super().to_json()
        said["SequenceNumberRange"] = {"StartingSequenceNumber": str(self.starts)}
        if self.ends:
            said["SequenceNumberRange"]["EndingSequenceNumber"] = str(self.ends)
        return said


class Stream(models.Stream):
    __module__ = models.__name__  # by which moto knows whose it is

    def add(self, start: int, end: int, parent: Shard, adjacent: Shard | None = None) -> None:
        shard = Shard(len(self.shards), start, end, parent.shard_id, adjacent.shard_id if adjacent else None)
        self.shards[shard.shard_id] = shard

    def split_shard(self, shard_to_split: str, new_starting_hash_key: str) -> None:
        shard, start = self.shards[shard_to_split], int(new_starting_hash_key)
        self.must_be_open(shard)
        if not shard.starting_hash < start < shard.ending_hash:
            raise InvalidArgumentError(f"NewStartingHashKey {start} is not within shard {shard.shard_id}")
        shard.close()
        self.add(shard.starting_hash, start - 1, shard)
        self.add(start, shard.ending_hash, shard)
        self.count()

    def merge_shards(self, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
        one, other = self.shards[shard_to_merge], self.shards[adjacent_shard_to_merge]
        self.must_be_open(one, other)
        if other.starting_hash != one.ending_hash + 1 and one.starting_hash != other.ending_hash + 1:
            raise InvalidArgumentError(f"{one.shard_id} and {other.shard_id} are not adjacent")
        one.close()
        other.close()
        start, end = min(one.starting_hash, other.starting_hash), max(one.ending_hash, other.ending_hash)
        self.add(start, end, one, other)
        self.count()

    def must_be_open(self, *shards: Shard) -> None:
        for shard in shards:
            if not shard.is_open:
                raise InvalidArgumentError(f"Shard {shard.shard_id} has already been merged or split")

    def count(self) -> None:
        self.shard_count = sum(shard.is_open for shard in self.shards.values())

    def get_shard_for_key(self, partition_key: str, explicit_hash_key: str):
        # The rest of what moto checks; its own search takes closed shards, too, and leaves out a range's last key.
        super().get_shard_for_key(partition_key, explicit_hash_key)
        key = int(
            explicit_hash_key or models.md5_hash(partition_key.encode()).hexdigest(), 10 if explicit_hash_key else 16
        )
        return next(
            shard for shard in self.shards.values() if shard.is_open and shard.starting_hash <= key <= shard.ending_hash
        )


def install(plan) -> None:
    """``plan()`` is what is to befall the next calls (``aws_server.Plan``)."""
    models.Shard, models.Stream = Shard, Stream
    backend, response = models.KinesisBackend, responses.KinesisResponse
    plain_put, plain_iterator = response.put_records, response.get_shard_iterator

    def get_shard_iterator(self):
        kind, number = self._get_param("ShardIteratorType"), self._get_param("StartingSequenceNumber")
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            stream = self.kinesis_backend.describe_stream(self._get_param("StreamARN"), self._get_param("StreamName"))
            shard = stream.shards.get(self._get_param("ShardId"))
            if not str(number).isdecimal() or (shard and int(number) not in (*shard.records, shard.starts, shard.ends)):
                raise InvalidArgumentError(f"StartingSequenceNumber {number} did not come from this shard")
        return plain_iterator(self)

    def get_records(self):
        iterator, limit = self._get_param("ShardIterator"), self._get_param("Limit")
        name, shard_id, last = models.decompose_shard_iterator(iterator)
        shard = self.kinesis_backend.describe_stream(None, name).get_shard(shard_id)
        if state["disturbed"] and plan().empty_reads:
            plan().empty_reads -= 1
            waiting, _, _ = shard.get_records(last, 1)
            found, behind, after = [], (1000 if waiting else 0), last
        else:
            found, after, behind = shard.get_records(last, limit)
        answer = {"Records": [record.to_json() for record in found], "MillisBehindLatest": behind}
        if shard.is_open or behind:
            answer["NextShardIterator"] = models.compose_shard_iterator(name, shard, after)
        else:
            stream = self.kinesis_backend.describe_stream(None, name)
            answer["ChildShards"] = [
                {
                    "ShardId": child.shard_id,
                    "ParentShards": list(filter(None, (child.parent, child.adjacent_parent))),
                    "HashKeyRange": child.to_json()["HashKeyRange"],
                }
                for child in stream.shards.values()
                if shard_id in (child.parent, child.adjacent_parent)
            ]
        return ActionResult(answer)

    def put_records(self):
        records = self._get_param("Records")
        if not (state["disturbed"] and plan().partly_refused and records):
            return plain_put(self)
        plan().partly_refused -= 1
        arn, name, taken = self._get_param("StreamARN"), self._get_param("StreamName"), records[1::2]
        put = self.kinesis_backend.put_records(arn, name, taken)["Records"] if taken else []
        refused = {
            "ErrorCode": "ProvisionedThroughputExceededException",
            "ErrorMessage": "Rate exceeded for shard shardId-000000000000",
        }
        answers = [put[place // 2] if place % 2 else refused for place in range(len(records))]
        return ActionResult({"FailedRecordCount": len(records) - len(put), "Records": answers})

    def list_shards(self):
        chosen = self._get_param("ShardFilter") or {"Type": "FROM_TRIM_HORIZON"}
        if chosen["Type"] not in FILTERS or self._get_param("StreamCreationTimestamp") is not None:
            raise InvalidArgumentError("ListShards: a filter by time is not available here")
        shards, token = self.kinesis_backend.list_shards(
            stream_arn=self._get_param("StreamARN"),
            stream_name=self._get_param("StreamName"),
            limit=self._get_param("MaxResults", MOST_SHARDS),
            next_token=self._get_param("NextToken"),
        )
        after = self._get_param("ExclusiveStartShardId") or chosen.get("ShardId") or ""
        shards = [shard for shard in shards if FILTERS[chosen["Type"]](shard) and shard.shard_id > after]
        return ActionResult({"Shards": [shard.to_json() for shard in shards], "NextToken": token})

    response.get_shard_iterator, response.get_records = get_shard_iterator, get_records
    response.put_records, response.list_shards = put_records, list_shards
    backend.get_records = None  # nobody may come here past the one above
