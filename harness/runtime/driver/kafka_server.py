"""Kafka for one box: a broker, the door that the submission reaches it through, and the grader's own clients.

``kafka_server.py WARM FOLDER DOOR PORT``: ``WARM`` as ``kafka_broker`` makes it, ``FOLDER`` for the broker's files.
The door is the UNIX socket ``DOOR``, which the submission finds at ``PORT`` of its own network (``runtime/door.py``).
It logs in as ``app`` for its clients, so that these need no password and nobody gets past it. Lines of JSON on
standard input steer it, each is answered by a line; the methods of ``Clients`` say which there are. The first is
``{"op": "start", "external": ADDRESS}``; with an address, that broker is used and no door. Bytes travel as base64.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

from kafka_broker import ADMIN, APP, Broker, leave, log_in, logins, refused

MOST_MESSAGES, MOST_BYTES = 50_000, 64 << 20
# What a submission may send to the broker between two resets, and its connections at a time.
MOST_SENT, MOST_CONNECTIONS = 128 << 20, 64
ANSWER_TIME = 60.0  # seconds


class Door:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.sent = self.connected = 0

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        self.connected += 1
        try:
            if self.connected <= MOST_CONNECTIONS:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await self.connect(client, answer)
        finally:
            self.connected -= 1
            answer.close()

    async def connect(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        source, target = await asyncio.open_connection("127.0.0.1", self.broker.app)
        try:
            for request in logins(APP, self.broker.password):
                target.write(request)
                size = int.from_bytes(await source.readexactly(4), "big")
                if refused(await source.readexactly(size)):
                    return
            ways = [asyncio.create_task(self.up(client, target)), asyncio.create_task(down(source, answer))]
            # Either side's end is the end: Kafka's clients don't close by halves.
            _, open_ways = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in open_ways:
                way.cancel()
        finally:
            target.close()

    async def up(self, client: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while self.sent <= MOST_SENT and (data := await client.read(1 << 16)):
                self.sent += len(data)
                target.write(data)
                await target.drain()


async def down(source: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            answer.write(data)
            await answer.drain()


class Clients:
    """The grader's clients; each public method is a request, its arguments are the request's."""

    def __init__(self, conf: dict[str, str], address: tuple[str, int], password: str | None) -> None:
        from confluent_kafka.admin import AdminClient

        # The broker is near: what is asked twice costs less than a client that waits.
        quick = {"reconnect.backoff.ms": 10, "fetch.wait.max.ms": 20, "retry.backoff.ms": 20}
        self.conf = {**conf, **(quick if password else {}), "log_level": 0}
        self.address, self.password = address, password
        self.admin = AdminClient(self.conf)
        self.admin.list_topics(timeout=ANSWER_TIME)
        # Of a broker that is others', too, only what came after us is ours to remove.
        self.not_ours = {*self._topics(), *self._groups()} if password is None else set()
        self.door: Door | None = None

    # -- topics --------------------------------------------------------------------------------------------------

    def create(self, topics: dict[str, int]) -> None:
        from confluent_kafka.admin import NewTopic

        wait_for(self.admin.create_topics([NewTopic(name, number, 1) for name, number in topics.items()]))
        # Told of by the controller, a topic is a moment away from having a leader.
        end = time.monotonic() + ANSWER_TIME
        while any(self._leaderless(name, number) for name, number in topics.items()):
            if time.monotonic() > end:
                raise RuntimeError(f"no leader for {', '.join(topics)}")
            time.sleep(0.02)

    def _leaderless(self, topic: str, partitions: int) -> bool:
        found = self.admin.list_topics(topic, timeout=ANSWER_TIME).topics[topic].partitions
        return len(found) < partitions or any(partition.leader < 0 for partition in found.values())

    def _topics(self) -> list[str]:
        return [name for name in self.admin.list_topics(timeout=ANSWER_TIME).topics if not name.startswith("__")]

    def topics(self) -> list[str]:
        return sorted(set(self._topics()) - self.not_ours)

    def produce(self, topic: str, messages: list[dict]) -> list[list[int]]:
        """Partition and offset of each; they are written in this order."""
        from confluent_kafka import Producer

        # A new one each time: the numbers by which the broker tells what was sent again mean nothing in a topic that
        # was removed and made anew.
        producer = Producer({**self.conf, "acks": "all", "linger.ms": 0, "enable.idempotence": True})
        placed: dict[int, tuple[int, int]] = {}
        problems = []
        for number, message in enumerate(messages):

            def delivered(error, done, number=number) -> None:
                if error:
                    problems.append(str(error))
                else:
                    placed[number] = (done.partition(), done.offset())

            headers = [(name, from_text(value)) for name, value in message["headers"]]
            where = {"partition": message["partition"]} if message["partition"] is not None else {}
            value, key = from_text(message["value"]), from_text(message["key"])
            producer.produce(topic, value, key, headers=headers, on_delivery=delivered, **where)
            producer.poll(0)
        if producer.flush(ANSWER_TIME) or problems:
            raise RuntimeError(f"not all messages were taken: {problems[:1]}")
        ends = self.ends(topic)
        if len(set(placed.values())) < len(messages) or any(offset >= ends[part] for part, offset in placed.values()):
            raise RuntimeError(f"messages were taken, but aren't in {topic}: {sorted(placed.values())}, {ends}")
        return [list(placed[number]) for number in range(len(messages))]

    def consume(self, topic: str) -> list[dict]:
        """All messages that a reader of committed ones gets, partition by partition."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

        partitions = self.admin.list_topics(topic, timeout=ANSWER_TIME).topics[topic].partitions
        conf = {"group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer({**self.conf, **conf, "isolation.level": "read_committed"})
        found, size, ended = [], 0, set()
        end = time.monotonic() + ANSWER_TIME
        try:
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            while len(ended) < len(partitions):
                message = consumer.poll(1)
                if time.monotonic() > end:
                    raise RuntimeError(f"{topic} can't be read to its end")
                if message is None:
                    continue
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
                    continue
                size += len(message.value() or b"") + len(message.key() or b"")
                found.append(described(message))
                if len(found) > MOST_MESSAGES or size > MOST_BYTES:
                    raise OverflowError(f"{topic} has more than {MOST_MESSAGES} messages or {MOST_BYTES >> 20} MiB")
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message["partition"], message["offset"]))

    def ends(self, topic: str) -> dict[int, int]:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec

        partitions = self.admin.list_topics(topic, timeout=ANSWER_TIME).topics[topic].partitions
        asked = self.admin.list_offsets({TopicPartition(topic, number): OffsetSpec.latest() for number in partitions})
        return {place.partition: done.result(ANSWER_TIME).offset for place, done in asked.items()}

    def refuse(self, topic: str, *, accept: bool = False) -> None:
        """From now on nothing of the submission's can be written to a topic; or it can again."""
        from confluent_kafka.admin import (
            AclBinding,
            AclBindingFilter,
            AclOperation,
            AclPermissionType,
            ResourcePatternType,
            ResourceType,
        )

        about = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{APP}", "*")
        about += (AclOperation.WRITE, AclPermissionType.DENY)
        if accept:
            wait_for(self.admin.delete_acls([AclBindingFilter(*about)]))
        else:
            wait_for(self.admin.create_acls([AclBinding(*about)]))

    # -- groups --------------------------------------------------------------------------------------------------

    def _groups(self) -> list[str]:
        listed = self.admin.list_consumer_groups(request_timeout=ANSWER_TIME).result(ANSWER_TIME)
        return [group.group_id for group in listed.valid]

    def committed(self, group: str, topic: str) -> dict[int, int]:
        from confluent_kafka import ConsumerGroupTopicPartitions

        asked = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        places = asked[group].result(ANSWER_TIME).topic_partitions
        return {place.partition: place.offset for place in places if place.topic == topic and place.offset >= 0}

    def members(self, group: str) -> dict[str, int]:
        """Of each member of a group whose partitions are settled how many it has; empty while they are moving."""
        found = self.admin.describe_consumer_groups([group])[group].result(ANSWER_TIME)
        if found.state.name not in ("STABLE", "EMPTY"):
            return {}
        return {member.member_id: len(member.assignment.topic_partitions) for member in found.members}

    def expel(self, group: str) -> int:
        """Take all members out of a group, as if they had been silent for too long; how many there were."""
        members = [member.member_id for member in self._members(group)]
        if members:
            with socket.create_connection(self.address, timeout=ANSWER_TIME) as link:
                if self.password is not None:
                    log_in(link, ADMIN, self.password)
                for member in members:
                    leave(link, group, member)
        return len(members)

    def _members(self, group: str) -> list:
        return list(self.admin.describe_consumer_groups([group])[group].result(ANSWER_TIME).members)

    # -- the beginning again ---------------------------------------------------------------------------------------

    def reset(self) -> None:
        if self.door:
            self.door.sent = 0
        for group in set(self._groups()) - self.not_ours:
            end = time.monotonic() + ANSWER_TIME
            while self.expel(group) and time.monotonic() < end:
                time.sleep(0.02)
            wait_for(self.admin.delete_consumer_groups([group]))
        if topics := self.topics():
            wait_for(self.admin.delete_topics(topics))
            if self.password is not None:
                for topic in topics:
                    self.refuse(topic, accept=True)
        end = time.monotonic() + ANSWER_TIME
        while self.topics():
            if time.monotonic() > end:
                raise RuntimeError("topics stay though they were deleted")
            time.sleep(0.02)


def wait_for(futures: dict) -> None:
    for done in futures.values():
        done.result(ANSWER_TIME)


def described(message) -> dict:
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": to_text(message.key()),
        "value": to_text(message.value()),
        "headers": [(name, to_text(value)) for name, value in message.headers() or ()],
    }


def to_text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def from_text(content: str | None) -> bytes | None:
    return None if content is None else base64.b64decode(content)


class Server:
    def __init__(self, warm: str, folder: str, door: str, port: str) -> None:
        java = Path(warm).parent / "java"
        self.broker = Broker(Path(warm), Path(folder), java, os.urandom(16).hex())
        self.door_path, self.port = door, int(port)
        self.clients: Clients | None = None
        self.listening: asyncio.Server | None = None

    async def answer(self, request: dict) -> object:
        name = request.pop("op")
        if name == "start":
            return await self.start(request["external"])
        if self.clients is None or name.startswith("_"):
            raise RuntimeError(f"nothing to {name}")
        return await asyncio.to_thread(getattr(self.clients, name), **request)

    async def start(self, external: str) -> None:
        if external:
            host, _, port = external.partition(",")[0].rpartition(":")
            self.clients = await asyncio.to_thread(Clients, {"bootstrap.servers": external}, (host, int(port)), None)
            return
        await asyncio.to_thread(self.broker.unpack)
        await asyncio.to_thread(self.broker.start, self.port)
        address, password = ("127.0.0.1", self.broker.admin), self.broker.password
        self.clients = await asyncio.to_thread(Clients, self.broker.clients(), address, password)
        self.clients.door = Door(self.broker)
        self.listening = await asyncio.start_unix_server(self.clients.door.serve, self.door_path)
        os.chmod(self.door_path, 0o777)


async def main() -> None:
    server = Server(*sys.argv[1:5])
    reader = asyncio.StreamReader(limit=256 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            try:
                reply = {"reply": await server.answer(json.loads(line))}
            except OverflowError as error:  # it is the submission's fault
                reply = {"fault": str(error)}
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()
    finally:
        server.broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
