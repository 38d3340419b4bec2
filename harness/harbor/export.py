"""A task of ours as a folder of Harbor's, which its own tools run and grade without us.

    task.toml  instruction.md
    environment/   the environment's own Dockerfile and what it needs, the workspace, the visible world
    tests/         the same environment with this program, the task's checks and hidden worlds: Harbor's verifier
    solution/      the reference

The verifier is a container of its own (Harbor's ``separate`` mode): checks and hidden worlds never come near the agent,
and nothing that the agent left runs beside them unconfined, for bubblewrap confines it there.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import graders
import harness
import results
from harness.clauses.reading import read_persona
from harness.errors import UsageError
from harness.lab import Lab
from harness.persona import Persona
from harness.sandboxes import FolderName, Sandbox, _environments
from harness.sandboxes._box import Box
from harness.submission import IGNORED_FOLDERS, Submission, SubmissionError, SubmissionLimits
from harness.task import VISIBLE_SEED, Task
from results.durable import whole_folder, writing

FILES = Path(__file__).parent / "files"
ORGANISATION = "data-engineer-bench"
# Too much of a world is an error, never a part left out.
EVERYTHING = SubmissionLimits(files=100_000, file_bytes=64 << 20, total_bytes=200 << 20)
# Of a box alone: in a container of Harbor's the agent has a home and a name of its own.
OWN_VARIABLES = frozenset({"HOME", "TMPDIR", "USER"})
# An agent's program is installed by root, whose package manager asks for these.
ROOTS_PATH = ":/usr/local/sbin:/usr/sbin:/sbin"
# Of a task, what only `bench verify` reads.
FOR_VERIFY = frozenset({"alternates", "mutants.toml", "worlds.toml"})
CACHES = shutil.ignore_patterns("__pycache__")
# Seconds; MiB beside what the task itself may use: for the agent's own program, and for the grader.
BUILD_TIME, GRADING_TIME, MEMORY_BESIDE, DISK = 3600, 3600, 2048, 10240

WAY_OF_WORKING = """\
{instruction}

---

You are in the project's folder, /work, with a shell (bash). Make your changes there. Put your written answer to
this ticket into DELIVERABLE.md in the same folder. There is nobody to ask: where something is open, decide, and
say in DELIVERABLE.md what you assumed.
"""
FORM = """
This is the form of DELIVERABLE.md:

{section}
"""


@dataclass(frozen=True)
class Visible:
    """What an agent finds: files of the box's folders, dumps of the engines, variables."""

    work: Mapping[str, bytes]
    data: Mapping[str, bytes]
    sockets: Mapping[str, bytes]
    dumps: Mapping[str, bytes]
    variables: Mapping[str, str]


def write_task(task: Task, folder: Path, persona: Persona, sandbox: Sandbox) -> None:
    """Write one task; the visible world is laid out once in the sandbox, whose paths are those of the image.

    Raises:
        UsageError: the folder is there already, or the visible world is too big to be carried along.
        InfrastructureError: the box or an engine failed.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already", "name a folder that doesn't, or remove it")
    seen = visible(task, sandbox)
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as draft:
        files = {
            "task.toml": manifest(task).encode(),
            "instruction.md": instruction(task, persona).encode(),
            **below("environment", environment(task, seen)),
            **below("tests", verifier(task)),
            **below("solution", solution(task)),
        }
        for path, content in files.items():
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if target.suffix == ".sh":
                target.chmod(0o755)
        copy_program(draft / "tests" / "bench")
        copy_task(task, draft / "tests" / "tasks" / task.id)


def visible(task: Task, sandbox: Sandbox) -> Visible:
    with Lab(task, sandbox, task.workspace) as lab:
        task.world.furnish(task.world.build(VISIBLE_SEED), lab)
        try:
            work, data, sockets = (whole(lab.box, folder) for folder in ("work", "data", "sockets"))
        except SubmissionError as error:
            raise UsageError(f"{task.id}: the visible world is too big: {error}") from None
        variables = {**lab.box.base_variables("submission"), **lab.box.variables}
        kept = {name: value for name, value in variables.items() if name not in OWN_VARIABLES}
        kept["PATH"] += ROOTS_PATH
        return Visible(work, data, sockets, lab.dump(), kept)


def whole(box: Box, folder: FolderName) -> dict[str, bytes]:
    big = box.run(["find", box.path(folder), "-type", "f", "-size", f"+{EVERYTHING.file_bytes}c"], role="driver")
    if not big.ok or big.stdout:
        raise SubmissionError(f"{big.stdout or big.stderr} has more than {EVERYTHING.file_bytes} bytes")
    return box.collect(folder, EVERYTHING)


def instruction(task: Task, persona: Persona) -> str:
    """The ticket, the way of working that our own agents are told, and the form of the deliverable that a persona
    asks for: who does a task of Harbor's has no persona."""
    text = WAY_OF_WORKING.format(instruction=task.instruction.rstrip())
    lines = persona.text.splitlines()
    for section in read_persona(persona).sections if persona.text else ():
        if section.kind == "deliverable":
            first, last = section.lines
            text += FORM.format(section="\n".join(lines[first:last]).strip())  # without its heading
    return text


def environment(task: Task, seen: Visible) -> dict[str, bytes]:
    """The context of the agent's image."""
    recipe = _environments.recipe(task.manifest.environment).files
    folders = {"workspace": seen.work, "data": seen.data, "sockets": seen.sockets}
    start = {"start.py": (FILES / "start.py").read_bytes(), **seen.dumps}
    assignments = [f"{name}={shlex.quote(value)}" for name, value in seen.variables.items()]
    dockerfile = [
        recipe["Dockerfile"].decode().rstrip(),
        (FILES / "environment.Dockerfile").read_text().rstrip(),
        *(copy_line(name) for name, files in folders.items() if files),
        *(f"ENV {name}={json.dumps(value).replace('$', chr(92) + '$')}" for name, value in seen.variables.items()),
    ]
    return {
        **recipe,
        "Dockerfile": "\n".join((*dockerfile, "")).encode(),
        "ca-bundle.crt": b"",
        # For login shells, which forget the image's PATH.
        "profile.sh": "".join(f"export {assignment}\n" for assignment in assignments).encode(),
        **below("start", start),
        **{path: content for name, files in folders.items() for path, content in below(name, files).items()},
    }


def copy_line(folder: str) -> str:
    lines = {
        "workspace": "COPY --chown=10002:10002 workspace /work",
        # Settings, and programs that speak to a server.
        "sockets": "COPY sockets /sockets\nRUN chmod -R 755 /sockets",
    }
    return lines.get(folder, f"COPY {folder} /{folder}")


def verifier(task: Task) -> dict[str, bytes]:
    """The context of the verifier's image, without this program and the task."""
    recipe = _environments.recipe(task.manifest.environment).files
    dockerfile = recipe["Dockerfile"].decode() + (FILES / "verifier.Dockerfile").read_text()
    return {
        **recipe,
        "Dockerfile": dockerfile.encode(),
        "ca-bundle.crt": b"",
        "docker-compose.yaml": (FILES / "docker-compose.yaml").read_bytes(),
        "test.sh": (FILES / "test.sh").read_bytes(),
        "requirements.txt": "".join(f"{line}\n" for line in requirements()).encode(),
        "constraints.txt": "".join(f"{line}\n" for line in constraints()).encode(),
    }


def solution(task: Task) -> dict[str, bytes]:
    reference: Submission = task.reference
    removed = sorted(set(task.workspace.files) - set(reference.files))
    return {
        "solve.sh": (FILES / "solve.sh").read_bytes(),
        "removed.txt": "".join(f"{path}\n" for path in removed).encode(),
        **below("files", reference.files),
    }


def manifest(task: Task) -> str:
    """``task.toml``, as ``TaskConfig`` of harbor 0.26 reads it."""
    own = task.manifest
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{task.suite}-{task.id}").strip("-.")
    memory = own.limits.memory + MEMORY_BESIDE
    machine = {"cpus": 2, "memory_mb": memory, "storage_mb": DISK, "build_timeout_sec": float(BUILD_TIME)}
    tables: dict[str, Mapping[str, object]] = {
        "task": {
            "name": f"{ORGANISATION}/{name}",
            "version": str(own.version),
            "description": own.title,
            "keywords": list(own.technologies),
        },
        "metadata": {
            "suite": task.suite,
            "id": own.id,
            "digest": task.digest,
            "grader_digest": task.grader_digest,
            "kind": own.kind,
            "difficulty": own.difficulty,
            "responsibilities": list(own.responsibilities),
            "canary": own.canary,
        },
        "environment": {**machine, "workdir": "/work", "network_mode": "public"},
        "environment.healthcheck": {
            "command": "/opt/engine/bin/python /opt/start/start.py",
            "timeout_sec": 180.0,
            "retries": 3,
        },
        "agent": {"timeout_sec": float(own.limits.working_time), "user": "worker"},
        "verifier": {"timeout_sec": float(GRADING_TIME), "environment_mode": "separate", "user": "root"},
        "verifier.environment": {**machine, "network_mode": "no-network"},
    }
    parts = ['schema_version = "1.4"\n']
    parts += [table(f"[{name}]", values) for name, values in tables.items()]
    parts.append(table("[[artifacts]]", {"source": "/work", "exclude": sorted(IGNORED_FOLDERS)}))
    return "\n".join(parts)


def table(header: str, values: Mapping[str, object]) -> str:
    """JSON's strings, numbers and lists of strings are TOML's, but for the one control character that JSON lets be."""
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    return "\n".join((header, *lines, "")).replace("\x7f", "\\u007f")


def requirements() -> list[str]:
    """What this program needs: as a checkout says or, where it is installed, its metadata."""
    project = Path(harness.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        declared: Iterable[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        declared = importlib.metadata.requires(ORGANISATION) or ()
    return sorted(line for line in declared if "extra ==" not in line)


def constraints() -> list[str]:
    """The versions that are installed here, so that the verifier grades as this program does."""
    found = {found.name: found.version for found in importlib.metadata.distributions() if found.name != ORGANISATION}
    return sorted(f"{name}=={version}" for name, version in found.items() if "+" not in version)


def copy_program(folder: Path) -> None:
    for package in (harness, graders, results):
        source = Path(next(iter(package.__path__)))
        shutil.copytree(source, folder / package.__name__, ignore=CACHES)


def copy_task(task: Task, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in task.folder.iterdir():
        if path.is_dir() and path.name not in {"__pycache__", *FOR_VERIFY}:
            shutil.copytree(path, folder / path.name, ignore=CACHES)
        elif path.is_file() and path.name not in FOR_VERIFY:
            shutil.copy(path, folder)


def below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{path}": content for path, content in files.items()}
