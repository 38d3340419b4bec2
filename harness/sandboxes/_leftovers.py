"""Whose a box is, and what is left of boxes whose owner died.

A box's folder carries its owner in a file, a container in a label: host, process id, start time. A process that
was killed can't clean up; the next one finds its boxes by that mark.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from harness.errors import InfrastructureError
from harness.sandboxes._processes import box_parent

OWNER_FILE = "owner"
STOPPED = "import sys; from harness.sandboxes._leftovers import end; end(sys.argv[1], int(sys.argv[2]))"


def owner_mark(pid: int) -> str:
    """A process that no later one is mistaken for: host, number and start time."""
    return f"{socket.gethostname()}:{pid}:{start_time(pid)}"


def start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def is_alive(mark: str) -> bool:
    host, _, rest = mark.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname():
        return True  # another machine's: not ours to judge
    return bool(started) and pid.isdigit() and start_time(int(pid)) == started


def is_orphan(mark: str, *, own: bool) -> bool:
    """Whether a box of that owner may be removed. ``own``: this process's boxes, too."""
    return not is_alive(mark) or (own and mark == owner_mark(os.getpid()))


def make_folder() -> Path:
    """A new folder for a box of this process."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="box-", dir=box_parent()))
        (folder / OWNER_FILE).write_text(owner_mark(os.getpid()))
    except OSError as error:
        raise InfrastructureError(
            "sandbox-error", f"no folder for a box can be made: {error}", "free some space or memory"
        ) from None
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a box's folder, however deeply a submission nested it (shutil.rmtree recurses)."""
    if os.geteuid() != 0:
        subprocess.run(["chmod", "-R", "u+rwX", folder], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", "--", folder], stderr=subprocess.DEVNULL, check=False)


def reap_folders(*, own: bool) -> int:
    """End what still runs in the folders of boxes whose owner is gone, and remove them; how many there were."""
    orphans = []
    for parent in {Path(box_parent() or tempfile.gettempdir()), Path(tempfile.gettempdir())}:
        for file in parent.glob(f"box-*/{OWNER_FILE}"):
            with contextlib.suppress(OSError):
                if file.stat().st_uid == os.geteuid() and is_orphan(file.read_text(), own=own):
                    orphans.append(file.parent)
    end_processes_of(orphans)
    for folder in orphans:
        remove_folder(folder)
    return len(orphans)


def end_processes_of(folders: list[Path]) -> None:
    """Kill every process whose temporary or home folder lies in one of the folders, and wait for its end.

    A resident ends by itself when its owner is gone; this is for what got away from it.
    """
    signs = [f"={folder}/".encode() for folder in folders]
    for process in Path("/proc").glob("[0-9]*") if signs else ():
        with contextlib.suppress(OSError):
            end_process(int(process.name), signs)


def end_process(pid: int, signs: list[bytes]) -> None:
    """Kill the process if one of the signs stands in its environment."""
    held = os.pidfd_open(pid)  # before it is looked at: a number may be given anew
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if any(sign in environment for sign in signs):
            signal.pidfd_send_signal(held, signal.SIGKILL)
            select.select([held], [], [], 5.0)
    finally:
        os.close(held)


def end_at_once(sandbox: str, code: int) -> NoReturn:
    """End this process with an exit code and leave none of its boxes, whatever its threads are doing.

    It becomes another program, which ends every thread at the same moment: one that went on could open a new box, or
    write down that a trial failed, while the boxes are being removed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-c", STOPPED, sandbox, str(code)])  # noqa: S606


def end(sandbox: str, code: int) -> NoReturn:
    from harness.sandboxes import _choice

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _choice.load(sandbox).reap(own=True)
    sys.exit(code)
