"""What a submission may use in a confining box: each limit bites, is told by its name, and the box works afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from harness.sandboxes._box import Box, Completed
from tests.sandboxes.inside import found, python, works

MEMORY_HOG = "held = []\nwhile True: held.append(b'x' * (4 << 20))"
SHARED_MEMORY_HOG = "import mmap\nheld = mmap.mmap(-1, 2 << 30)\nfor at in range(0, 2 << 30, 4096): held[at] = 1"
FAMILY_OF_HOGS = """
import os, signal
for _ in range(8):
    if os.fork() == 0:
        held = b'x' * (60 << 20)
        signal.pause()
os.wait()
os._exit(1)
"""


SEGMENTS = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
for _ in range({most}):
    segment = libc.shmget(0, ctypes.c_size_t(8 << 20), 0o1600)
    at = libc.shmat(segment, None, 0)
    ctypes.memset(at, 1, 8 << 20)
    libc.shmdt(ctypes.c_void_p(at))
"""


@pytest.mark.parametrize(
    "hog",
    [MEMORY_HOG, SHARED_MEMORY_HOG, FAMILY_OF_HOGS, SEGMENTS.format(most=64) + "input_ = __import__('time').sleep(9)"],
    ids=["one", "shared", "family", "held by no process"],
)
def test_memory(box: Box, hog: str) -> None:
    done = python(box, hog, timeout=20)
    assert done.killed == "memory", done.explain()
    assert done.exit_code is None
    assert works(box)


FAMILY_THAT_SHARES = """
import os, time
held = b'x' * (60 << 20)
for _ in range(8):
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
for _ in range(8): os.wait()
print(len(held))
"""


def test_what_forks_share_is_no_memory_of_each(box: Box) -> None:
    done = python(box, FAMILY_THAT_SHARES, timeout=20)
    assert done.stdout == f"{60 << 20}\n", done.explain()


FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


def test_a_fork_bomb(box: Box) -> None:
    done = python(box, FORK_BOMB, timeout=3)
    # Where the kernel itself counts, the bomb can't grow beyond the limit, and its time runs out.
    assert done.killed in ("processes", "timeout"), done.explain()
    assert works(box)
    assert commands_of(box) == [], "part of the bomb is left"


def commands_of(box: Box) -> list[str]:
    """What else runs as the submission's user: the supervisor apart, nothing should."""
    return found(
        box,
        """
here = [os.getpid(), os.getppid(), 1]
def command(pid):
    try:
        mine = os.stat(f'/proc/{pid}').st_uid == os.getuid()
        return open(f'/proc/{pid}/cmdline').read() if mine else ''
    except OSError:
        return ''
pids = [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) not in here]
print(json.dumps([text for text in map(command, pids) if text and 'bwrap' not in text]))
""",
    )


FILLERS = {
    "one file": "file = open('big', 'wb')\nwhile True: file.write(bytes(1 << 20))",
    "many files": "for n in range(10**6):\n with open(f'f{n}', 'wb') as file: file.write(bytes(1 << 20))",
    "temporary folder": "for n in range(10**6):\n with open(f'/tmp/f{n}', 'wb') as file: file.write(bytes(1 << 20))",
    "shared memory": "for n in range(10**6):\n with open(f'/dev/shm/f{n}', 'wb') as file: file.write(bytes(1 << 20))",
    "names alone": "import os\nfor n in range(10**6): os.mknod(f'f{n}')",
    "deleted files": "import os\nheld = []\nfor n in range(10**6):\n file = open(f'f{n}', 'wb')\n held.append(file)\n"
    " os.unlink(f'f{n}')\n file.write(bytes(1 << 20))\n file.flush()",
}
NO_ROOM = ("No space left", "File too large", "SIGXFSZ")
SIGXFSZ = 25


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS.keys())
def test_disk(box: Box, filler: str) -> None:
    done = python(box, filler, timeout=30)
    refused = any(text in done.stderr for text in NO_ROOM) or done.exit_code == -SIGXFSZ
    assert done.killed == "disk" or (done.killed is None and refused), done.explain()
    box.clear("work")
    box.run(["bash", "-c", "rm -rf /dev/shm/f*"])
    assert works(box)


def test_what_is_kept_in_memory_is_cleared_with_the_work(box: Box) -> None:
    assert python(box, SEGMENTS.format(most=1) + "open('/dev/shm/left', 'w').write('word for later')").ok
    queue_and_semaphore = "assert min(libc.msgget(0, 0o1666), libc.semget(0, 1, 0o1666)) >= 0"
    assert python(box, f"import ctypes\nlibc = ctypes.CDLL(None)\n{queue_and_semaphore}").ok
    box.clear("work")
    left = "ls -A /dev/shm; for kind in shm msg sem; do tail -n +2 /proc/sysvipc/$kind; done"
    assert box.run(["bash", "-c", left]).stdout == ""


def test_there_are_no_queues_that_outlive_a_command(box: Box) -> None:
    done = python(
        box,
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.mq_open(b'/later', os.O_CREAT | os.O_RDWR, 0o600, None), os.strerror(ctypes.get_errno()))",
    )
    assert done.stdout.startswith("-1 "), done.explain()


def test_files_in_memory_count_as_disk_or_memory(box: Box) -> None:
    filler = (
        "import os\nheld = []\nwhile True:\n held.append(os.memfd_create('x'))\n os.write(held[-1], bytes(1 << 20))"
    )
    done = python(box, filler, timeout=30)
    assert done.killed in ("disk", "memory") or "Errno" in done.stderr, done.explain()
    assert works(box)


def test_time(box: Box) -> None:
    done = box.run(["sleep", "60"], timeout=0.5)
    assert done.timed_out
    assert done.killed == "timeout"
    assert not done.ok
    assert done.seconds < 10
    assert works(box)


def test_time_of_one_that_ignores_every_signal_it_can(box: Box) -> None:
    deaf = (
        "import signal, time\nfor n in set(signal.Signals) - {9, 19}: signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)"
    )
    assert python(box, deaf, timeout=1).timed_out
    assert commands_of(box) == []


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_a_flood_of_output(box: Box, stream: str) -> None:
    done = box.run(["bash", "-c", f"yes 'a long line that says nothing'{stream}"], timeout=60)
    assert done.killed == "output", done.explain()
    assert done.truncated
    assert len(done.stdout) + len(done.stderr) <= 200_000
    assert works(box)


def test_long_output_is_cut_where_the_caller_says(box: Box) -> None:
    done = box.run(["bash", "-c", "head -c 5000 /dev/zero | tr '\\0' x; echo done >&2"], output_limit=1000)
    assert done.ok
    assert done.truncated
    assert done.stdout == "x" * 1000
    assert done.stderr == "done\n"


DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if sys.argv[1] == 'quiet':
            for descriptor in range(3):
                os.close(descriptor)
        open('started', 'w').close()
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists('started'):
    os.sched_yield()
"""


@pytest.mark.parametrize("manner", ["quiet", "holding its output open"])
def test_a_daemon_does_not_outlive_its_command(box: Box, manner: str) -> None:
    done = python(box, DAEMON, manner)
    assert done.ok, done.explain()
    assert done.outlived == 1
    assert done.seconds < 20
    assert commands_of(box) == []


def test_an_honest_command_leaves_nothing(box: Box) -> None:
    done = box.run(["bash", "-c", "sleep 0 & wait; echo | cat"])
    assert done.ok
    assert done.outlived == 0


LOSSES: dict[str, str] = {
    "kills it": "import os; os.kill(os.getppid(), 9)",
    "kills all": "import os; os.kill(-1, 9)",
    "kills it and stays": "import os, signal\nif os.fork() == 0:\n os.setsid(); signal.pause()\n"
    "os.kill(os.getppid(), 9)\nsignal.pause()",
}


@pytest.mark.parametrize("attack", LOSSES.values(), ids=LOSSES.keys())
def test_a_command_that_kills_its_supervisor_is_lost_and_the_next_one_works(box: Box, attack: str) -> None:
    done = python(box, attack, timeout=10)
    assert done.killed == "lost"
    assert not done.ok
    assert commands_of(box) == [], "what the lost command left is still there"
    assert works(box)


def test_stopping_its_supervisor_is_a_loss_as_well(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandboxes._box.GRACE", 1.0)
    done = python(box, "import os, signal; os.kill(os.getppid(), signal.SIGSTOP); signal.pause()", timeout=1)
    assert done.killed in ("lost", "timeout")
    assert works(box)


def run_aside(act: Callable[[], Completed]) -> tuple[threading.Thread, list[Completed]]:
    ended: list[Completed] = []
    thread = threading.Thread(target=lambda: ended.append(act()))
    thread.start()
    return thread, ended


def test_kill_from_another_thread(box: Box) -> None:
    thread, ended = run_aside(lambda: box.run(["bash", "-c", "echo begun; touch begun; sleep 600"], timeout=60))
    while not box.run(["test", "-e", f"{box.path('work')}/begun"], role="driver").ok:
        assert thread.is_alive()
    box.kill()
    thread.join(30)
    assert ended
    assert ended[0].killed == "killed"
    assert ended[0].exit_code is None
    assert ended[0].stdout == "begun\n"
    assert works(box)


def test_kill_of_nothing_is_nothing(box: Box) -> None:
    box.kill()
    assert box.run(["echo", "still here"]).stdout == "still here\n"


def test_core_files_are_not_written(box: Box) -> None:
    done = python(box, "import os; os.kill(os.getpid(), 11)")
    assert done.exit_code == -11
    assert not any(name.startswith("core") for name in box.collect())
