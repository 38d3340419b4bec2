"""Environments: locked sets of packages, one folder of ``harness/environments`` each.

Built as an image by the Docker sandbox and as a virtual environment by the others, from the same lock file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from harness.errors import InfrastructureError, UsageError
from harness.sandboxes import runtime_folder
from harness.submission import Submission, from_folder

KEPT_UNUSED = 14 * 24 * 3600.0  # seconds
RECIPES = Path(__file__).parent.parent / "environments"
DEBIAN_PACKAGES = "debian-packages.txt"
# The driver's scripts that make what starts warm: the shared one in every environment, others where such a file is.
PREPARING = {"requirements.lock": "prepare.py", "kafka.lock": "kafka_broker.py"}


def names() -> list[str]:
    return sorted(path.parent.name for path in RECIPES.glob("*/requirements.lock"))


def lock_file(name: str) -> bytes:
    if name not in names():
        raise UsageError(f"unknown environment {name!r}", f"known: {', '.join(names())}")
    return (RECIPES / name / "requirements.lock").read_bytes()


def runtime_files() -> dict[str, bytes]:
    return {f"runtime/{path}": content for path, content in from_folder(runtime_folder(), ("*.py",)).files.items()}


def own_files(name: str) -> dict[str, bytes]:
    """What an environment brings beside its packages: ``debian-packages.txt`` (what an image gets of Debian's), a
    ``prepare.py`` that is run before the shared one, and what this needs."""
    return dict(from_folder(RECIPES / name).without(["requirements.in", "requirements.lock"]).files)


def recipe(name: str) -> Submission:
    """Everything an image or a virtual environment of this name is made of."""
    shared = {file: (RECIPES / file).read_bytes() for file in ("Dockerfile", "requirements.uv")}
    own = {f"own/{file}": content for file, content in {DEBIAN_PACKAGES: b"", **own_files(name)}.items()}
    return Submission({**shared, "requirements.lock": lock_file(name), **runtime_files(), **own})


def preparations(name: str) -> list[Path]:
    """The scripts that make what starts warm in the environment: its own, if it has one, and the shared one."""
    own = RECIPES / name / "prepare.py"
    return [*([own] if own.is_file() else []), runtime_folder() / "driver" / "prepare.py"]


def lacking(name: str) -> str:
    """What this machine lacks for the virtual environment, and how to mend it; empty if nothing is known to."""
    own, *shared = preparations(name)
    if not shared:
        return ""
    argv = [base_interpreter(), str(own), "--try"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def venv_digest(name: str) -> str:
    """What a virtual environment depends on; the runtime's scripts that don't prepare may change without a rebuild."""
    python = f"{sys.version_info[:3]} {platform.machine()} {base_interpreter()}".encode()
    scripts = [script for file, script in PREPARING.items() if (RECIPES / name / file).is_file()]
    shared = {f"driver/{script}": (runtime_folder() / "driver" / script).read_bytes() for script in scripts}
    own = {file: content for file, content in own_files(name).items() if file != DEBIAN_PACKAGES}
    return Submission({"lock": lock_file(name), "python": python, **shared, **own}).digest[:12]


def cache_folder() -> Path:
    """Where virtual environments are kept; ``BENCH_CACHE`` names another place.

    A box's mounts show this path: it doesn't tell what they are for.
    """
    return Path(os.environ.get("BENCH_CACHE") or platformdirs.user_cache_path("engines")) / "environments"


def venv_folder(name: str) -> Path:
    return cache_folder() / f"{name}-{venv_digest(name)}"


def build_venv(name: str) -> Path:
    """The virtual environment of this name, built if it is not there. Safe when several processes build it."""
    folder = venv_folder(name)
    if folder.is_dir():
        os.utime(folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusively(folder.parent / f".{name}.lock"):
        if folder.is_dir():
            return folder
        building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
        try:
            _install(name, building)
            building.chmod(0o755)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        remove_unused(folder.parent)
    return folder


def remove_unused(cache: Path) -> None:
    """Remove environments that nothing has used for long; another version of the project may be using the others."""
    for folder in cache.glob("*-*"):
        with contextlib.suppress(FileNotFoundError):  # another process removes it, too
            if time.time() - folder.stat().st_mtime > KEPT_UNUSED:
                shutil.rmtree(folder, ignore_errors=True)


def _install(name: str, folder: Path) -> None:
    import uv

    tool = uv.find_uv_bin()
    lock = RECIPES / name / "requirements.lock"
    python = str(folder / "bin" / "python")
    _step(name, [tool, "venv", "--quiet", "--clear", "--relocatable", "--python", base_interpreter(), str(folder)])
    _step(
        name,
        [tool, "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", python, str(lock)],
    )
    for script in preparations(name):
        _step(name, [python, str(script), str(folder / "share" / "warm")])


def _step(name: str, argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError(
            "environment-build",
            f"building the environment {name!r} failed: {Path(argv[0]).name} {argv[1]}\n{done.stderr[-2000:].strip()}",
            "mend what it names (network? disk?) and run the same command again: finished parts are kept",
        )


def base_interpreter() -> str:
    """The Python that virtual environments are made with: the real one behind our own."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


@contextlib.contextmanager
def exclusively(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
