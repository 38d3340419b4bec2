"""Questions a box answers about its own walls."""

from __future__ import annotations

from harness.sandboxes import BoxLimits, Sandbox
from harness.sandboxes._box import Box

# What holds: the answers that ``probe`` should give.
EXPECTED = {"network": "unreachable", "memory limit": "bites", "time limit": "bites", "user": "unprivileged"}
REACH_OUT = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"


def probe(sandbox: Sandbox) -> dict[str, str]:
    """What a submission meets in a box of this sandbox; needs the environment ``core``."""
    with Box(sandbox, "core", BoxLimits(memory=256, disk=32, processes=32)) as box:
        python = box.space.interpreter
        network = box.run([python, "-I", "-c", REACH_OUT], timeout=10)
        hog = box.run([python, "-I", "-c", "x = bytearray(1 << 30); x[::4096] = x[::4096]; input()"], timeout=10)
        late = box.run(["sleep", "30"], timeout=1)
        root = box.run(["id", "-u"])
        return {
            "network": "unreachable" if "unreachable" in network.stderr.lower() else "REACHABLE or unknown",
            "memory limit": "bites" if not hog.ok and not hog.timed_out else "does NOT bite",
            "time limit": "bites" if late.timed_out else "does NOT bite",
            "user": "root" if root.stdout.strip() == "0" else "unprivileged",
        }
