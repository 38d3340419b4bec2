"""Flink: a job stays until it is killed; what it left is read as what it is; bad jobs end within their limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.engines.flink import Flink
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
TABLE = """
from pyflink.table import EnvironmentSettings, TableEnvironment

tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
tables.execute_sql("CREATE TABLE events (id INT) WITH ('connector' = 'kafka', 'topic' = 'events', "
                   "'properties.bootstrap.servers' = '127.0.0.1:1', 'format' = 'json', "
                   "'scan.startup.mode' = 'earliest-offset')")
print(tables.explain_sql("SELECT id FROM events"))
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


def test_a_table_of_kafka_can_be_planned(lab: Lab) -> None:
    """Its connector is there, and fits; nobody answers."""
    lab.box.put("work", {"job.py": TABLE.encode()})
    done = lab.run("python", "job.py")
    assert done.ok, done.explain()
    assert "TableSourceScan" in done.stdout
