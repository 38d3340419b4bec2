"""Tasks that bring an image and a verifier of their own, in Harbor's format: worked on and graded in Docker.

Such a task's folder has ``harbor/`` in place of a world, checks and solutions:

    harbor/task.toml              ``manifest``: what of it is understood here
    harbor/environment/           ``images``: what the agent's container is made of
    harbor/tests/                 ``verifier``: test.sh, which writes a reward, and what it needs
    harbor/solution/              not read here: `bench import harbor` made the reference of it

What the agent changed in its container (``changes``) is the submission. It is put into a fresh container of the same
image, and only then the tests are.
"""

from __future__ import annotations

from pathlib import Path

from harness.task import Task


def harbor_folder(task: Task) -> Path:
    return task.folder / "harbor"
