"""Kafka in both sandboxes: what is written is read, groups are seen and moved, and a bad client harms nobody."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from graders.instances import supervised
from harness.engines.kafka import EXTERNAL, Kafka, Message
from harness.errors import InfrastructureError, SubmissionFault
from harness.lab import Lab
from harness.sandboxes import _choice, _environments, runtime_folder
from harness.submission import Submission
from tests.engines.conftest import begin, task_with
from tests.turns import in_both

pytestmark = pytest.mark.engines

GROUP = "copiers"
START = """
import os
from confluent_kafka import Consumer, Producer
broker = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
"""
# Copies ``in`` to ``out`` until it is stopped.
COPY = (
    START
    + """
import signal
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
consumer = Consumer({**broker, "group.id": "copiers", "auto.offset.reset": "earliest", "enable.auto.commit": False})
producer = Producer(broker)
consumer.subscribe(["in"])
problems = []
while not stopped:
    for message in consumer.consume(100, 0.1):
        assert not message.error(), message.error()
        producer.produce("out", message.value(), message.key(), headers=message.headers(),
                         on_delivery=lambda error, _: error and problems.append(error))
        producer.flush()
        assert not problems, problems
        consumer.commit(message, asynchronous=False)
consumer.close()
"""
)
MESSAGES = [
    Message(b"a", b"1", (("kind", b"x"), ("kind", None)), 0),
    Message(b"\xff\x00", "zoë".encode(), (), 1),
    Message(None, b"", (), 1),
    Message(b"gone", None, (), 0),
]


def lab_in(sandbox: str, labs: dict[str, Lab], program: str = COPY) -> Lab:
    if sandbox not in labs:
        labs[sandbox] = Lab(task_with(["kafka"], "spark", memory=2048), _choice.load(sandbox), Submission())
    lab = begin(labs[sandbox], {"program.py": program})
    lab.use(Kafka).create_topics({"in": 2, "out": 1})
    return lab


def run(lab: Lab, program: str) -> str:
    done = lab.run("python", "-c", START + program, timeout=30)
    assert done.ok, done.explain()
    return done.stdout.strip()


@pytest.mark.parametrize("sandbox", in_both("docker"))
def test_what_is_written_is_read_as_it_is(sandbox: str, labs: dict[str, Lab]) -> None:
    lab = lab_in(sandbox, labs)
    kafka = lab.use(Kafka)
    written = kafka.produce("in", MESSAGES)
    assert [(message.partition, message.offset) for message in written] == [(0, 0), (1, 0), (1, 1), (0, 1)]
    assert sorted(kafka.messages("in"), key=written.index) == written
    assert (kafka.tables(), kafka.holds("in"), kafka.holds("out")) == ({"in", "out"}, True, False)
    with supervised(lab, "python", "program.py") as running:
        running.must_see(lambda: kafka.lag(GROUP, "in") == 0, "a lag of 0", 30)
        assert kafka.committed(GROUP, "in") == {0: 2, 1: 2}
        running.start("second")
        running.must_see(lambda: kafka.members(GROUP) == [1, 1], "two members", 30)
        running.stop("second")
        running.must_see(lambda: kafka.members(GROUP) == [2], "one member", 30)
        assert running.end().ok
    copied = {(message.key, message.value, message.headers) for message in kafka.messages("out")}
    assert copied == {(message.key, message.value, message.headers) for message in MESSAGES}
    # Who was killed is still a member, until the broker has heard nothing of it for long; or is told so.
    assert kafka.members(GROUP) == [2]
    kafka.expel(GROUP)
    assert kafka.members(GROUP) == []
    lab.fresh()
    assert (kafka.tables(), kafka.committed(GROUP, "in")) == (frozenset(), {})
    assert not lab.box.incidents


@pytest.mark.bubblewrap
def test_a_topic_refuses_and_accepts_again(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    kafka = lab.use(Kafka)
    kafka.produce("in", MESSAGES[:1])
    with kafka.refusing("out"):
        done = lab.run("python", "program.py", timeout=30)
        assert "TOPIC_AUTHORIZATION_FAILED" in done.explain()
        assert kafka.messages("out") == []
    kafka.expel(GROUP)
    with supervised(lab, "python", "program.py") as running:
        running.must_see(lambda: kafka.holds("out"), "the message", 30)


@pytest.mark.bubblewrap
def test_a_submission_may_neither_make_nor_remove_topics_nor_log_in_as_another(labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs)
    program = """
from confluent_kafka.admin import AdminClient, NewTopic
admin = AdminClient(broker)
for calls in (admin.create_topics([NewTopic("mine", 1)]), admin.delete_topics(["in"])):
    for done in calls.values():
        try:
            done.result(10)
            print("done")
        except Exception as error:
            print(error.args[0].name())
"""
    assert set(run(lab, program).split()) <= {"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}
    assert lab.use(Kafka).tables() == {"in", "out"}


@pytest.mark.bubblewrap
def test_a_broker_goes_on_after_garbage_and_floods(labs: dict[str, Lab]) -> None:
    """Bytes that are no Kafka, connections without end, and more than may be sent."""
    lab = lab_in("bubblewrap", labs)
    garbage = """
import socket
host, port = broker["bootstrap.servers"].split(":")
held = []
for number in range(200):
    link = socket.create_connection((host, int(port)))
    link.sendall(bytes([number, 0, 0, 0]) + b"\\xff" * 100)
    held.append(link)
"""
    run(lab, garbage)
    flood = """
producer = Producer({**broker, "message.timeout.ms": 4000, "linger.ms": 50})
failed, much = [], os.urandom(900_000)
for number in range(180):
    producer.produce("out", much, on_delivery=lambda error, _: error and failed.append(error))
    producer.poll(0 if number % 20 else 0.5)
producer.flush(10)
print(len(failed) > 0)
"""
    assert run(lab, flood) == "True"
    with pytest.raises(SubmissionFault, match="out has more than"):
        lab.use(Kafka).messages("out")
    lab = lab_in("bubblewrap", labs)
    lab.use(Kafka).produce("in", MESSAGES)
    with supervised(lab, "python", "program.py") as running:
        running.must_see(lambda: lab.use(Kafka).lag(GROUP, "in") == 0, "a lag of 0", 30)


BAD = {
    "does not parse": ("def f(:\n", "has ended 30 times"),
    "hangs": ("import time\ntime.sleep(1000)\n", "not seen, and nothing moved for 2 s"),
    "floods its output": ("while True: print('x' * 100_000)\n", "was ended: output"),
}


@pytest.mark.bubblewrap
@pytest.mark.parametrize(("program", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_program_ends_within_its_limits(program: str, said: str, labs: dict[str, Lab]) -> None:
    lab = lab_in("bubblewrap", labs, program)
    kafka = lab.use(Kafka)
    kafka.produce("in", MESSAGES)
    with pytest.raises(SubmissionFault, match=said), supervised(lab, "python", "program.py") as running:
        running.must_see(lambda: kafka.lag(GROUP, "in") == 0, "a lag of 0", 2 if said.startswith("not") else 30)
    assert lab.box.run(["sh", "-c", "ls /proc | grep -c '^[0-9]'"]).stdout.strip() in ("3", "4", "5", "6", "7", "8")


@pytest.mark.bubblewrap
def test_an_external_broker_is_used_and_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another broker of the same kind, open to everybody, stands for a real one."""
    warm = _environments.build_venv("spark") / "share" / "warm"
    monkeypatch.syspath_prepend(str(runtime_folder() / "driver"))
    broker = importlib.import_module("kafka_broker").Broker(warm / "kafka", tmp_path / "broker", warm / "java", "x")
    broker.unpack()
    walls = {"listener_security_protocol_map": "APP:PLAINTEXT,ADMIN:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"}
    broker.start(broker.app, **walls, super_users="User:admin;User:ANONYMOUS")
    try:
        monkeypatch.setenv(EXTERNAL, f"127.0.0.1:{broker.app}")
        with Lab(task_with(["kafka"], "spark"), _choice.load("embedded"), Submission()) as lab:
            kafka = lab.use(Kafka)
            kafka.create_topics({"theirs": 1})
        with Lab(task_with(["kafka"], "spark"), _choice.load("embedded"), Submission()) as lab:
            kafka = lab.use(Kafka)
            begin(lab, {"program.py": COPY})
            kafka.create_topics({"in": 2, "out": 1})
            kafka.produce("in", MESSAGES)
            with supervised(lab, "python", "program.py") as running:
                running.must_see(lambda: kafka.lag(GROUP, "in") == 0, "a lag of 0", 30)
            assert len(kafka.messages("out")) == len(MESSAGES)
            with pytest.raises(InfrastructureError, match="rights"), kafka.refusing("out"):
                pass
            lab.fresh()
            assert kafka.tables() == frozenset()
            assert kafka.messages("theirs") == []  # not ours, so not removed
    finally:
        broker.stop()


@pytest.mark.nightly  # it is given a minute
@pytest.mark.bubblewrap
def test_a_broker_that_no_box_reaches_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXTERNAL, "127.0.0.1:9")
    with pytest.raises(InfrastructureError) as raised:
        Lab(task_with(["kafka"], "spark"), _choice.load("bubblewrap"), Submission())
    assert "127.0.0.1:9" in str(raised.value) and "embedded" in str(raised.value.mend)
