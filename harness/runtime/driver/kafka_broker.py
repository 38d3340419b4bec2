"""One Kafka broker that is its own controller (KRaft), and the little of Kafka's protocol that its clients lack.

Every listener asks for a password: ``app`` is whom a submission acts as, through a door that logs in for it;
``admin`` is the grader. ``make_template`` prepares, once an environment, what a box's broker starts from.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

CLUSTER = "b2Zmc2V0cy1hbmQtbG9ncw"
APP, ADMIN, TEMPLATE_PASSWORD = "app", "admin", "template"
# Short-lived and small: one I/O thread more than none is enough, and nobody replicates.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "APP:SASL_PLAINTEXT,ADMIN:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "inter.broker.listener.name": "ADMIN",
    "controller.listener.names": "CONTROLLER",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{ADMIN}",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A group doesn't wait for members that may be about to come.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "5000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "background.threads": "1",
    "log.cleaner.enable": "false",
    "log.index.size.max.bytes": "1048576",
    "log.segment.delete.delay.ms": "1000",
    "broker.heartbeat.interval.ms": "500",
    # A machine that is busy with other things is no reason to fence the only broker.
    "broker.session.timeout.ms": "120000",
    "initial.broker.registration.timeout.ms": "120000",
    "controller.quorum.fetch.timeout.ms": "60000",
    "socket.request.max.bytes": "4194304",
    "queued.max.request.bytes": "33554432",
    "message.max.bytes": "1048588",
    "metric.reporters": "",
}
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
# What ``app`` may do: read and write topics that are there, and be a member of any group.
RIGHTS = (
    ("TOPIC", ("READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS")),
    ("GROUP", ("READ", "DESCRIBE")),
    ("TRANSACTIONAL_ID", ("WRITE", "DESCRIBE")),
)
STARTING = 120.0  # seconds


class Broker:
    """A broker of ``warm`` (jars, storage, class archive) whose files lie in ``folder``."""

    def __init__(self, warm: Path, folder: Path, java: Path, password: str) -> None:
        self.warm, self.folder, self.java, self.password = warm, folder, java, password
        self.app, self.admin, self.controller = free_ports(3)
        self.process: subprocess.Popen | None = None

    def settings(self, advertised: int) -> dict[str, str]:
        """``advertised``: the port that a client of the submission's is told to find the broker at."""
        local = "127.0.0.1"
        users = f'{LOGIN} username="{ADMIN}" password="{self.password}"'
        users += "".join(f' user_{name}="{self.password}"' for name in (APP, ADMIN)) + ";"
        return {
            **SETTINGS,
            **{f"listener.name.{name}.plain.sasl.jaas.config": users for name in ("app", "admin", "controller")},
            "listeners": f"APP://{local}:{self.app},ADMIN://{local}:{self.admin},CONTROLLER://{local}:{self.controller}",
            "advertised.listeners": f"APP://{local}:{advertised},ADMIN://{local}:{self.admin}",
            "controller.quorum.voters": f"1@{local}:{self.controller}",
            "log.dirs": str(self.folder / "storage"),
        }

    def unpack(self) -> None:
        storage = self.folder / "storage"
        storage.mkdir(parents=True)
        subprocess.run(["tar", "-xf", self.warm / "storage.tar", "-C", storage, "--no-same-owner"], check=True)

    def start(self, advertised: int, archive: str = "", **changed: str) -> None:
        """Returns when topics can be created. ``changed``: settings (``_`` for ``.``) unlike the usual ones."""
        settings = {**self.settings(advertised), **{name.replace("_", "."): value for name, value in changed.items()}}
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        properties.chmod(0o600)
        archive = archive or f"-XX:SharedArchiveFile={self.warm}/classes.jsa"
        self.process = self.run(archive, "kafka.Kafka", str(properties))
        deadline = time.monotonic() + STARTING
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the broker did not start: {self.said()}")
            time.sleep(0.02)

    def run(self, archive: str, *arguments: str) -> subprocess.Popen:
        jars = self.warm / "jars"
        # Short jobs gain nothing from the optimising compiler or a parallel garbage collector. Classes are archived
        # with the path of their jar, which is the same everywhere if it is relative.
        # Performance data would lie in a folder that the submission sees.
        options = ["-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx192m", "-Xss512k"]
        options += [archive, "-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        classpath = ":".join(sorted(jar.name for jar in jars.glob("*.jar")))
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [self.java / "bin" / "java", *options, "-cp", classpath, *arguments],
                cwd=jars,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "server.log").read_text(errors="replace")[-2000:]
        return ""

    def answers(self) -> bool:
        """Whether it is ready: a broker that is not yet let in by its controller isn't told of to anybody."""
        try:
            with socket.create_connection(("127.0.0.1", self.admin), timeout=5) as link:
                log_in(link, ADMIN, self.password)
                return brokers_in(exchange(link, METADATA, 1, struct.pack(">i", 0))) > 0
        except (OSError, EOFError, RuntimeError):
            return False

    def clients(self) -> dict[str, str]:
        """How the grader's own clients reach it."""
        return {
            "bootstrap.servers": f"127.0.0.1:{self.admin}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": ADMIN,
            "sasl.password": self.password,
        }

    def stop(self, *, orderly: bool = False) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate() if orderly else self.process.kill()
            self.process.wait()


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(number)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in found]


def make_template(warm: Path, java: Path) -> None:
    """Complete ``warm``, which has the jars: a formatted storage with the rights of ``app``, and a class archive."""
    from confluent_kafka.admin import AdminClient

    with tempfile.TemporaryDirectory() as made:
        broker = Broker(warm, Path(made), java, TEMPLATE_PASSWORD)
        properties = Path(made) / "format.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in broker.settings(broker.app).items()))
        if broker.run("-Xshare:auto", "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties)).wait():
            raise RuntimeError(f"the storage can't be formatted: {broker.said()}")
        broker.start(broker.app, archive=f"-XX:ArchiveClassesAtExit={warm}/classes.jsa")
        try:
            admin = AdminClient(broker.clients())
            for done in admin.create_acls(rights()).values():
                done.result(30)
            use_once(admin, broker.clients())
        finally:
            broker.stop(orderly=True)
        if not (warm / "classes.jsa").is_file():
            raise RuntimeError(f"no class archive was written: {broker.said()}")
        (warm / "classes.jsa").chmod(0o644)
        storage = Path(made) / "storage"
        subprocess.run(["tar", "-cf", warm / "storage.tar", "-C", storage, "."], check=True)
        (warm / "storage.tar").chmod(0o644)


def rights() -> list:
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

    return [
        AclBinding(
            ResourceType[kind],
            "*",
            ResourcePatternType.LITERAL,
            f"User:{APP}",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )
        for kind, operations in RIGHTS
        for operation in operations
    ]


def use_once(admin, clients: dict[str, str]) -> None:
    """What a box does with its broker, so that the classes are archived and the offsets' topic is there."""
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import NewTopic

    for done in admin.create_topics([NewTopic("once", 1, 1)]).values():
        done.result(30)
    producer = Producer({**clients, "acks": "all"})
    producer.produce("once", b"value", b"key", headers={"name": b"value"})
    producer.flush(30)
    consumer = Consumer({**clients, "group.id": "once", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe(["once"])
    message = consumer.poll(60)
    if message is None or message.error():
        raise RuntimeError(f"the broker gave nothing: {message and message.error()}")
    consumer.commit(message, asynchronous=False)
    consumer.close()
    for done in [*admin.delete_consumer_groups(["once"]).values(), *admin.delete_topics(["once"]).values()]:
        done.result(30)


# -- Kafka's protocol (kafka.apache.org/protocol): requests in old versions, which are simple and still served -------

SASL_HANDSHAKE, SASL_AUTHENTICATE, LEAVE_GROUP, METADATA = 17, 36, 13, 3


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded


def frame(key: int, version: int, body: bytes) -> bytes:
    content = struct.pack(">hhi", key, version, 0) + text("reader") + body
    return struct.pack(">i", len(content)) + content


def logins(user: str, password: str) -> list[bytes]:
    """The two requests that log in; each must be answered before the next."""
    secret = f"\0{user}\0{password}".encode()
    plain = struct.pack(">i", len(secret)) + secret
    return [frame(SASL_HANDSHAKE, 1, text("PLAIN")), frame(SASL_AUTHENTICATE, 0, plain)]


def refused(answer: bytes) -> int:
    """The error code that an answer (without its length) begins with, behind the number of its request."""
    return int(struct.unpack(">h", answer[4:6])[0])


def log_in(link: socket.socket, user: str, password: str) -> None:
    for request in logins(user, password):
        link.sendall(request)
        if code := refused(receive(link)):
            raise RuntimeError(f"the broker refuses a login: error {code}")


def receive(link: socket.socket) -> bytes:
    def exactly(size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = link.recv(size - len(found))
            if not part:
                raise EOFError("the broker closed the connection")
            found += part
        return found

    return exactly(struct.unpack(">i", exactly(4))[0])


def exchange(link: socket.socket, key: int, version: int, body: bytes) -> bytes:
    link.sendall(frame(key, version, body))
    return receive(link)


def brokers_in(answer: bytes) -> int:
    """How many brokers an answer to METADATA, version 1, tells of."""
    return int(struct.unpack(">i", answer[4:8])[0])


def leave(link: socket.socket, group: str, member: str) -> int:
    """Take a member out of its group, as its own farewell would; the error code."""
    return refused(exchange(link, LEAVE_GROUP, 0, text(group) + text(member)))
