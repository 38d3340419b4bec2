"""Consumers of a topic at work: a grader waits for the lag of their group to go, as long as it does go."""

from __future__ import annotations

from dataclasses import dataclass

from graders.instances import Instances, supervised
from harness.engines.kafka import Kafka
from harness.lab import Lab
from harness.sandboxes._box import Completed

# Seconds without progress after which members of a group are taken for dead; the broker itself waits for longer.
SILENT = 10.0


@dataclass(frozen=True)
class ConsumerGroup:
    """The group that a command's instances are in, by the ticket, and the topic that they read."""

    name: str
    topic: str
    command: tuple[str, ...]

    def must_catch_up(self, running: Instances, when: str = "") -> None:
        """Wait for a lag of 0, or for the instances to be killed at a crash point."""
        kafka = running.lab.use(Kafka)
        running.must_see(
            lambda: 0 if running.killed else kafka.lag(self.name, self.topic),
            f"a lag of 0 in {self.name}{when and ' '}{when}",
            there=lambda lag: lag == 0,
        )

    def must_catch_up_again(self, running: Instances, when: str) -> None:
        """The same after trouble that may have ended an instance: one that died without a word still has its share."""
        kafka = running.lab.use(Kafka)
        if not running.sees(lambda: kafka.lag(self.name, self.topic), SILENT, there=lambda lag: lag == 0):
            kafka.expel(self.name)
        self.must_catch_up(running, when)

    def works_off_its_lag(self, lab: Lab) -> Completed:
        """One instance works until the lag is 0, and is stopped then; or killed at a crash point before."""
        # Who was killed last time has been silent for long.
        lab.use(Kafka).expel(self.name)
        with supervised(lab, *self.command) as running:
            self.must_catch_up(running)
            if running.killed:
                return running.service.ending.result()
            running.stop("first")
            running.end()
        return Completed(0)
