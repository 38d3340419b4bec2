"""What a submission can't reach from inside a confining box."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.sandboxes._box import Box
from harness.sandboxes._environments import base_interpreter
from tests.sandboxes.inside import found, python, works

REPOSITORY = Path(harness.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def host_server() -> Iterator[int]:
    """A server on the host's loopback: the number of its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server.getsockname()[1]
        with pytest.raises(BlockingIOError):
            server.accept()


CONNECT = """
import socket
def connect(host, port):
    socket.create_connection((host, port), 3).close()
"""


@pytest.mark.parametrize("host", ["192.0.2.1", "1.1.1.1", "172.17.0.1", "::1"])
def test_no_address_is_reached(box: Box, host: str) -> None:
    done = python(box, f"{CONNECT}\nconnect({host!r}, 53)")
    assert done.exit_code == 1
    assert "unreachable" in done.stderr or "refused" in done.stderr or "not assign" in done.stderr, done.stderr


def test_no_name_is_resolved(box: Box) -> None:
    done = python(box, "import socket; socket.getaddrinfo('pypi.org', 443)")
    assert done.exit_code == 1
    assert "gaierror" in done.stderr


def test_a_server_on_the_hosts_loopback_is_out_of_reach(box: Box, host_server: int) -> None:
    done = python(box, f"{CONNECT}\nconnect('127.0.0.1', {host_server})")
    assert done.exit_code == 1
    assert "refused" in done.stderr or "unreachable" in done.stderr, done.stderr


def test_no_interface_but_loopback_is_there(box: Box) -> None:
    assert found(
        box, "print(json.dumps(sorted(os.listdir('/sys/class/net')) if os.path.isdir('/sys/class/net') else []))"
    ) in ([], ["lo"])
    lines = found(box, "print(json.dumps(open('/proc/self/net/dev').read().splitlines()[2:]))")
    assert [line.split(":")[0].strip() for line in lines] in ([], ["lo"])


FILES_BELOW = """
def seen(home):
    for parent, folders, names in os.walk(home):
        folders[:] = [name for name in folders if os.path.join(parent, name) != sys.argv[1]]
        yield from names
"""


def test_homes_hold_nothing_of_the_host_but_the_interpreter(box: Box) -> None:
    """Where Python itself was installed below a home, that folder is there, alone."""
    interpreter = str(Path(base_interpreter()).parent.parent)
    for home in {"/root", "/home", str(Path.home())}:
        assert found(box, f"{FILES_BELOW}\nprint(json.dumps(list(seen({home!r}))))", interpreter) == []


@pytest.mark.parametrize(
    "path",
    [
        str(REPOSITORY),
        str(REPOSITORY / "pyproject.toml"),
        "/etc/shadow",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/proc/1/root/root",
        "/proc/1/environ",
        "/dev/mem",
        "/dev/sda",
        "/dev/kmsg",
    ],
)
def test_the_hosts_files_are_out_of_reach(box: Box, path: str) -> None:
    read = "lambda path: os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1)"
    assert found(box, f"print(json.dumps(closed({read}, {path!r})))") != 0


def test_nothing_names_the_repository(box: Box) -> None:
    seen = box.run(["bash", "-c", "cat /proc/self/mountinfo /proc/self/environ /proc/*/cmdline; env; hostname; pwd"])
    assert seen.ok or seen.stdout
    assert str(REPOSITORY) not in seen.stdout
    assert "bench" not in seen.stdout.lower()


def test_only_its_own_folders_can_be_written(box: Box) -> None:
    folders = [
        "/",
        "/etc",
        "/usr",
        "/usr/local/bin",
        "/opt",
        "/opt/engine",
        "/opt/runtime",
        "/home",
        "/var",
        "/proc",
        "/sys",
    ]
    folders += [box.path("data"), box.path("sockets"), box.path("driver")]
    writes = "lambda folder: open(folder + '/new', 'w')"
    errors = found(box, f"print(json.dumps({{f: closed({writes}, f) for f in {folders!r}}}))")
    assert [folder for folder, error in errors.items() if error == 0] == []
    for folder in (box.path("work"), box.path("tmp")):
        assert found(box, f"print(json.dumps(closed({writes}, {folder!r})))") == 0


def test_what_the_environment_is_made_of_cannot_be_changed(box: Box) -> None:
    for path in (box.space.interpreter, f"{box.space.runtime}/resident.py", "/etc/passwd"):
        assert found(box, f"print(json.dumps(closed(lambda: open({path!r}, 'ab'))))") != 0
        assert found(box, f"print(json.dumps(closed(os.chmod, {path!r}, 0o777)))") != 0
        assert found(box, f"print(json.dumps(closed(os.rename, {path!r}, {path!r} + '.old')))") != 0


def test_it_is_an_unprivileged_user_without_capabilities(box: Box) -> None:
    status = dict(
        line.split(":\t", 1) for line in box.run(["cat", "/proc/self/status"]).stdout.splitlines() if ":\t" in line
    )
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    assert status["Groups"].split() in ([], status["Gid"].split()[:1])
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize(
    "call",
    ["os.setuid(0)", "os.setgroups([0])", "os.chroot('/work')", "os.mknod('x', 0o60666, os.makedev(8, 0))"],
)
def test_what_needs_a_privilege_is_refused(box: Box, call: str) -> None:
    assert found(box, f"print(json.dumps(closed(lambda: {call})))") != 0


def test_the_drivers_folder_shows_nothing(box: Box) -> None:
    driver = box.path("driver")
    box.put("driver", {"secret": b"the answer"})
    assert box.run(["cat", f"{driver}/secret"], role="driver").stdout == "the answer"
    assert found(box, f"print(json.dumps(closed(os.listdir, {driver!r})))") != 0
    assert found(box, f"print(json.dumps(closed(open, {driver!r} + '/secret')))") != 0


def test_delivered_data_can_be_read_and_not_changed(box: Box) -> None:
    box.put("data", {"day/orders.csv": b"1,2\n"})
    path = f"{box.path('data')}/day/orders.csv"
    assert box.run(["cat", path]).stdout == "1,2\n"
    for change in (
        f"open({path!r}, 'a')",
        f"os.unlink({path!r})",
        f"os.rename({path!r}, '/work/x')",
        f"os.chmod({path!r}, 0o666)",
        f"os.symlink('/work', {path!r} + '.link')",
    ):
        assert found(box, f"print(json.dumps(closed(lambda: {change})))") != 0, change


TRACE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def trace(pid):
    if libc.ptrace(16, pid, 0, 0) == -1:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), 'ptrace')
def others():
    own = {os.getpid(), 1}
    return [int(name) for name in os.listdir('/proc') if name.isdigit() and int(name) not in own]
ways = {
    'trace': trace,
    'memory': lambda pid: open(f'/proc/{pid}/mem', 'rb'),
    'descriptors': lambda pid: os.listdir(f'/proc/{pid}/fd'),
    'variables': lambda pid: open(f'/proc/{pid}/environ', 'rb').read(1),
}
print(json.dumps([[pid, way] for pid in others() for way, act in ways.items() if closed(act, pid) == 0]))
"""


def test_no_other_process_can_be_traced_or_looked_into(box: Box) -> None:
    assert box.run(["true"], role="driver").ok
    assert found(box, TRACE) == []


def test_the_drivers_processes_cannot_be_signalled(box: Box) -> None:
    """It signals all it can see, its own supervisor apart; the driver's supervisor lives on."""
    parent = "print(json.dumps(os.getppid()))"
    before = found(box, parent, role="driver")
    own = "(os.getpid(), os.getppid())"
    shots = f"[closed(os.kill, int(pid), 9) for pid in os.listdir('/proc') if pid.isdigit() and int(pid) not in {own}]"
    assert found(box, f"print(json.dumps({shots}))").count(0) <= 1  # pid 1 of its own namespace ignores it
    assert found(box, parent, role="driver") == before
    assert works(box)


def test_killing_everything_it_may_leaves_the_driver_alone(box: Box) -> None:
    parent = "print(json.dumps(os.getppid()))"
    before = found(box, parent, role="driver")
    done = python(box, "import os, signal; os.kill(-1, signal.SIGKILL)")
    assert not done.ok or done.killed == "lost"
    assert found(box, parent, role="driver") == before
    assert works(box)


KILL_IN_A_LOOP = """
import os
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) not in (os.getpid(), os.getppid()):
            try:
                os.kill(int(pid), 9)
            except OSError:
                pass
"""


def test_a_driver_that_is_reading_is_not_disturbed(box: Box) -> None:
    """A submission that kills in a loop, while the driver runs a command of its own."""
    hostile = threading.Thread(target=python, args=(box, KILL_IN_A_LOOP), kwargs={"timeout": 20})
    hostile.start()
    try:
        assert found(box, "print(json.dumps(sum(range(3_000_000))))", role="driver") == sum(range(3_000_000))
    finally:
        while hostile.is_alive():
            box.kill()
            hostile.join(0.1)
    assert works(box)
