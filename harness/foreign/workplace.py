"""Where an agent works at a task that brings its own image."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UsageError
from harness.foreign import changes, harbor_folder
from harness.foreign.container import Container
from harness.foreign.images import agents_image
from harness.foreign.manifest import HarborTask, Network, read_manifest
from harness.sandboxes import Sandbox
from harness.sandboxes._box import Completed
from harness.sandboxes.docker import Docker
from harness.submission import Submission, safe_path
from harness.task import Task

LARGEST_FILE = 2_000_000


class ContainerWorkplace:
    """A ``Workplace`` (see ``harness.agents``). What a command started goes on after it."""

    def __init__(self, container: Container, manifest: HarborTask) -> None:
        self._container = container
        self._user = manifest.agent.user
        self._owner = container.owner(self._user)
        self._graded = manifest.graded_folders

    def run(self, command: str, timeout: float) -> Completed:
        return self._container.run(command, user=self._user, timeout=timeout, output_limit=100_000)

    def read(self, path: str) -> bytes:
        done = self._container.run(f"cat -- {shlex.quote(path)}", user=self._user, output_limit=LARGEST_FILE)
        if not done.ok or done.truncated:
            raise OSError(done.stdout.strip()[-300:] or "the file is too big to be read at once")
        return done.stdout.encode()

    def write(self, path: str, content: bytes) -> None:
        target = shlex.quote(str(safe_path(path.removeprefix(f"{self._container.work}/"))))
        command = f'mkdir -p "$(dirname -- {target})" && cat > {target}'
        done = self._container.run(command, user=self._user, stdin=content)
        if not done.ok:
            raise OSError(done.stdout.strip() or done.explain())

    def collect(self) -> Submission:
        return changes.collect(self._container, self._owner, self._graded)


def runtime_of(sandbox: Sandbox) -> str:
    """
    Raises:
        UsageError: only Docker has containers of any image.
    """
    if not isinstance(sandbox, Docker):
        raise UsageError(f"tasks that bring their own image don't run in {sandbox.name}", "use --sandbox docker")
    return sandbox.runtime


@contextmanager
def agents_container(task: Task, sandbox: Sandbox, manifest: HarborTask, *, network: bool) -> Iterator[Container]:
    """A fresh one, nothing in it but what its image has."""
    runtime = runtime_of(sandbox)
    with Container(agents_image(task).tag, manifest.environment, network=network, runtime=runtime) as container:
        yield container


@contextmanager
def workplace(task: Task, sandbox: Sandbox) -> Iterator[ContainerWorkplace]:
    manifest = read_manifest(harbor_folder(task))
    with agents_container(task, sandbox, manifest, network=has_network(task, manifest)) as container:
        container.become_healthy(manifest.environment.healthcheck)
        yield ContainerWorkplace(container, manifest)


def has_network(task: Task, manifest: HarborTask) -> bool:
    """The agent's."""
    return is_granted(task, manifest.agent.network_mode or manifest.environment.network_mode)


def is_granted(task: Task, asked: Network) -> bool:
    """Whether a container gets a network: asked for by the task, and granted when it was imported."""
    return bool(task.manifest.foreign and task.manifest.foreign.network and asked == "public")
