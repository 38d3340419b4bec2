"""Confinement by namespaces and resource limits, through ``bwrap``: no daemon, no images.

Every process of a box runs in namespaces of its own (mounts, processes, network, IPC, host name); the folders of
the box are all that two of them share. Memory, processes and disk are limited by ``runtime/resident.py``.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.sandboxes import BoxLimits, Diagnosis, FolderName, Role, _environments, runtime_folder
from harness.sandboxes._leftovers import make_folder, reap_folders, remove_folder
from harness.sandboxes._processes import ProcessStream

ENGINE, RUNTIME = "/opt/engine", "/opt/runtime"
INSIDE: dict[FolderName, str] = {
    "work": "/work",
    "data": "/data",
    "driver": "/driver",
    "sockets": "/sockets",
    "tmp": "/tmp",  # noqa: S108
}
WRITABLE: dict[Role, tuple[FolderName, ...]] = {
    "submission": ("work", "tmp"),
    "driver": ("data", "driver", "sockets"),
}
READABLE: dict[Role, tuple[FolderName, ...]] = {"submission": ("data", "sockets"), "driver": ("work",)}
# Only what programs need of the host; in particular no home, no /etc as a whole, no /var, no /run.
HOST = ("/usr", "/etc/ssl", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
RUNTIME_WITHOUT: dict[Role, tuple[str, ...]] = {
    "submission": ("__pycache__", "hooks", "driver"),
    "driver": ("__pycache__", "hooks"),
}
FIRST_UID = 200_000


class BubblewrapSpace:
    interpreter = f"{ENGINE}/bin/python"
    runtime = RUNTIME

    def __init__(self, environment: str, limits: BoxLimits) -> None:
        self._venv = _environments.build_venv(environment)
        self._limits = limits
        self._root = make_folder()
        self._root.chmod(0o711)
        # As root, each box gets two users of its own, so that limits and permissions hold between boxes too.
        number = int(self._root.stat().st_ino) % 50_000
        self._uids: dict[Role, int] = {"submission": FIRST_UID + 2 * number, "driver": FIRST_UID + 2 * number + 1}
        for role, folders in WRITABLE.items():
            for folder in folders:
                (self._root / folder).mkdir(mode=0o700 if folder == "driver" else 0o755)
                if os.geteuid() == 0:
                    os.chown(self._root / folder, self._uids[role], self._uids[role])
        # A copy: the mounts a process sees must not tell where this program lies. The driver's part is the driver's.
        for role, left_out in RUNTIME_WITHOUT.items():
            shutil.copytree(runtime_folder(), self._root / f"runtime-{role}", ignore=shutil.ignore_patterns(*left_out))
        (self._root / "etc").mkdir()
        uid = self._uids["submission"] if os.geteuid() == 0 else os.getuid()
        (self._root / "etc" / "passwd").write_text(f"worker:x:{uid}:{uid}::/work:/bin/bash\n")
        (self._root / "etc" / "group").write_text(f"worker:x:{uid}:\n")
        (self._root / "etc" / "hosts").write_text("127.0.0.1 localhost worker\n::1 localhost\n")

    def path(self, folder: FolderName) -> str:
        return INSIDE[folder]

    def spawn(self, argv: list[str], role: Role, variables: Mapping[str, str]) -> ProcessStream:
        resident = argv[-1].endswith("/resident.py")
        extra = ["--uid", str(self._uids[role])] if os.geteuid() == 0 else []
        if resident:
            cores = str(math.ceil(self._limits.cores))
            alone = ["--alone", "--count-processes", "--cores", cores] if role == "submission" else []
            argv = [*argv, *alone, *extra]
        elif extra:
            argv = [self.interpreter, "-I", f"{RUNTIME}/driver/become.py", *extra, *argv]
        return ProcessStream([*self._bwrap(role), *argv], variables, walled=True)

    def _bwrap(self, role: Role) -> list[str]:
        options = ["bwrap", "--die-with-parent", "--new-session", *namespaces(), "--hostname", "worker"]
        if os.geteuid() == 0:
            # The resident needs these to become its user for good; then it has none.
            options += ["--cap-drop", "ALL"]
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                options += ["--cap-add", capability]
        else:
            options += ["--uid", str(os.getuid()), "--gid", str(os.getgid()), "--cap-drop", "ALL"]
        python = Path(_environments.base_interpreter()).parent.parent
        # Parents of what is mounted: made by bwrap for its own user alone otherwise.
        for parent in ("/etc", "/opt", *map(str, reversed(python.parents))):
            if parent != "/" and not parent.startswith("/usr"):
                options += ["--perms", "0755", "--dir", parent]
        # Debian keeps a Java's settings below /etc.
        for path in (*HOST, *map(str, Path("/etc").glob("java-*-openjdk"))):
            options += ["--ro-bind-try", path, path]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if Path(f"/{name}").is_symlink():
                options += ["--symlink", f"usr/{name}", f"/{name}"]
            elif Path(f"/{name}").is_dir():
                options += ["--ro-bind", f"/{name}", f"/{name}"]
        if not python.is_relative_to("/usr"):
            options += ["--ro-bind", str(python), str(python)]
        size = ["--size", str(self._limits.disk << 20)]
        options += ["--proc", "/proc", "--dev", "/dev", *size, "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
        options += ["--ro-bind", str(self._venv), ENGINE, "--ro-bind", str(self._root / f"runtime-{role}"), RUNTIME]
        for name in ("passwd", "group", "hosts"):
            options += ["--ro-bind", str(self._root / "etc" / name), f"/etc/{name}"]
        for folder in WRITABLE[role]:
            options += ["--bind", str(self._root / folder), INSIDE[folder]]
        for folder in READABLE[role]:
            options += ["--ro-bind", str(self._root / folder), INSIDE[folder]]
        if role == "driver":
            options += ["--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
        return [*options, "--remount-ro", "/", "--chdir", "/", "--"]

    def close(self) -> None:
        remove_folder(self._root)


def namespaces() -> list[str]:
    """The namespaces each process gets. Root needs none of users, and not every container would let it have one."""
    own = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    return own if os.geteuid() == 0 else ["--unshare-user", *own]


class Bubblewrap:
    name = "bubblewrap"
    confines = True

    def diagnose(self) -> Diagnosis:
        if not sys.platform.startswith("linux"):
            return Diagnosis(
                False, "bubblewrap needs Linux", "sandboxes need Linux: use a machine or a virtual one that has it"
            )
        if not shutil.which("bwrap"):
            return Diagnosis(False, "bwrap is not installed", "install the package `bubblewrap`")
        probe = ["bwrap", *namespaces(), "--ro-bind", "/", "/", "--proc", "/proc", "true"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode:
            return Diagnosis(
                False,
                f"bwrap doesn't start: {done.stderr.strip()}",
                "allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor), or use docker",
            )
        version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.split()
        return Diagnosis(True, f"bwrap {version[-1]}")

    def prepare(self, environment: str) -> str:
        _environments.build_venv(environment)
        return _environments.venv_digest(environment)

    def is_prepared(self, environment: str) -> bool:
        return _environments.venv_folder(environment).is_dir()

    def open(self, environment: str, limits: BoxLimits) -> BubblewrapSpace:
        diagnosis = self.diagnose()
        if not diagnosis.works:
            raise UsageError(diagnosis.detail, diagnosis.mend)
        return BubblewrapSpace(environment, limits)

    def reap(self, *, own: bool = False) -> int:
        # --die-with-parent ends every process of a box with us; its folder stays.
        return reap_folders(own=own)


SANDBOX = Bubblewrap()
