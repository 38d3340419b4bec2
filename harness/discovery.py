"""Finds the things that come in kinds (engines, models, agents, sandboxes, commands): one module each, no list.

A kind is a package; each public module in it is one of the kind, named as users type it
(``-`` in the name stands for ``_`` in the module).
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from harness.errors import UsageError

# Of the packages whose name is not the singular with an "s".
SINGULARS = {"cli": "command", "sandboxes": "sandbox"}


def names(package: str) -> list[str]:
    """The names of a kind, sorted, without importing any of its modules."""
    path = importlib.import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def load(package: str, name: str) -> ModuleType:
    """Import the module of one of a kind; an unknown name is the user's mistake and lists the known ones."""
    known = names(package)
    if name not in known:
        kind = package.rpartition(".")[2]
        one = SINGULARS.get(kind, kind.removesuffix("s"))
        raise UsageError(f"unknown {one} {name!r}", f"known: {', '.join(known)}")
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")
