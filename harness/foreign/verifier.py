"""A task's own verifier: test.sh is run on what the agent left, and the reward that it writes is read.

It runs in a fresh container, to which the tests are brought only now; in Harbor's ``separate`` mode in one of its own,
which gets no more than the artifacts. The reward is read from outside, after test.sh has ended. But test.sh runs among
the agent's files, as it does in Harbor: how well it guards itself against them is its author's part.
"""

from __future__ import annotations

import fnmatch
import io
import json
import math
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import InfrastructureError, SubmissionFault
from harness.foreign import changes, harbor_folder
from harness.foreign.container import Container, read_at_most
from harness.foreign.images import verifiers_image
from harness.foreign.manifest import Artifact, HarborTask, filled, read_manifest
from harness.foreign.workplace import agents_container, is_granted, runtime_of
from harness.sandboxes import Sandbox
from harness.submission import Submission
from harness.task import Task

LOGS = "/logs/verifier"
MOST_REWARD, MOST_COLLECTED = 100_000, 1 << 30  # bytes
REWARD, RESOLVED = "reward", "resolved"


@dataclass(frozen=True)
class Verdict:
    """``rewards`` by name, each from 0 to 1. ``said``: the end of what test.sh printed."""

    rewards: Mapping[str, float]
    said: str

    @property
    def score(self) -> float:
        """The one called ``reward``, or the mean of all."""
        return self.rewards.get(REWARD, math.fsum(self.rewards.values()) / len(self.rewards))

    @property
    def resolved(self) -> bool:
        """As the verifier says, if it does (those of `bench export harbor` do), else by a full reward."""
        return self.rewards.get(RESOLVED, self.score) >= 1


def verify(task: Task, submission: Submission, sandbox: Sandbox) -> Verdict:
    """
    Raises:
        SubmissionFault: no reward was written: test.sh ended otherwise, or not in time.
        InfrastructureError: Docker failed, or the reward is none.
    """
    manifest = read_manifest(harbor_folder(task))
    separate = manifest.verifier.is_separate
    shared_network = not separate and is_granted(
        task, manifest.verifier.network_mode or manifest.environment.network_mode
    )
    with agents_container(task, sandbox, manifest, network=shared_network) as container:
        changes.put_back(container, submission, container.owner(manifest.agent.user))
        if not separate:
            container.become_healthy(manifest.environment.healthcheck)
            return _verdict(task, manifest, container, brings_tests=False)
        artifacts = [(artifact, _collected(container, artifact)) for artifact in manifest.artifacts]
    machine = manifest.verifier.environment or manifest.environment
    image = verifiers_image(task)
    with Container(
        image.tag,
        machine,
        network=is_granted(task, manifest.verifier.network_mode or machine.network_mode),
        runtime=runtime_of(sandbox),
        walls=bool(task.manifest.foreign and task.manifest.foreign.walls),
    ) as container:
        container.become_healthy(machine.healthcheck)
        for artifact, content in artifacts:
            if content is not None:
                target = str(PurePosixPath(artifact.source).parent)
                container.must(f"mkdir -p {shlex.quote(target)}", "making a folder for the artifacts", user=0)
                container.put(content, target)
        return _verdict(task, manifest, container, brings_tests=image.brings_tests)


def _verdict(task: Task, manifest: HarborTask, container: Container, *, brings_tests: bool) -> Verdict:
    container.must(f"mkdir -p {LOGS} && chmod 0777 {LOGS}", "making the verifier's folder", user=0)
    if not brings_tests:
        container.must("rm -rf /tests && mkdir /tests", "making the tests' folder", user=0)
        container.put(packed(harbor_folder(task) / "tests"), "/tests")
    container.must("chmod +x /tests/test.sh", "making test.sh executable", user=0)
    verifier = manifest.verifier
    done = container.run(
        "/tests/test.sh", user=verifier.user, timeout=verifier.timeout_sec, variables=filled(verifier.env)
    )
    said = done.explain()
    rewards = _rewards(task, container)
    if rewards is None:
        raise SubmissionFault(f"the verifier wrote no reward: {said}")
    return Verdict(rewards, said)


def _rewards(task: Task, container: Container) -> dict[str, float] | None:
    """What test.sh wrote: reward.json before reward.txt, as Harbor looks for it."""
    text = container.content(f"{LOGS}/reward.json", MOST_REWARD)
    try:
        if text is not None:
            found = json.loads(text)
            rewards = found if isinstance(found, dict) else {REWARD: found}
        elif (text := container.content(f"{LOGS}/reward.txt", MOST_REWARD)) is not None:
            rewards = {REWARD: float(text)}
        else:
            return None
        checked = {str(name): float(value) for name, value in rewards.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise InfrastructureError("grader", f"{task.id}: its verifier's reward can't be read: {error}") from None
    if not checked or not all(0 <= value <= 1 for value in checked.values()):
        raise InfrastructureError("grader", f"{task.id}: its verifier's rewards aren't all from 0 to 1: {checked}")
    return checked


def packed(folder: Path) -> bytes:
    """A folder as a tar, all of it root's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, ".", filter=_as_roots)
    return buffer.getvalue()


def _as_roots(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _collected(container: Container, artifact: Artifact) -> bytes | None:
    """An artifact as a tar, without what it excludes (tar's patterns: a name, or a path from any folder on); None if
    there is nothing of it."""
    found = container.archive(artifact.source)
    if found is None:
        return None
    try:
        content = read_at_most(found[1], MOST_COLLECTED)
    except OverflowError as error:
        raise SubmissionFault(f"{artifact.source} has {error}") from None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as source, tarfile.open(fileobj=buffer, mode="w") as target:
        for entry in source:
            parts = PurePosixPath(entry.name).parts
            tails = {"/".join(parts[first:last]) for last in range(1, len(parts) + 1) for first in range(last)}
            if not any(fnmatch.filter(tails, pattern) for pattern in artifact.exclude):
                target.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
    return buffer.getvalue()
