"""Flink: a job stays until it is killed; what it left is read as what it is; bad jobs end within their limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graders.instances import supervised
from harness.engines.flink import Flink
from harness.engines.kafka import Kafka, Message
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes import _choice
from harness.submission import Submission
from tests.engines.conftest import begin, task_with

pytestmark = [pytest.mark.engines, pytest.mark.bubblewrap]

# No Java: what stays, what it writes and how it ends is the same for whatever writes it.
WRITES = """
import json, os, time
folder = os.environ["LAKE"] + "/counts"
os.makedirs(folder)
for name in ("part-0", ".part-1.inprogress", "_SUCCESS"):
    with open(f"{folder}/{name}", "w") as file:
        file.write(json.dumps({"lane": name, "scans": 3}) + "\\n")
time.sleep(1000)
"""
# Copies what stands in a topic to another one.
COPY = """
import os
from pyflink.table import EnvironmentSettings, TableEnvironment

tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
start = "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', "
broker = f"'properties.bootstrap.servers' = '{os.environ['KAFKA_BOOTSTRAP_SERVERS']}'"
for topic, bounds in (("events", start), ("copies", "")):
    tables.execute_sql(f"CREATE TABLE {topic} (id INT) WITH ({bounds}{broker}, 'connector' = 'kafka', "
                       f"'topic' = '{topic}', 'format' = 'json')")
tables.execute_sql("INSERT INTO copies SELECT id + 1 FROM events").wait()
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Lab]:
    task = task_with(["flink"], environment="flink", memory=2048, processes=512)
    with Lab(task, _choice.load("bubblewrap"), Submission()) as lab:
        yield lab


@pytest.fixture
def lab(opened: Lab) -> Lab:
    return begin(opened)


def test_what_stays_is_watched_and_killed_and_its_finished_files_are_read(lab: Lab) -> None:
    lab.box.put("work", {"job.py": WRITES.encode()})
    flink = lab.use(Flink)
    with flink.job("python", "job.py") as job:
        assert job.until(lambda: flink.holds("counts"), 60)
        assert not job.until(lambda: len(flink.rows("counts")) > 1, 1)
    assert job.ending.result().killed == "killed"
    assert flink.rows("counts").rows == (("part-0", 3),)
    assert not flink.rows("late").rows


def test_a_job_that_ends_by_itself_says_what_it_said_last(lab: Lab) -> None:
    lab.box.put("work", {"job.py": b"def f(:\n"})
    problem = r"python job.py ended by itself: exit code 1(.|\n)*SyntaxError"
    with lab.use(Flink).job("python", "job.py") as job, pytest.raises(SubmissionFault, match=problem):
        job.until(lambda: False, 60)


@pytest.mark.parametrize(
    ("content", "problem"),
    [('{"lane": \n', "JSONDecodeError|Expecting value"), ("[1, 2]\n", "no object")],
)
def test_what_is_no_row_is_named(lab: Lab, content: str, problem: str) -> None:
    lab.box.put("work", {"lake/counts/part-0": content.encode()})
    with pytest.raises(SubmissionFault, match=f"counts can't be read: .*({problem})"):
        lab.use(Flink).rows("counts")
    assert not lab.use(Flink).holds("counts")


def test_a_job_reads_and_writes_topics_of_a_broker() -> None:
    """By its connector. Unconfined boxes share the machine's network: the broker runs in one, the job in another."""
    embedded = _choice.load("embedded")
    with (
        Lab(task_with(["kafka"], environment="spark", memory=2048), embedded, Submission()) as brokers,
        Lab(task_with(["flink"], environment="flink", memory=2048, processes=512), embedded, Submission()) as lab,
    ):
        kafka = brokers.use(Kafka)
        kafka.create_topics({"events": 2, "copies": 1})
        kafka.produce("events", [Message(b"a", b'{"id": 1}'), Message(b"b", b'{"id": 2}')])
        # As long as a command runs in the broker's box, its door is open.
        with supervised(brokers, "sleep", "100"):
            begin(lab, {"job.py": COPY})
            done = lab.run("python", "job.py", variables=kafka.variables())
        assert done.ok, done.explain()
        assert sorted(message.value or b"" for message in kafka.messages("copies")) == [b'{"id":2}', b'{"id":3}']
