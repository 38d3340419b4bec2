"""Nothing of a box is left: after it is closed, and after the process that had it open was killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.sandboxes import Sandbox, _choice
from harness.sandboxes._box import Box
from tests.sandboxes.conftest import SMALL
from tests.turns import CONFINING

OWNER = """
import sys
from harness.sandboxes import BoxLimits, _choice
from harness.sandboxes._box import Box
with Box(_choice.load(sys.argv[1]), "core", BoxLimits(memory=256, disk=24, processes=48)) as box:
    box.run(["true"], role="driver")
    print(getattr(box.space, "name", "") or box.space._root, flush=True)
    box.run(["sleep", sys.argv[2]], timeout=600)
"""


@contextmanager
def owner_of_a_box(sandbox: str, mark: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has a box open in which ``sleep`` runs for ``mark`` seconds, and the box's name."""
    argv = [sys.executable, "-c", OWNER, sandbox, mark]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout
            yield owner, owner.stdout.readline().strip()
        finally:
            owner.kill()


def sleepers(mark: str) -> list[int]:
    """Processes of this machine, in boxes or not, that sleep for so many seconds."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", mark.encode()]:
                found.append(int(entry.name))
    return found


def wait_for_end(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)


def containers(name: str) -> list[str]:
    argv = ["docker", "ps", "--all", "--filter", f"label=bench.box={name}", "--format", "{{.Names}}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


def is_there(box: str) -> bool:
    return Path(box).exists() if "/" in box else box in containers(box)


@pytest.mark.parametrize("name", [*CONFINING, "embedded"])
def test_a_closed_box_is_gone(name: str) -> None:
    with Box(_choice.load(name), "core", SMALL) as box:
        box.run(["true"])
        place = str(getattr(box.space, "name", "") or getattr(box.space, "_root", ""))
        assert is_there(place)
    assert not is_there(place)


@pytest.mark.parametrize("name", [*CONFINING, "embedded"])
def test_a_box_is_gone_after_an_error(name: str) -> None:
    place = ""
    with pytest.raises(RuntimeError), Box(_choice.load(name), "core", SMALL) as box:
        place = str(getattr(box.space, "name", "") or getattr(box.space, "_root", ""))
        raise RuntimeError
    assert not is_there(place)


@pytest.mark.parametrize("name", [*CONFINING, "embedded"])
def test_a_killed_owners_box_is_reaped_with_all_that_ran_in_it(name: str) -> None:
    sandbox: Sandbox = _choice.load(name)
    mark = str(700_000 + os.getpid() % 100_000)
    with owner_of_a_box(name, mark) as (owner, place):
        running: list[int] = []
        while not running:
            running = sleepers(mark)
            assert owner.poll() is None
        sandbox.reap()
        assert is_there(place), "the box of a living process was reaped"
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    # Another run on this machine may be reaping it at the same moment.
    for _ in range(20):
        sandbox.reap()
        if not is_there(place):
            break
    assert not is_there(place)
    assert all(wait_for_end(pid) for pid in running)
    assert not sleepers(mark)
