"""The process that stays in a box for one of its users and runs commands there, one at a time.

Spoken to by its standard input and output, in frames: ``!II`` (length of the JSON, length of the blob), the JSON,
the blob. Requests carry ``op``; each is answered by one frame, but ``kill``, which only ends what is running.

It imports modules ahead of time (``preload``), so that a forked child starts warm. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import fnmatch
import importlib
import io
import json
import os
import random
import resource
import selectors
import shutil
import signal
import socket
import stat
import struct
import sys
import tarfile
import time
import traceback

HEADER = struct.Struct("!II")
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 24, 36, 38
CAPABILITY_VERSION_3 = 0x20080522
# How many processes the kernel ended for want of memory, in either version of control groups.
MEMORY_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
FLOOD = 64 << 20
TICK = 0.25
DEEPEST = 3800  # characters of a path: the kernel takes 4096
NAME_BYTES = 1024  # what a file without content takes: its name and its inode
SHARED_FILES = "/dev/shm"
IPC_RMID = 0

libc = ctypes.CDLL(None, use_errno=True)
# What System V's segments, queues and semaphores are told apart by, and how one is removed (shmctl(2), …).
SYSTEM_V = {
    "shm": ("shmid", lambda number: libc.shmctl(number, IPC_RMID, None)),
    "msg": ("msqid", lambda number: libc.msgctl(number, IPC_RMID, None)),
    "sem": ("semid", lambda number: libc.semctl(number, 0, IPC_RMID)),
}


class Resident:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        # The control pipes leave descriptors 0 and 1, so that no child inherits them by accident.
        self.incoming = os.dup(0)
        self.outgoing = os.dup(1)
        self.preloaded: list[dict] = []
        self.doors: list[int] = []
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)

    def serve(self) -> None:
        while True:
            request, blob = self.receive()
            if request["op"] == "kill":
                continue
            try:
                handler = getattr(self, f"do_{request['op']}")
                reply, out = handler(request, blob)
            except Exception as error:
                reply, out = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}, b""
            self.send(reply, out)

    # -- the wire ------------------------------------------------------------------------------------------------

    def receive(self) -> tuple[dict, bytes]:
        sizes = HEADER.unpack(self.exactly(HEADER.size))
        return json.loads(self.exactly(sizes[0])), self.exactly(sizes[1])

    def exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self.incoming, min(size, 1 << 20))
            if not part:
                # Whoever spoke to us is gone: nothing may outlive it.
                self.end_everything()
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def send(self, reply: dict, blob: bytes = b"") -> None:
        text = json.dumps(reply).encode()
        data = memoryview(HEADER.pack(len(text), len(blob)) + text + blob)
        while data:
            data = data[os.write(self.outgoing, data) :]

    # -- requests ------------------------------------------------------------------------------------------------

    def do_ping(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        return {}, b""

    def do_preload(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        """Import a module and let it warm itself: only ever before anything else has run in this process.

        Once: asked again (after an answer that came too late for the harness) there is nothing to do, and a library
        that was shut down for forking doesn't stand being warmed a second time.
        """
        if request in self.preloaded:
            return {}, b""
        module = importlib.import_module(request["module"])
        # What a library prints while it is imported has no place to go.
        if hasattr(module, "warm"):
            module.warm(**request.get("arguments", {}))
        self.preloaded.append(request)
        return {}, b""

    def do_put(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        """Write files below a folder that was emptied: what stands in the way is an error."""
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            for entry in archive:
                path = os.path.join(request["folder"], entry.name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    shutil.copyfileobj(archive.extractfile(entry), file)
        return {}, b""

    def do_clear(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        self.end_everything()
        for folder in request["folders"]:
            empty(folder)
        if self.options.alone:  # what this user keeps in memory is ours to clear, too
            empty(SHARED_FILES)
        return {}, b""

    def do_unlock(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        """Let others read what this user keeps for itself below a folder; links are left as they are."""
        self.end_everything()
        os.chmod(request["folder"], 0o755)
        for parent, folders, names in walk(request["folder"]):
            for name in (*folders, *names):
                path = os.path.join(parent, name)
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    if stat.S_ISDIR(status.st_mode):
                        os.chmod(path, stat.S_IMODE(status.st_mode) | 0o755)
                    elif stat.S_ISREG(status.st_mode):
                        os.chmod(path, stat.S_IMODE(status.st_mode) | 0o444)
        return {}, b""

    def do_collect(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        """The regular files of a folder as a tar; links, devices and what can't be read are left out."""
        buffer, count, total = io.BytesIO(), 0, 0
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for parent, folders, names in walk(request["folder"]):
                folders[:] = sorted(set(folders) - set(request["ignore"]))
                for name in sorted(names):
                    path = os.path.join(parent, name)
                    relative = os.path.relpath(path, request["folder"])
                    found = [glob for glob in request["globs"] if fnmatch.fnmatchcase(relative, glob.removeprefix("!"))]
                    if not found or any(glob.startswith("!") for glob in found):
                        continue
                    try:
                        content = read_regular(path, request["file_bytes"])
                    except (OSError, ValueError):
                        continue
                    count, total = count + 1, total + len(content)
                    if count > request["files"] or total > request["total_bytes"]:
                        return {"too_much": True}, b""
                    entry = tarfile.TarInfo(relative)
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
        return {}, buffer.getvalue()

    def do_run(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        def start() -> None:
            os.execvpe(request["argv"][0], request["argv"], request["variables"])

        return self.supervise(request, blob, start)

    def do_call(self, request: dict, blob: bytes) -> tuple[dict, bytes]:
        """Call a function of a preloaded module in a forked child; what it returns travels back as JSON."""

        def start() -> None:
            os.environ.clear()
            os.environ.update(request["variables"])
            sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(":"))
            function = getattr(importlib.import_module(request["module"]), request["function"])
            text = json.dumps(function(**request["arguments"])).encode()
            with os.fdopen(3, "wb") as results:
                results.write(text)

        return self.supervise(request, blob, start)

    # -- a child and its end -------------------------------------------------------------------------------------

    def supervise(self, request: dict, stdin: bytes, start) -> tuple[dict, bytes]:
        started = time.monotonic()
        self.doors = [open_door(int(port), path) for port, path in request["doors"].items()]
        # Pipes' reading ends: standard output, standard error, results.
        readers, writers = zip(*(os.pipe() for _ in range(3)), strict=True)
        child = os.fork()
        if child == 0:
            self.become_child(request, stdin, writers, (*readers, *writers), start)
        for writer in writers:
            os.close(writer)
        try:
            outcome, outputs = self.watch(child, readers, request, started)
        finally:
            for reader in readers:
                os.close(reader)
        limit = request["output_limit"]
        stdout, stderr, results = (bytes(part) for part in outputs)
        outcome["truncated"] = len(stdout) > limit or len(stderr) > limit
        stdout, stderr = stdout[:limit], stderr[:limit]
        outcome["sizes"] = [len(stdout), len(stderr)]
        outcome["seconds"] = time.monotonic() - started
        return outcome, stdout + stderr + results

    def become_child(self, request: dict, stdin: bytes, writers: tuple, pipes: tuple, start) -> None:
        code = 126
        try:
            os.setsid()
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            spool = os.memfd_create("stdin")
            with os.fdopen(os.dup(spool), "wb") as file:
                file.write(stdin)
            os.lseek(spool, 0, os.SEEK_SET)
            # High numbers first: a pipe of ours may itself lie in 0-3.
            high = [os.dup(fd) for fd in (spool, writers[0], writers[1], writers[2])]
            for target, source in enumerate(high):
                os.dup2(source, target)
            # Everything else is closed by exec; a call keeps what a warm module opened, but not our control pipes.
            for fd in (spool, *high, *pipes, self.incoming, self.outgoing):
                if fd > 3:
                    os.close(fd)
            os.set_inheritable(3, False)
            set_limits(request["limits"], self.options.count_processes)
            libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
            # Where memory runs out in the whole box, the kernel ends this one, and not its supervisor.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            os.umask(0o022)
            os.chdir(request["cwd"])
            sys.stdin = open(0, closefd=False)
            sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            start()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        except FileNotFoundError as error:
            os.write(2, f"{error}\n".encode())
            code = 127
        except BaseException:
            os.write(2, traceback.format_exc().encode(errors="replace"))
            code = 1
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def watch(self, child: int, readers: tuple, request: dict, started: float) -> tuple[dict, list[bytearray]]:
        outputs = [bytearray(), bytearray(), bytearray()]
        caps = [request["output_limit"] + 1, request["output_limit"] + 1, FLOOD]
        seen, killed, exited, usage_due = 0, None, False, 0.0
        memory_kills = ended_for_memory()
        pidfd = os.pidfd_open(child)
        with selectors.DefaultSelector() as selector:
            for index, reader in enumerate(readers):
                selector.register(reader, selectors.EVENT_READ, index)
            selector.register(pidfd, selectors.EVENT_READ, "exit")
            selector.register(self.incoming, selectors.EVENT_READ, "control")
            while not exited and killed is None:
                for key, _ in selector.select(TICK):
                    if key.data == "exit":
                        exited = True
                    elif key.data == "control":
                        if self.receive()[0]["op"] == "kill":
                            killed = "killed"
                    else:
                        part = os.read(key.fd, 1 << 16)
                        if not part:
                            selector.unregister(key.fd)
                        seen += len(part)
                        room = caps[key.data] - len(outputs[key.data])
                        outputs[key.data] += part[: max(room, 0)]
                now = time.monotonic()
                if now - started > request["timeout"]:
                    killed = killed or "timeout"
                elif seen > FLOOD:
                    killed = killed or "output"
                elif now >= usage_due:
                    killed = killed or self.overuse(request["limits"])
                    usage_due = now + TICK
        os.close(pidfd)
        status, outlived = self.end_everything(child)
        for index, reader in enumerate(readers):
            os.set_blocking(reader, False)
            with contextlib.suppress(BlockingIOError):
                while part := os.read(reader, 1 << 16):
                    room = caps[index] - len(outputs[index])
                    outputs[index] += part[: max(room, 0)]
        code = os.waitstatus_to_exitcode(status)
        if killed is None and code != 0 and ended_for_memory() > memory_kills:
            killed = "memory"
        return {"exit_code": None if killed else code, "killed": killed, "outlived": outlived}, outputs

    def overuse(self, limits: dict) -> str | None:
        """The name of a limit that the running processes are over, if one is."""
        family = descendants(os.getpid())
        if len(family) > limits["processes"]:
            return "processes"
        held_by_none = sum(one["rss"] for one in system_v("shm")) if self.options.alone else 0
        room = (limits["memory"] << 20) - held_by_none
        # The second is right and dear: it goes through every page.
        if all(sum(map(held, family)) > room for held in (resident_bytes, own_bytes)):
            return "memory"
        most = limits["disk"] << 20
        if most and sum(folder_bytes(folder, most) for folder in limits["folders"]) + nameless_bytes(family) > most:
            return "disk"
        return None

    def end_everything(self, child: int | None = None) -> tuple[int, int]:
        """Kill whatever was started, daemons too; returns the child's wait status and how many outlived it."""
        status, outlived = 0, 0
        while family := descendants(os.getpid()):
            expected = {child, *self.doors}
            outlived = max(outlived, len([pid for pid in family if pid not in expected and state_of(pid) != "Z"]))
            if self.options.alone:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(-1, signal.SIGKILL)
            for pid in family:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            # All of them are dying, and at least one is a child of ours: this returns.
            with contextlib.suppress(ChildProcessError):
                pid, ended = os.waitpid(-1, 0)
                status = ended if pid == child else status
        for kind, (number, remove) in SYSTEM_V.items() if self.options.alone else ():
            for left in system_v(kind):
                remove(left[number])
        return status, outlived


def open_door(port: int, path: str) -> int:
    """A process that makes the server behind a UNIX socket answer at a port of 127.0.0.1, too; its number."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "door.py")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        # Listening already: who is quicker than the door waits for it.
        argv = [sys.executable, "-I", "-S", script, path]
        return os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, listener.fileno(), 0)])


def set_limits(limits: dict, count_processes: bool) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Queues of POSIX outlive who made them, and are listed nowhere.
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
    if limits.get("disk"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["disk"] << 20, limits["disk"] << 20))
    if count_processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))


def children_of() -> dict[int, list[int]]:
    tree: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The command name, in parentheses, may itself hold spaces and parentheses.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
                tree.setdefault(parent, []).append(int(name))
    return tree


def descendants(pid: int) -> list[int]:
    tree, found, queue = children_of(), [], [pid]
    while queue:
        for child in tree.get(queue.pop(), ()):
            found.append(child)
            queue.append(child)
    return found


def state_of(pid: int) -> str:
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0].decode()
    return "Z"


def resident_bytes(pid: int) -> int:
    """Memory of one process that is in no file; what forks share until one of them writes to it counts for each."""
    total = 0
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += int(line.split()[1]) << 10
    return total


def own_bytes(pid: int) -> int:
    """The same; of what it shares with others its part. One that doesn't let itself be looked at has no such part."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            parts = [int(line.split()[1]) << 10 for line in file if line.startswith((b"Pss_Anon:", b"Pss_Shmem:"))]
    except OSError:
        parts = []
    return sum(parts) if parts else resident_bytes(pid)


def system_v(kind: str) -> list[dict[str, int]]:
    """What of a kind (``SYSTEM_V``) this user made and no process holds now, as proc(5) lists it."""
    found = []
    with contextlib.suppress(OSError, ValueError), open(f"/proc/sysvipc/{kind}") as file:
        names = file.readline().split()
        for line in file:
            entry = dict(zip(names, map(int, line.split()), strict=False))
            if entry["cuid"] == os.getuid() and not entry.get("nattch"):
                found.append(entry)
    return found


def walk(folder: str):
    """``os.walk`` without recursion, as deep as a path can be named: nothing deeper is anybody's work."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        folders, names = [], []
        with contextlib.suppress(OSError):
            for entry in os.scandir(parent):
                (folders if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
        yield parent, folders, names
        waiting += [os.path.join(parent, name) for name in reversed(folders)]


def folder_bytes(folder: str, enough: int) -> int:
    total = 0
    for parent, _, names in walk(folder):
        if len(parent) > DEEPEST:
            return enough + 1  # what lies deeper could not be counted
        for name in names:
            with contextlib.suppress(OSError):
                total += max(os.lstat(os.path.join(parent, name)).st_blocks * 512, NAME_BYTES)
        if total > enough:
            break
    return total


def nameless_bytes(family: list[int]) -> int:
    """Files that no folder shows but processes hold open: deleted ones, and those in memory (memfd_create)."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in family:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    name = os.readlink(entry.path)
                    if name.startswith("/memfd:") or name.endswith(" (deleted)"):
                        status = os.stat(entry.path)
                        sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def ended_for_memory() -> int:
    for path in MEMORY_EVENTS:
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def empty(folder: str) -> None:
    """Remove all in a folder that this user may remove, however deeply it is nested."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            make_removable(entry.path)
            # Not shutil.rmtree: it recurses, and folders can be nested more deeply than Python's stack.
            os.spawnv(os.P_WAIT, "/bin/rm", ["rm", "-rf", "--", entry.path])
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def make_removable(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(folder, stat.S_IRWXU)
    for parent, folders, _ in walk(folder):
        # Before the walk goes into them.
        for name in folders:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, stat.S_IRWXU)


def read_regular(path: str, most: int) -> bytes:
    """The content of a regular file with one name; a link, a device or too big a file is an error."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError("not a regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_nlink > 1:
            raise ValueError("a file with several names (hard link)")
        if status.st_size > most:
            raise ValueError(f"{status.st_size} bytes; at most {most} are taken")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, help="become this user and group first")
    parser.add_argument("--alone", action="store_true", help="every process this user can signal is ours to kill")
    parser.add_argument("--cores", type=int, help="run on so many cores at most")
    parser.add_argument("--count-processes", action="store_true", help="limit the user's processes by rlimit")
    options = parser.parse_args()
    if options.cores:
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, random.sample(allowed, min(options.cores, len(allowed))))
    os.umask(0o022)
    if options.uid is not None:
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(options.uid, options.uid, options.uid)
        os.setresuid(options.uid, options.uid, options.uid)
        libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)())
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Not dumpable: processes of the same user can neither trace this one nor open its pipes through /proc.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [here, f"{here}/driver"]
    # A command that ends by a signal to its group must not take us along.
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    if options.alone:
        # What a predecessor that was killed by its own command left behind.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    Resident(options).serve()


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        if problem.errno != errno.EPIPE:
            raise
