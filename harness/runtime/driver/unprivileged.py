"""PostgreSQL refuses to run as root: options for ``subprocess`` that make a child somebody else."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWUSER = 0x10000000
UNPRIVILEGED = 10001

libc = ctypes.CDLL(None, use_errno=True)


def _in_user_namespace() -> None:
    """Keep root's files, but under another number: a user namespace of its own (user_namespaces(7))."""
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for name, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _can_map() -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            _in_user_namespace()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def as_unprivileged() -> dict:
    """Empty unless we are root; then a user namespace, or the image's driver user where those are not allowed."""
    if os.geteuid() != 0:
        return {}
    if _can_map():
        return {"preexec_fn": _in_user_namespace}
    return {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}


def owned_by_unprivileged(path: str) -> None:
    if os.geteuid() == 0 and not _can_map():
        os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
