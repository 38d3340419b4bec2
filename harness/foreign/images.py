"""The images of a task's own Dockerfiles, built once for each content."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.foreign import harbor_folder
from harness.foreign.manifest import Environment, read_manifest
from harness.sandboxes import docker
from harness.submission import NO_LIMITS, Submission, from_folder
from harness.task import Task

CERTIFICATES = "ca-bundle.crt"


@dataclass(frozen=True)
class Image:
    """``brings_tests``: it was built from the tests' folder, and nothing has to be brought into it."""

    tag: str
    brings_tests: bool = False


def images_of(task: Task) -> list[Image]:
    return sorted({agents_image(task), verifiers_image(task)}, key=lambda image: image.tag)


def agents_image(task: Task) -> Image:
    return _image(harbor_folder(task) / "environment", read_manifest(harbor_folder(task)).environment)


def verifiers_image(task: Task) -> Image:
    verifier = read_manifest(harbor_folder(task)).verifier
    tests = harbor_folder(task) / "tests"
    if not verifier.is_separate:
        return agents_image(task)
    if (tests / "Dockerfile").is_file():
        return Image(_tag(tests), brings_tests=True)
    if verifier.environment and verifier.environment.docker_image:
        return Image(verifier.environment.docker_image)
    return agents_image(task)


def _image(folder: Path, environment: Environment) -> Image:
    if environment.docker_image and not (folder / "Dockerfile").is_file():
        return Image(environment.docker_image)
    return Image(_tag(folder))


def _tag(folder: Path) -> str:
    content = from_folder(folder, limits=NO_LIMITS, ignored=frozenset())
    return f"bench-harbor:{Submission({**content.files, 'base': docker.base_image().encode()}).digest[:12]}"


def is_built(image: Image) -> bool:
    return docker.has_image(image.tag)


def build_images(task: Task) -> str:
    """Build or pull what isn't there; the id of the agent's image.

    Raises:
        InfrastructureError: an image can't be had (cause ``environment-build``).
    """
    folders = {}
    for name in ("environment", "tests"):
        folder = harbor_folder(task) / name
        if (folder / "Dockerfile").is_file():
            folders[_tag(folder)] = folder
    for image in images_of(task):
        if is_built(image):
            continue
        if image.tag in folders:
            _build(folders[image.tag], image.tag)
        else:
            docker.pull_image(image.tag)
    return docker.image_id(agents_image(task).tag)


def _build(folder: Path, tag: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        context = Path(place, "context")
        shutil.copytree(folder, context, symlinks=True)
        certificates = context / CERTIFICATES
        if certificates.is_file() and not certificates.stat().st_size:  # where an export of ours takes them
            certificates.write_bytes(docker.ca_bundle())
        try:
            docker.build(tag, f"the image of {folder}", path=str(context))
        except OSError as error:
            raise InfrastructureError("environment-build", f"{folder} can't be sent to Docker: {error}") from None
