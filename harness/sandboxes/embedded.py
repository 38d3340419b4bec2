"""No confinement: processes of this machine in folders of their own. Only for the trusted baselines."""

from __future__ import annotations

import os
from collections.abc import Mapping

from harness.sandboxes import BoxLimits, Diagnosis, FolderName, Role, _environments, runtime_folder
from harness.sandboxes._leftovers import make_folder, reap_folders, remove_folder
from harness.sandboxes._processes import ProcessStream

FOLDERS: tuple[FolderName, ...] = ("work", "data", "driver", "sockets", "tmp")


class EmbeddedSpace:
    def __init__(self, environment: str) -> None:
        self._root = make_folder()
        self._venv = _environments.build_venv(environment)
        for folder in FOLDERS:
            (self._root / folder).mkdir()
        self.interpreter = str(self._venv / "bin" / "python")
        self.runtime = str(runtime_folder())

    def path(self, folder: FolderName) -> str:
        return str(self._root / folder)

    def spawn(self, argv: list[str], role: Role, variables: Mapping[str, str]) -> ProcessStream:
        return ProcessStream(argv, variables)

    def close(self) -> None:
        remove_folder(self._root)


class Embedded:
    name = "embedded"
    confines = False

    def diagnose(self) -> Diagnosis:
        return Diagnosis(os.name == "posix", "runs on this machine without confinement: trusted baselines only")

    def prepare(self, environment: str) -> str:
        _environments.build_venv(environment)
        return _environments.venv_digest(environment)

    def is_prepared(self, environment: str) -> bool:
        return _environments.venv_folder(environment).is_dir()

    def open(self, environment: str, limits: BoxLimits) -> EmbeddedSpace:
        return EmbeddedSpace(environment)

    def reap(self, *, own: bool = False) -> int:
        return reap_folders(own=own)


SANDBOX = Embedded()
