"""Tasks of Harbor's as tasks of ours: a suite that `bench run --suite` takes, worked on and graded in Docker.

Each task's folder is kept as it was, in ``harbor/``; beside it stand what the rest of the program reads, and the
reference, which is what solution/solve.sh changes in a container.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.foreign import changes, images
from harness.foreign.manifest import HarborTask, filled, read_manifest, unsupported
from harness.foreign.verifier import packed
from harness.foreign.workplace import agents_container, has_network
from harness.harbor.export import FILES, table
from harness.sandboxes import Sandbox
from harness.submission import SubmissionError
from harness.task import Task, load_suite, read_task
from results.durable import whole_folder, writing

TECHNOLOGY = "harbor"
COMPOSITION = "docker-compose.yaml"
COMPOSITIONS = (COMPOSITION, "docker-compose.yml", "compose.yaml", "compose.yml")
DIFFICULTIES = ("easy", "medium", "hard")
# What the agent leaves by names that mean something to ``foreign.changes`` is nobody's.
SUBMIT = ("[!.]*",)
CANARY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Granted:
    """What tasks get if they ask for it, see ``harness.task.Foreign``."""

    network: bool = False
    walls: bool = False


def bring(folder: Path, out: Path, granted: Granted, sandbox: Sandbox, tell: Callable[[str], None]) -> list[Task]:
    """Write the suite of a task of Harbor's, or of a folder of them; their images are built, their solutions run.

    Raises:
        UsageError: there is no task, the suite's folder exists, or a task asks for what it can't get here.
        InfrastructureError: Docker failed.
    """
    found = sorted({path.parent for path in (folder / "task.toml", *folder.glob("*/task.toml")) if path.is_file()})
    if not found:
        raise UsageError(
            f"{folder} holds no task of Harbor's", "a task is a folder with a task.toml, or name a folder of such"
        )
    if out.exists():
        raise UsageError(f"{out} exists already", "name a folder that doesn't")
    manifests = {path: readable(path, granted) for path in found}
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(out) as draft:
        for path, manifest in manifests.items():
            task = write_task(path, manifest, draft, out.name, granted)
            tell(f"{task.id}: building its images")
            images.build_images(task)
            tell(f"{task.id}: {write_reference(task, manifest, sandbox)}")
        (draft / "suite.toml").write_text(f"name = {json.dumps(out.name)}\nversion = 1\n")
    return load_suite(str(out.resolve()))


def readable(folder: Path, granted: Granted) -> HarborTask:
    """
    Raises:
        UsageError: the task isn't whole, or asks for what it can't get.
    """
    manifest = read_manifest(folder)
    for name in ("instruction.md", "environment", "tests/test.sh"):
        if not (folder / name).exists():
            raise UsageError(f"{folder} has no {name}", "every task of Harbor's that can be run here has one")
    asked = unsupported(manifest)
    if (folder / "environment" / "Dockerfile").is_file() or manifest.environment.docker_image:
        compositions = [folder / part / name for part in ("environment", "tests") for name in COMPOSITIONS]
        asked += [f"several containers ({path.relative_to(folder)})" for path in compositions if not is_known(path)]
    else:
        asked.append("an image without a Dockerfile")
    if asked:
        raise UsageError(f"{folder} asks for what it can't get here: {'; '.join(asked)}", "leave this task out")
    if puts_up_walls(folder) and not granted.walls:
        raise UsageError(
            f"the verifier of {folder} puts up walls of its own, and needs rights close to root's for it",
            "if you trust who wrote it: --allow-walls",
        )
    return manifest


def is_known(composition: Path) -> bool:
    return not composition.is_file() or puts_up_walls(composition.parent.parent)


def puts_up_walls(folder: Path) -> bool:
    """Whether its verifier is composed as `bench export harbor` does it."""
    composition = folder / "tests" / COMPOSITION
    return composition.is_file() and composition.read_bytes() == (FILES / COMPOSITION).read_bytes()


def write_task(folder: Path, manifest: HarborTask, draft: Path, suite: str, granted: Granted) -> Task:
    name = slugged(folder.resolve().name)
    target = draft / TECHNOLOGY / name
    if target.exists():
        raise UsageError(f"two tasks would be called {name}", "rename one of their folders")
    shutil.copytree(folder, target / "harbor", symlinks=True)
    shutil.copy(folder / "instruction.md", target)
    (target / "task.toml").write_text(our_manifest(f"{TECHNOLOGY}/{name}", manifest, granted, puts_up_walls(folder)))
    return read_task(target, suite)


def our_manifest(name: str, manifest: HarborTask, granted: Granted, walls: bool) -> str:
    """``task.toml``. What Harbor's doesn't say of a task stays as general as can be."""
    told, machine = manifest.metadata, manifest.environment
    canary, difficulty = str(told.get("canary", "")), told.get("difficulty")
    technologies = [slugged(word) for word in manifest.task.keywords] or [TECHNOLOGY]
    tables: dict[str, dict[str, object]] = {
        "": {
            "id": name,
            "title": manifest.task.description.strip() or manifest.task.name or name,
            "version": 1,
            "environment": "own",
            "engines": ["own"],
            "kind": "build",
            "difficulty": difficulty if difficulty in DIFFICULTIES else "medium",
            "technologies": technologies,
            "responsibilities": [TECHNOLOGY],
            "sources": ["unknown"],
            "destinations": ["unknown"],
            "submit": list(SUBMIT),
            "canary": canary if CANARY.fullmatch(canary) else str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        },
        "limits": {
            "working_time": int(manifest.agent.timeout_sec),
            "memory": machine.memory_mb,
            "disk": machine.storage_mb,
        },
        "foreign": {"network": granted.network, "walls": walls},
    }
    return "\n".join(
        table(f"[{header}]" if header else "# Made by bench import harbor.", values)
        for header, values in tables.items()
    )


def write_reference(task: Task, manifest: HarborTask, sandbox: Sandbox) -> str:
    """Run the solution, if there is one, and keep what it changes; in words, what came of it."""
    solution = task.folder / "harbor" / "solution"
    if not (solution / "solve.sh").is_file():
        return "no solution, so no reference"
    with agents_container(task, sandbox, manifest, network=has_network(task, manifest)) as container:
        container.become_healthy(manifest.environment.healthcheck)
        container.must("mkdir -p /solution", "making a folder for the solution", user=0)
        container.put(packed(solution), "/solution")
        container.must("chmod +x /solution/solve.sh", "making solve.sh executable", user=0)
        user, timeout = manifest.agent.user, manifest.agent.timeout_sec
        done = container.run("/solution/solve.sh", user=user, timeout=timeout, variables=filled(manifest.solution.env))
        if not done.ok:
            return f"no reference, for its solution failed: {done.explain()}"
        try:
            left = changes.collect(container, container.owner(user), manifest.graded_folders)
            left.write(task.folder / "reference")
        except SubmissionError as error:
            return f"no reference, for its solution can't be handed in: {error}"
    return "its solution is the reference"


def slugged(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "task"
