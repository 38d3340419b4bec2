"""Confinement by a Docker engine: one container a box, from an image built from the project's own Dockerfile.

The container has no network, no capability, no new privileges, a read-only root, and limits on memory, processes,
cores and disk (its writable folders are size-limited file systems in memory).
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import select
import socket
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InfrastructureError, UsageError
from harness.sandboxes import BoxLimits, Diagnosis, FolderName, Role, _environments
from harness.sandboxes._leftovers import is_orphan, owner_mark
from harness.submission import to_tar

if TYPE_CHECKING:
    import docker

DEFAULT_BASE_IMAGE = "python:3.11-slim-bookworm"
LABEL, OWNER_LABEL = "bench.box", "bench.owner"
# Neither role's: a submission that kills all it can reach must not end the container.
KEEPER_UID = 10000
UIDS: dict[Role, int] = {"driver": 10001, "submission": 10002}
INSIDE: dict[FolderName, str] = {
    "work": "/work",
    "data": "/data",
    "driver": "/driver",
    "sockets": "/sockets",
    "tmp": "/tmp",  # noqa: S108
}
OWNERS: dict[FolderName, tuple[int, str]] = {
    "work": (10002, "0755"),
    "data": (10001, "0755"),
    "driver": (10001, "0700"),
    "sockets": (10001, "0755"),
    "tmp": (0, "1777"),
}
DRIVER_DISK = 2048  # MiB
FRAME = struct.Struct(">BxxxI")
# What comes together with the reply's head is lost: the SDK reads that through a buffer, and hands out what is beneath.
# So a process says nothing before it is told that its socket is ours.
AFTER_OURS = ("sh", "-c", 'read -r _; exec "$@"', "sh")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@functools.cache
def client() -> docker.DockerClient:
    import docker
    from docker.errors import DockerException

    try:
        connected = docker.from_env(timeout=120)
        connected.ping()
    except (DockerException, OSError) as error:
        client.cache_clear()
        raise UsageError(
            f"no Docker engine answers: {error}",
            "start it, or point DOCKER_HOST at one, or use --sandbox bubblewrap",
        ) from None
    return connected


class ExecStream:
    """A process started by ``docker exec``, spoken to through the hijacked connection."""

    def __init__(
        self, container: str, argv: list[str], user: int | str, variables: Mapping[str, str], cwd: str | None = None
    ) -> None:
        import docker

        # A connection of its own: the SDK's pool would hand a hijacked one to the next request.
        self._client = docker.from_env(timeout=120, version=client().api.api_version)
        api = self._client.api
        created = api.exec_create(
            container,
            [*AFTER_OURS, *argv],
            stdin=True,
            stdout=True,
            stderr=False,
            user=str(user),
            environment=dict(variables),
            workdir=cwd,
        )
        self._id: str = created["Id"]
        self._held: Any = api.exec_start(self._id, socket=True)
        # Over a UNIX socket the SDK hands out a wrapper; its raw socket reads and writes both ways.
        raw: Any = getattr(self._held, "_sock", self._held)
        self._socket: socket.socket = raw
        # Blocking, with a poll before each read: a thread may write while another waits to read.
        self._socket.settimeout(None)
        self._rest = 0
        self.write(b"\n")

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int, timeout: float) -> bytes:
        """Payload of the next frame of standard output (8 bytes of header, see Docker's attach protocol)."""
        while not self._rest:
            header = self._exactly(FRAME.size, timeout)
            if not header:
                return b""
            self._rest = FRAME.unpack(header)[1]
        part = self._receive(min(size, self._rest, 1 << 20), timeout)
        self._rest -= len(part)
        return part

    def _receive(self, size: int, timeout: float) -> bytes:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLHUP)
        if not poll.poll(timeout * 1000):
            raise TimeoutError(f"nothing came for {timeout:.0f} s")
        return self._socket.recv(size)

    def _exactly(self, size: int, timeout: float) -> bytes:
        found = b""
        while len(found) < size:
            part = self._receive(size - len(found), timeout)
            if not part:
                return b""
            found += part
        return found

    def was_killed_outside(self) -> bool:
        return False

    def exit_code(self) -> int | None:
        """None while it runs."""
        code: int | None = self._client.api.exec_inspect(self._id)["ExitCode"]
        return code

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._held.close()
            self._client.close()


class DockerSpace:
    interpreter = "/opt/engine/bin/python"
    runtime = "/opt/runtime"

    def __init__(self, environment: str, limits: BoxLimits, runtime: str | None) -> None:
        from docker.errors import DockerException

        size = {
            folder: limits.disk if uid == UIDS["submission"] else DRIVER_DISK for folder, (uid, _) in OWNERS.items()
        }
        size["tmp"] = limits.disk
        folders = {
            INSIDE[folder]: f"rw,exec,nosuid,nodev,size={size[folder]}m,uid={uid},gid={uid},mode={mode}"
            for folder, (uid, mode) in OWNERS.items()
        }
        self.name = f"box-{uuid.uuid4().hex[:12]}"
        try:
            self._container = client().containers.run(
                image_tag(environment),
                name=self.name,
                detach=True,
                init=True,
                user=str(KEEPER_UID),
                hostname="worker",
                network_mode="none",
                # Java looks its own host up.
                extra_hosts={"worker": "127.0.0.1"},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                read_only=True,
                tmpfs=folders,
                mem_limit=f"{limits.memory}m",
                memswap_limit=f"{limits.memory}m",
                nano_cpus=int(min(limits.cores, os.cpu_count() or 1) * 1e9),
                pids_limit=limits.processes + 64,
                labels={LABEL: self.name, OWNER_LABEL: owner_mark(os.getpid())},
                runtime=runtime,
            )
        except DockerException as error:
            remove_named(self.name)
            raise InfrastructureError("docker", f"no container could be started: {error}") from None

    def path(self, folder: FolderName) -> str:
        return INSIDE[folder]

    def spawn(self, argv: list[str], role: Role, variables: Mapping[str, str]) -> ExecStream:
        from docker.errors import DockerException

        if role == "submission":
            argv = [*argv, "--alone"]
        try:
            return ExecStream(self._container.id or self.name, argv, UIDS[role], variables)
        except (DockerException, OSError) as error:
            raise InfrastructureError("docker", f"no process could be started in a container: {error}") from None

    def close(self) -> None:
        remove(self._container)


class Docker:
    """``runtime``: another OCI runtime than the engine's own for all containers (gVisor's ``runsc``, say)."""

    confines = True

    def __init__(self, runtime: str = "") -> None:
        self.runtime = runtime

    @property
    def name(self) -> str:
        return f"docker:{self.runtime}" if self.runtime else "docker"

    def diagnose(self) -> Diagnosis:
        from docker.errors import DockerException

        try:
            engine: dict[str, Any] = client().info()
        except UsageError as error:
            return Diagnosis(False, error.problem, error.mend)
        except (DockerException, OSError) as error:
            return Diagnosis(False, f"the Docker engine doesn't answer: {error}", "start it")
        known = sorted(engine.get("Runtimes") or {})
        if self.runtime and self.runtime not in known:
            return Diagnosis(
                False,
                f"the Docker engine knows no runtime {self.runtime!r}; it knows {', '.join(known)}",
                "install it and register it under `runtimes` in /etc/docker/daemon.json, or leave out --docker-runtime",
            )
        under = f" under {self.runtime}" if self.runtime else ""
        return Diagnosis(True, f"Docker engine {engine['ServerVersion']}{under}, base image {base_image()}")

    def prepare(self, environment: str) -> str:
        tag = image_tag(environment)
        if not self.is_prepared(environment):
            lock = _environments.cache_folder() / f".{environment}.image.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            with _environments.exclusively(lock):
                # Another process may have built it while this one waited.
                if not self.is_prepared(environment):
                    build_image(environment, tag)
        return image_id(tag)

    def is_prepared(self, environment: str) -> bool:
        return has_image(image_tag(environment))

    def open(self, environment: str, limits: BoxLimits) -> DockerSpace:
        from docker.errors import DockerException

        try:
            self.prepare(environment)
        except (DockerException, OSError) as error:
            raise InfrastructureError("docker", f"the Docker engine doesn't answer: {error}") from None
        return DockerSpace(environment, limits, self.runtime or None)

    def reap(self, *, own: bool = False) -> int:
        """Remove the containers whose owner, a process of this machine, is gone."""
        boxes = client().containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        orphans = [box for box in boxes if is_orphan(box.labels.get(OWNER_LABEL, ""), own=own)]
        for box in orphans:
            remove(box)
        return len(orphans)


def base_image() -> str:
    return os.environ.get("BENCH_BASE_IMAGE") or DEFAULT_BASE_IMAGE


def image_tag(environment: str) -> str:
    content = _environments.recipe(environment).overlaid({"base": base_image().encode()})
    return f"bench-{environment}:{content.digest[:12]}"


def has_image(tag: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        client().images.get(tag)
    except ImageNotFound:
        return False
    return True


def image_id(tag: str) -> str:
    return str(client().images.get(tag).id)


def pull_image(tag: str) -> None:
    from docker.errors import APIError

    try:
        client().images.pull(tag)
    except APIError as error:
        raise InfrastructureError(
            "environment-build",
            f"the image {tag} can't be had: {error.explanation or error}",
            "is its registry reachable?",
        ) from None


def build_image(environment: str, tag: str) -> None:
    context = _environments.recipe(environment).overlaid({"ca-bundle.crt": ca_bundle()})
    files = io.BytesIO(to_tar(context.files))
    build(tag, f"the image of {environment!r}", fileobj=files, custom_context=True, network_mode="host")


def build(tag: str, what: str, **context: Any) -> None:
    """Build an image from a context as Docker's SDK takes it.

    Raises:
        InfrastructureError: it can't be built (cause ``environment-build``).
    """
    from docker.errors import APIError, BuildError

    arguments = {"BASE_IMAGE": base_image(), **{name: os.environ[name] for name in PROXIES if name in os.environ}}
    try:
        client().images.build(tag=tag, buildargs=arguments, rm=True, forcerm=True, **context)
    except BuildError as error:
        log = "".join(str(line.get("stream", "")) for line in error.build_log)[-2000:]
        raise InfrastructureError(
            "environment-build",
            f"building {what} failed: {error}\n{log}",
            "where no registry is reachable: scripts/make-base-image, then BENCH_BASE_IMAGE=bench-base:bookworm",
        ) from None
    except APIError as error:
        raise InfrastructureError(
            "environment-build",
            f"building {what} failed: {error.explanation or error}",
            f"is the base image {base_image()!r} reachable? scripts/make-base-image makes one without a registry",
        ) from None


def ca_bundle() -> bytes:
    """The certificates this machine was told to trust, for networks that need more than the usual ones."""
    for name in CERTIFICATES:
        path = os.environ.get(name)
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return b""


def remove(container: Any) -> None:
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        container.remove(force=True, v=True)


def remove_named(name: str) -> None:
    """What is left of a container that was made and could not be started."""
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        remove(client().containers.get(name))


SANDBOX = Docker()
