"""A container of a task's own image: commands in it, files into and out of it.

Unlike a box it has a writable root and whatever users the image has; what ran in it is never trusted again. It keeps
what most images need of root's rights, and gets no others, no network unless it is granted, and no disk quota (Docker
has none on most file systems): only a file's size is limited.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import tarfile
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import InfrastructureError
from harness.foreign.manifest import Environment, HealthCheck, filled
from harness.sandboxes import docker
from harness.sandboxes._box import Completed
from harness.sandboxes._leftovers import owner_mark

# Of Docker's default ones, without those that are of no use to an honest program: raw sockets, devices, audit.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
# What a verifier that puts up walls of its own needs besides (bubblewrap in a container).
FOR_WALLS = ("SYS_ADMIN", "NET_ADMIN")
UNFILTERED = ("seccomp=unconfined", "apparmor=unconfined")
PROCESSES = 1024
GRACE = 30.0
# $1: seconds, $2: the command, in bash where there is one. Errors go where its output goes, and it reads nothing.
# ``timeout`` is there in coreutils and busybox.
COMMAND = """\
for shell in bash sh; do
  if command -v "$shell" >/dev/null; then exec timeout -s KILL "$1" "$shell" -c "$2" </dev/null 2>&1; fi
done"""
KILLED = (124, 137)  # by ``timeout``


class Container:
    """Use as a context manager; after it, nothing of the container is left."""

    def __init__(self, image: str, machine: Environment, *, network: bool, runtime: str, walls: bool = False) -> None:
        from docker.errors import DockerException

        name = f"box-{uuid.uuid4().hex[:12]}"
        try:
            self._container = docker.client().containers.run(
                image,
                ["sh", "-c", "sleep infinity"],
                name=name,
                detach=True,
                init=True,
                hostname="worker",
                network_mode=None if network else "none",
                cap_drop=["ALL"],
                cap_add=[*CAPABILITIES, *(FOR_WALLS if walls else ())],
                security_opt=["no-new-privileges", *(UNFILTERED if walls else ())],
                environment=filled(machine.env),
                mem_limit=f"{machine.memory_mb}m",
                memswap_limit=f"{machine.memory_mb}m",
                nano_cpus=int(min(machine.cpus, os.cpu_count() or 1) * 1e9),
                pids_limit=PROCESSES,
                ulimits=[_file_size(machine.storage_mb)],
                labels={docker.LABEL: name, docker.OWNER_LABEL: owner_mark(os.getpid())},
                runtime=runtime or None,
            )
            attributes: dict[str, Any] = docker.client().images.get(image).attrs
        except DockerException as error:
            docker.remove_named(name)
            raise InfrastructureError("docker", f"no container of {image} could be started: {error}") from None
        self.work: str = machine.workdir or attributes["Config"].get("WorkingDir") or "/"

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        docker.remove(self._container)

    def run(
        self,
        command: str,
        *,
        user: str | int | None = None,
        timeout: float = 120.0,
        variables: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output_limit: int = 200_000,
    ) -> Completed:
        """A shell command in the work folder; errors are among its output.

        With ``stdin`` the command is sh's, reads exactly that, and has no time limit inside: it must be ours.
        """
        timeout = max(1, math.ceil(timeout))
        argv = ["sh", "-c", COMMAND, "sh", str(timeout), command]
        if stdin is not None:
            argv = ["sh", "-c", f"head -c {len(stdin)} | {{ {command}; }} 2>&1"]
        started = time.monotonic()
        with self._started(argv, user, variables) as stream:
            if stdin:
                stream.write(stdin)
            output = _drained(stream, started + timeout + GRACE, output_limit + 1)
            code = stream.exit_code()
        seconds = time.monotonic() - started
        timed_out = code is None or (code in KILLED and seconds >= timeout)
        return Completed(
            exit_code=None if timed_out else code,
            stdout=output[:output_limit].decode("utf-8", errors="replace"),
            killed="timeout" if timed_out else None,
            truncated=len(output) > output_limit,
            seconds=seconds,
        )

    @contextlib.contextmanager
    def _started(
        self, argv: list[str], user: str | int | None, variables: Mapping[str, str] | None
    ) -> Iterator[docker.ExecStream]:
        from docker.errors import DockerException

        try:
            stream = docker.ExecStream(
                self._container.id or "", argv, "" if user is None else user, variables or {}, self.work
            )
        except (DockerException, OSError) as error:
            raise InfrastructureError("docker", f"no process could be started in a container: {error}") from None
        try:
            yield stream
        except OSError as error:
            raise InfrastructureError("sandbox-lost", f"a container's process was lost: {error}") from None
        finally:
            stream.close()

    def must(self, command: str, what: str, **options: Any) -> str:
        """A command of ours; that it fails is no submission's fault."""
        done = self.run(command, **options)
        if not done.ok:
            raise InfrastructureError("sandbox-error", f"{what} failed in a container: {done.explain()}")
        return done.stdout

    def owner(self, user: str | int | None) -> tuple[int, int]:
        """The numbers of a user and its group."""
        uid, gid = self.must("id -u; id -g", "asking for the user", user=user).split()
        return int(uid), int(gid)

    def become_healthy(self, check: HealthCheck | None) -> None:
        """Wait until what the image starts is ready, as its task says that it is asked.

        Raises:
            InfrastructureError: it doesn't get ready.
        """
        if check is None:
            return
        started, failures = time.monotonic(), 0
        while not (done := self.run(check.command, timeout=check.timeout_sec)).ok:
            failures += time.monotonic() - started > check.start_period_sec
            if failures >= check.retries:
                raise InfrastructureError("engine", f"the task's health check fails: {done.explain()}")
            time.sleep(check.interval_sec)

    def changed(self) -> list[tuple[str, int]]:
        """The paths that differ from the image: 0 changed, 1 added, 2 removed."""
        found: list[dict[str, Any]] = self._container.diff() or []
        return [(entry["Path"], entry["Kind"]) for entry in found]

    def archive(self, path: str) -> tuple[bool, Iterator[bytes]] | None:
        """Whether a path is a folder, and a tar of it, which may be left unread; none if there is nothing."""
        from docker.errors import NotFound

        try:
            parts, status = self._container.get_archive(path)
            assert status is not None
        except NotFound:
            return None
        return bool(status["mode"] & (1 << 31)), iter(parts)

    def put(self, archive: bytes, folder: str = "/") -> None:
        from docker.errors import DockerException

        try:
            self._container.put_archive(folder, archive)
        except DockerException as error:
            raise InfrastructureError("docker", f"files couldn't be put into a container: {error}") from None

    def content(self, path: str, most: int) -> bytes | None:
        """A regular file's content, read from outside; none if there is no such file, or it is bigger."""
        found = self.archive(path)
        if found is None or found[0]:
            return None
        try:
            whole = read_at_most(found[1], most + 10_240)
        except OverflowError:
            return None
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            files = [archive.extractfile(entry) for entry in archive if entry.isreg()]
            return files[0].read() if files and files[0] else None


def read_at_most(parts: Iterator[bytes], most: int) -> bytes:
    """
    Raises:
        OverflowError: there is more.
    """
    read = bytearray()
    for part in parts:
        read += part
        if len(read) > most:
            raise OverflowError(f"more than {most} bytes")
    return bytes(read)


def _drained(stream: docker.ExecStream, deadline: float, most: int) -> bytes:
    """What a process says, the beginning of it, until it ends: what it started may hold its output open for longer."""
    read = bytearray()
    while time.monotonic() < deadline:
        try:
            part = stream.read(1 << 16, 1.0)
        except TimeoutError:
            if stream.exit_code() is not None:
                break
            continue
        if not part:
            break
        read += part[: max(most - len(read), 0)]
    return bytes(read)


def _file_size(megabytes: int) -> Any:
    from docker.types import Ulimit

    return Ulimit(name="fsize", soft=megabytes << 20, hard=megabytes << 20)
