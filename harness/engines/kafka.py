"""Apache Kafka: a real broker that is its own controller, one a box, or one that is named by configuration."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines._server import ServedEngine
from harness.errors import InfrastructureError, SubmissionFault
from harness.sandboxes._box import Box

EXTERNAL = "BENCH_KAFKA_BOOTSTRAP"
ANSWER_TIME = 180.0  # seconds


@dataclass(frozen=True)
class Message:
    """A message as it is written, or was read: then ``partition`` and ``offset`` say where it stands.

    One without a key is written to a partition that is named; one with a key may leave it to the key.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None
    offset: int = -1


class Kafka(ServedEngine):
    """The submission finds it at ``$KAFKA_BOOTSTRAP_SERVERS`` and may read and write topics, not make or remove any."""

    name: ClassVar[str] = "kafka"
    starts_slowly: ClassVar[bool] = True
    fidelity: ClassVar[str] = (
        "Kafka 4.1, the real broker in KRaft mode, one node with one copy of everything; no TLS. The submission comes "
        "in by a door that logs in for it and lets it send 128 MiB. BENCH_KAFKA_BOOTSTRAP names another broker."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._external = os.environ.get(EXTERNAL, "")
        # One that is free: where boxes aren't confined, they share the machine's.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]

    def start(self) -> None:
        warm = f"{self.box.space.interpreter.removesuffix('/bin/python')}/share/warm/kafka"
        folder, door = f"{self.box.path('driver')}/kafka", f"{self.box.path('sockets')}/kafka"
        arguments = warm, folder, door, str(self._port)
        self._serve("Kafka's server", "driver/kafka_server.py", *arguments, timeout=ANSWER_TIME)
        self._ask("start", external=self._external)
        if not self._external:
            self._open(self._port, door)

    def variables(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self._external or f"127.0.0.1:{self._port}"}

    def reset(self) -> None:
        self._ask("reset")

    # -- topics --------------------------------------------------------------------------------------------------

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        self._ask("create", topics=dict(partitions))

    def produce(self, topic: str, messages: Iterable[Message]) -> list[Message]:
        """Write them in this order; returns them with their places."""
        written = list(messages)
        assert all(message.key is not None or message.partition is not None for message in written), "which partition?"
        told = [
            {
                "key": encoded(message.key),
                "value": encoded(message.value),
                "headers": [(name, encoded(value)) for name, value in message.headers],
                "partition": message.partition,
            }
            for message in written
        ]
        places = self._ask("produce", topic=topic, messages=told)
        return [
            Message(message.key, message.value, message.headers, partition, offset)
            for message, (partition, offset) in zip(written, places, strict=True)
        ]

    def messages(self, topic: str) -> list[Message]:
        """All messages of a topic (of committed transactions), partition by partition. Too many are a fault."""
        return [
            Message(
                decoded(found["key"]),
                decoded(found["value"]),
                tuple((name, decoded(value)) for name, value in found["headers"]),
                found["partition"],
                found["offset"],
            )
            for found in self._ask("consume", topic=topic)
        ]

    @contextmanager
    def refusing(self, topic: str) -> Iterator[None]:
        """Within the block nothing of the submission's can be written to the topic: it lacks the right."""
        if self._external:
            raise InfrastructureError(
                "engine",
                f"at {self._external} nobody's rights are the grader's to take away",
                f"unset {EXTERNAL} for this task: a box's own broker does it",
            )
        self._ask("refuse", topic=topic)
        try:
            yield
        finally:
            self._ask("refuse", topic=topic, accept=True)

    def tables(self) -> frozenset[str]:
        return frozenset(self._ask("topics"))

    def holds(self, table: str) -> bool:
        return table in self.tables() and any(self._ask("ends", topic=table).values())

    # -- groups --------------------------------------------------------------------------------------------------

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offset of each partition that has one: the next message it would read."""
        return by_number(self._ask("committed", group=group, topic=topic))

    def lag(self, group: str, topic: str) -> int:
        """How many messages of the topic the group has not committed."""
        committed = self.committed(group, topic)
        return sum(end - committed.get(number, 0) for number, end in self._ends(topic).items())

    def _ends(self, topic: str) -> dict[int, int]:
        return by_number(self._ask("ends", topic=topic))

    def members(self, group: str) -> Sequence[int]:
        """How many partitions each member of the group has; empty as long as they are moving."""
        return sorted(self._ask("members", group=group).values())

    def expel(self, group: str) -> None:
        """Take all members out of the group: what the broker does of itself once they have been silent for long."""
        self._ask("expel", group=group)

    # -- the wire ------------------------------------------------------------------------------------------------

    def _ask(self, op: str, **arguments: Any) -> Any:
        try:
            reply = self._steer(op, **arguments)
        except InfrastructureError as error:
            if not self._external:
                raise
            mend = f"{EXTERNAL} names it; boxes of a sandbox that confines reach no network: use --sandbox embedded"
            raise InfrastructureError("engine", f"the broker at {self._external}: {error}", mend) from None
        if "fault" in reply:
            raise SubmissionFault(reply["fault"])
        return reply["reply"]


def encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def by_number(found: Mapping[str, int]) -> dict[int, int]:
    """JSON's keys are text."""
    return {int(number): value for number, value in found.items()}


ENGINE = Kafka
