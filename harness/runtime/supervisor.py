"""Keeps instances of a command running: ``supervisor.py FOLDER COMMAND…``.

A file ``start-NAME`` in the folder starts an instance, which is started again whenever it ends; ``stop-NAME`` sends it
SIGTERM, and SIGKILL if it is still there 20 seconds later. ``end`` kills the rest: the exit code is then 0 if every
instance that was stopped ended with 0; one that is being stopped is waited for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

LOOK_EVERY, PAUSE = 0.05, 0.2  # seconds
# Twice what tickets promise: the machine may be busy.
GRACE, MOST_STARTS = 20.0, 30


class Instance:
    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.starts = 0
        self.process: subprocess.Popen | None = None
        self.due = 0.0
        self.killed_at = 0.0
        self.code = 0
        self.stopped = False

    def look_after(self, stopping: bool, now: float) -> None:
        code = self.process.poll() if self.process else None
        running = self.process is not None and code is None
        if stopping and not self.stopped:
            if not running:
                # Between two starts it is stopped well, too.
                self.stopped, self.code = True, code if self.killed_at and code is not None else 0
            elif not self.killed_at:
                self.killed_at = now + GRACE
                self.process.terminate()
            elif now > self.killed_at:
                self.process.kill()
        elif not stopping and not running:
            if self.process:
                self.process, self.due = None, now + PAUSE
            elif now >= self.due:
                self.starts += 1
                if self.starts > MOST_STARTS:
                    sys.exit(f"{' '.join(self.command)} has ended {MOST_STARTS} times")
                self.process = subprocess.Popen(self.command)


def main(folder: str, command: list[str]) -> int:
    instances: dict[str, Instance] = {}
    signs: list[str] = []
    # One that is being stopped is waited for.
    while "end" not in signs or any(f"stop-{name}" in signs and not one.stopped for name, one in instances.items()):
        signs = os.listdir(folder)
        for name in sorted(sign.removeprefix("start-") for sign in signs if sign.startswith("start-")):
            instance = instances.setdefault(name, Instance(command))
            instance.look_after(f"stop-{name}" in signs, time.monotonic())
        time.sleep(LOOK_EVERY)
    for instance in instances.values():
        if instance.process and instance.process.poll() is None:
            instance.process.kill()
    return int(any(instance.code for instance in instances.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
