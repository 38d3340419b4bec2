"""AWS by moto: shards as Kinesis has them, planned faults, and what isn't here refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engines.aws import ACCOUNT, HASH_KEYS, Aws, putting, splitting
from harness.errors import SubmissionFault, UsageError
from harness.lab import Lab
from harness.sandboxes import _choice
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

FIRST = "shardId-000000000000"
# Reads a shard to its end, or to where there is no more now; prints every answer but for the records' data.
READ = """
import boto3, json, sys
kinesis = boto3.client("kinesis")
iterator = kinesis.get_shard_iterator(StreamName="in", ShardId=sys.argv[1], ShardIteratorType="TRIM_HORIZON")
iterator = iterator["ShardIterator"]
while iterator:
    answer = kinesis.get_records(ShardIterator=iterator, Limit=2)
    iterator = answer.get("NextShardIterator")
    children = [(child["ShardId"], child["ParentShards"]) for child in answer.get("ChildShards", [])]
    keys = [record["PartitionKey"] for record in answer["Records"]]
    print(json.dumps([keys, answer["MillisBehindLatest"] > 0, children]))
    if not answer["MillisBehindLatest"]:
        break
"""
PUT = """
import boto3, json, sys
keys = sys.argv[1:] or "abcde"
records = [{"PartitionKey": key, "Data": b"x"} for key in keys]
answer = boto3.client("kinesis").put_records(StreamName="out", Records=records)
print(json.dumps([answer["FailedRecordCount"], [record.get("ErrorCode", "") for record in answer["Records"]]]))
"""
REFUSED = """
import boto3, json, urllib.request, os
from botocore.config import Config
from botocore.exceptions import ClientError

def said(service, method, **arguments):
    try:
        return repr(getattr(boto3.client(service, config=Config(retries={"max_attempts": 0})), method)(**arguments))
    except ClientError as error:
        return str(error)

found = {
    "jobs": said("glue", "start_job_run", JobName="x"),
    "crawlers": said("glue", "create_crawler", Name="x", Role="r", Targets={}),
    "fan-out": said("kinesis", "register_stream_consumer", StreamARN="arn:aws:kinesis:x:1:stream/in", ConsumerName="c"),
    "athena": said("athena", "list_work_groups"),
    "redshift": said("redshift-data", "list_databases", Database="d"),
    "by time": said("kinesis", "list_shards", StreamName="in", ShardFilter={"Type": "AT_TIMESTAMP", "Timestamp": 1}),
    "a number of another shard": said(
        "kinesis", "get_shard_iterator", StreamName="in", ShardId="shardId-000000000000",
        ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber="17",
    ),
}
for path in ("/moto-api/reset", "/moto-api/data.json"):
    try:
        request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, method="POST")
        found[path] = urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error:
        found[path] = error.read().decode()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with open_lab(["aws"], "spark") as lab:
        yield lab


@pytest.fixture
def lab(shared: Lab) -> Lab:
    begin(shared, {"read.py": READ, "put.py": PUT, "refused.py": REFUSED})
    shared.use(Aws).create_stream("in", shards=2)
    return shared


def said(lab: Lab, *argv: str) -> list[Any]:
    done = lab.run("python", *argv)
    assert done.ok, done.explain()
    return [json.loads(line) for line in done.stdout.splitlines()]


def keys_for(aws: Aws, shard: str, count: int) -> list[str]:
    """Keys whose records go to a shard."""
    keys = [f"k{number}" for number in range(60)]
    aws.create_stream("probe", shards=2)
    aws.put("probe", [(key, b"") for key in keys])
    return [record.key for record in aws.records("probe") if record.shard == shard][:count]


def test_a_split_shard_keeps_its_records_and_ends_in_its_children(lab: Lab) -> None:
    aws = lab.use(Aws)
    keys = keys_for(aws, FIRST, 4)
    aws.put("in", [(key, b"before") for key in keys[:3]])
    aws.split("in", FIRST, HASH_KEYS // 4)
    aws.put("in", [(key, b"after") for key in keys])
    children = [f"shardId-{number:012}" for number in (2, 3)]
    assert said(lab, "read.py", FIRST) == [
        [keys[:2], True, []],
        [keys[2:3], False, [[child, [FIRST]] for child in children]],
    ]
    shards = {shard.id: shard for shard in aws.shards("in")}
    assert (shards[FIRST].is_open, shards[children[0]].parents) == (False, (FIRST,))
    assert shards[children[0]].hash_keys[1] + 1 == shards[children[1]].hash_keys[0]
    after = [record for record in aws.records("in") if record.data == b"after"]
    assert {record.shard for record in after} <= set(children)
    assert [record.key for record in after] == keys
    numbers = [record.number for record in aws.records("in")]
    assert numbers == sorted(set(numbers))
    aws.merge("in", children[1], "shardId-000000000001")
    assert aws.shards("in")[-1].parents == (children[1], "shardId-000000000001")


def test_a_plan_befalls_the_submission_and_not_the_grader(lab: Lab) -> None:
    aws = lab.use(Aws)
    aws.create_stream("out")
    aws.plan(partly_refused=1, empty_reads=1)
    aws.put("out", [(key, b"x") for key in "xyz"])
    error = "ProvisionedThroughputExceededException"
    assert said(lab, "put.py") == [[3, [error, "", error, "", error]]]
    assert [record.key for record in aws.records("out")] == ["x", "y", "z", "b", "d"]
    assert said(lab, "put.py") == [[0, [""] * 5]]
    aws.plan(partly_refused=1, empty_reads=1)
    assert said(lab, "put.py", "a") == [[1, [error]]]
    assert said(lab, "put.py", "a") == [[0, [""]]]
    aws.put("in", [(key, b"") for key in keys_for(aws, FIRST, 1)])
    (key,) = (record.key for record in aws.records("in"))
    assert said(lab, "read.py", FIRST) == [[[], True, []], [[key], False, []]]


def test_a_call_can_be_throttled(lab: Lab) -> None:
    lab.use(Aws).plan(throttled={"ListShards": 2})
    script = """
import boto3
from botocore.config import Config
for attempts in (0, 3):
    kinesis = boto3.client("kinesis", config=Config(retries={"max_attempts": attempts}))
    try:
        print(len(kinesis.list_shards(StreamName="in")["Shards"]))
    except kinesis.exceptions.ProvisionedThroughputExceededException:
        print("refused")
"""
    assert lab.run("python", "-c", script).stdout.split() == ["refused", "2"]


def test_something_happens_between_two_reads(lab: Lab) -> None:
    aws = lab.use(Aws)
    keys = keys_for(aws, FIRST, 4)
    aws.put("in", [(key, b"") for key in keys[:3]])
    aws.plan(after_reads=1, then=[*putting("in", [(keys[3], b"")]), splitting("in", FIRST, HASH_KEYS // 4)])
    assert [answer[0] for answer in said(lab, "read.py", FIRST)] == [keys[:2], keys[2:]]
    assert len(aws.shards("in")) == 4


def test_a_right_to_write_can_be_taken_away(lab: Lab) -> None:
    aws = lab.use(Aws)
    aws.create_bucket("lake")
    aws.put_objects("lake", {"a/b c.txt": "known"})
    aws.plan(denied_puts={"lake": 1})
    script = """
import boto3
s3 = boto3.client("s3")
try:
    s3.put_object(Bucket="lake", Key="new", Body=b"1")
except s3.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
s3.put_object(Bucket="lake", Key="new", Body=b"2")
print(s3.get_object(Bucket="lake", Key="a/b c.txt")["Body"].read().decode())
print(len(s3.list_objects_v2(Bucket="lake")["Contents"]))
"""
    done = lab.run("python", "-c", script)
    assert done.stdout.split() == ["AccessDenied", "known", "2"], done.explain()
    assert aws.objects("lake") == {"a/b c.txt": b"known", "new": b"2"}
    assert aws.fetched() == ["lake/a/b c.txt"]


def test_what_is_not_here_is_refused(lab: Lab) -> None:
    (found,) = said(lab, "refused.py")
    for name in ("jobs", "crawlers", "fan-out"):
        assert "is not available here" in found[name], found[name]
    for name in ("athena", "redshift", "/moto-api/reset", "/moto-api/data.json"):
        assert "only Kinesis, S3, STS and the Glue catalog are here" in found[name], found[name]
    assert "by time is not available here" in found["by time"]
    assert "did not come from this shard" in found["a number of another shard"]
    assert lab.use(Aws).shards("in"), "it was reset all the same"


def test_what_a_submission_does_to_it_is_its_own_fault(lab: Lab) -> None:
    aws = lab.use(Aws)
    script = """
import boto3, os, socket
boto3.client("kinesis").delete_stream(StreamName="in")
host, port = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").split(":")
held = [socket.create_connection((host, int(port))) for _ in range(150)]
for number, link in enumerate(held):
    link.sendall(b"GET / HTTP/1.1\\r\\n" if number % 2 else b"\\0" * 5000)
"""
    lab.run("python", "-c", script)
    with pytest.raises(SubmissionFault, match="not found"):
        aws.records("in")
    lab.fresh()
    aws.create_stream("in")
    assert said(lab, "read.py", FIRST) == [[[], False, []]]


@pytest.mark.bubblewrap
def test_it_is_reached_by_whoever_comes_after_a_lost_supervisor(lab: Lab) -> None:
    assert lab.run("bash", "-c", "kill -9 $PPID; sleep 5").killed == "lost"
    assert said(lab, "read.py", FIRST) == [[[], False, []]]
    lab.box.incidents.clear()


def test_two_boxes_have_one_each() -> None:
    """Where they share the machine's network."""
    embedded = _choice.load("embedded")
    with open_lab(["aws"], "spark", embedded) as one, open_lab(["aws"], "spark", embedded) as other:
        for lab, shards in ((one, 1), (other, 3)):
            begin(lab).use(Aws).create_stream("in", shards=shards)
        script = "import boto3; print(len(boto3.client('kinesis').list_shards(StreamName='in')['Shards']))"
        assert [lab.run("python", "-c", script).stdout.strip() for lab in (one, other)] == ["1", "3"]


def test_an_endpoint_elsewhere_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another box's moto stands for it."""
    embedded = _choice.load("embedded")
    with open_lab(["aws"], "spark", embedded) as elsewhere:
        aws = begin(elsewhere).use(Aws)
        # As long as a command runs there, it is reached.
        threading.Thread(target=elsewhere.run, args=("sleep", "100"), daemon=True).start()
        aws.create_stream("somebodys", shards=1)
        monkeypatch.setenv(ACCOUNT, aws.variables()["AWS_ENDPOINT_URL"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")
        with open_lab(["aws"], "spark", embedded) as lab:
            begin(lab, {"read.py": READ}).use(Aws).create_stream("in", shards=1)
            lab.use(Aws).put("in", [("k", b"v")])
            assert said(lab, "read.py", FIRST) == [[["k"], False, []]]
            assert [record.key for record in aws.records("in")] == ["k"]
            with pytest.raises(UsageError, match="faults are planned in moto alone"):
                lab.use(Aws).plan(empty_reads=1)
            lab.fresh()
            with pytest.raises(SubmissionFault, match="not found"):
                aws.shards("in")
            lab.use(Aws).create_stream("last", shards=1)
        with pytest.raises(SubmissionFault, match="not found"):
            aws.shards("last")
        assert aws.shards("somebodys"), "it deleted what it hadn't made"
        elsewhere.box.kill()
    with pytest.raises(UsageError, match="can't be reached from the box"), open_lab(["aws"], "spark"):
        pass
