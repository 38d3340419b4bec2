"""A box: run commands, call warm functions, put and collect files, the same way in every sandbox."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic

from harness.errors import InfrastructureError
from harness.sandboxes import BoxLimits, FolderName, Role, Sandbox, Space, Stream
from harness.submission import IGNORED_FOLDERS, SubmissionError, SubmissionLimits, to_tar

HEADER = struct.Struct("!II")
LARGEST_REPLY = 256 << 20
GRACE = 30.0


@dataclass(frozen=True)
class Completed:
    """How a command in a box ended.

    ``killed`` says why it was ended before its time: ``timeout``, ``memory``, ``disk``, ``processes``, ``output``,
    ``killed`` (at a crash point) or ``lost`` (it took its supervisor with it). ``exit_code`` is then None.
    ``result`` is what a called function returned. ``outlived`` counts processes that were left behind and killed.
    """

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    killed: str | None = None
    truncated: bool = False
    seconds: float = 0.0
    outlived: int = 0
    result: Any = None

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def timed_out(self) -> bool:
        return self.killed == "timeout"

    def explain(self) -> str:
        """One paragraph for evidence: how it ended and the last it said."""
        ended = f"was ended: {self.killed}" if self.killed else f"exit code {self.exit_code}"
        said = (self.stderr.strip() or self.stdout.strip())[-1500:]
        return f"{ended}\n{said}" if said else ended


class LostError(Exception):
    """A resident ended, or spoke garbage."""


@dataclass
class Resident:
    """The harness's end of ``runtime/resident.py``."""

    stream: Stream
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, request: Mapping[str, Any], blob: bytes = b"") -> None:
        text = json.dumps(request).encode()
        try:
            with self.sending:
                self.stream.write(HEADER.pack(len(text), len(blob)) + text + blob)
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile, by another thread
            raise LostError(str(error)) from None

    def receive(self, timeout: float) -> tuple[dict[str, Any], bytes]:
        try:
            sizes = HEADER.unpack(self._exactly(HEADER.size, timeout))
            if sum(sizes) > LARGEST_REPLY:
                raise LostError("a reply of absurd size")
            reply = json.loads(self._exactly(sizes[0], GRACE))
            if not isinstance(reply, dict):
                raise LostError("a reply that is no object")
            return reply, self._exactly(sizes[1], GRACE)
        except (OSError, ValueError, RecursionError) as error:
            raise LostError(f"{type(error).__name__}: {error}") from None

    def _exactly(self, size: int, timeout: float) -> bytes:
        parts = []
        while size:
            part = self.stream.read(size, timeout)
            if not part:
                raise LostError("ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Box:
    """One open box. Use as a context manager; after it, nothing of the box is left."""

    def __init__(self, sandbox: Sandbox, environment: str, limits: BoxLimits | None = None) -> None:
        self.limits = limits or BoxLimits()
        self.space: Space = sandbox.open(environment, self.limits)
        self._residents: dict[Role, Resident] = {}
        self._preloads: dict[Role, list[dict[str, Any]]] = {"submission": [], "driver": []}
        self.variables: dict[str, str] = {}
        # TCP ports of 127.0.0.1 at which the submission finds a server of the driver's: port -> its UNIX socket.
        self.doors: dict[int, str] = {}
        # How many commands ran as the submission, and what it did there that no honest program does.
        self.commands = 0
        # Whether a command is at work as the submission: in another thread than the one that asks.
        self.busy = False
        self.incidents: list[str] = []

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def path(self, folder: FolderName) -> str:
        return self.space.path(folder)

    def run(
        self,
        argv: Sequence[str],
        *,
        role: Role = "submission",
        stdin: bytes = b"",
        timeout: float = 120.0,
        variables: Mapping[str, str] | None = None,
        cwd: str | None = None,
        output_limit: int = 200_000,
    ) -> Completed:
        """Run a command to its end, or to its limits'; everything it started is gone afterwards."""
        return self._supervised(role, {"op": "run", "argv": list(argv)}, stdin, timeout, variables, cwd, output_limit)

    def call(
        self,
        module: str,
        function: str,
        arguments: Mapping[str, Any],
        *,
        role: Role = "submission",
        timeout: float = 120.0,
        variables: Mapping[str, str] | None = None,
        cwd: str | None = None,
        output_limit: int = 200_000,
    ) -> Completed:
        """Call a function of ``harness/runtime`` in a forked, warm child; ``result`` is what it returned."""
        request = {"op": "call", "module": module, "function": function, "arguments": dict(arguments)}
        return self._supervised(role, request, b"", timeout, variables, cwd, output_limit)

    def _supervised(
        self,
        role: Role,
        request: dict[str, Any],
        stdin: bytes,
        timeout: float,
        variables: Mapping[str, str] | None,
        cwd: str | None,
        output_limit: int,
    ) -> Completed:
        driver = role == "driver"
        self.commands += not driver
        limits = {
            "memory": self.limits.memory,
            "processes": self.limits.processes,
            "disk": 0 if driver else self.limits.disk,
            "folders": [] if driver else [self.path("work"), self.path("tmp")],
        }
        request |= {
            "timeout": timeout,
            "limits": limits,
            "output_limit": output_limit,
            "doors": {} if driver else self.doors,
            "cwd": cwd or self.path("driver" if driver else "work"),
            "variables": {**self.base_variables(role), **self.variables, **(variables or {})},
        }
        resident = self._resident(role)
        self.busy |= not driver
        try:
            resident.send(request, stdin)
            reply, blob = resident.receive(timeout + GRACE)
            done = completed(reply, blob)
        except LostError as error:
            outside = resident.stream.was_killed_outside()
            self._drop(role)
            if outside:
                raise InfrastructureError("sandbox-lost", "the box's processes were killed from outside it") from None
            self._resident(role)  # raises if it is the box itself that is gone
            if driver:
                raise InfrastructureError("sandbox-lost", f"a trusted command in the box was lost: {error}") from None
            self.incidents.append("a command took its supervisor with it")
            return Completed(None, killed="lost", stderr=f"the command took its supervisor with it: {error}")
        finally:
            self.busy &= driver
        # Not of calls: what the engines' own libraries start ends a moment after them.
        if done.outlived and not driver and done.killed is None and request["op"] == "run":
            self.incidents.append("processes were left behind by a command that had ended")
        return done

    def base_variables(self, role: Role) -> dict[str, str]:
        folder = self.space.interpreter.rpartition("/")[0]
        return {
            "PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin",
            "HOME": self.path("driver" if role == "driver" else "tmp"),
            "TMPDIR": self.path("tmp"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "USER": "worker",
        }

    def kill(self, role: Role = "submission") -> None:
        """End what is running (from another thread): its ``run`` returns with ``killed``."""
        if resident := self._residents.get(role):
            with contextlib.suppress(LostError):
                resident.send({"op": "kill"})

    def preload(self, module: str, role: Role = "submission", **arguments: Any) -> None:
        """Import and warm a module of ``harness/runtime`` in the resident, so that calls fork from it warm."""
        request = {"op": "preload", "module": module, "arguments": arguments}
        if request not in self._preloads[role]:
            self._preloads[role].append(request)
            if role in self._residents:
                self._ask(role, request)

    def put(self, folder: FolderName, files: Mapping[str, bytes]) -> None:
        """Write files into a folder, as its owner."""
        self._ask(owner(folder), {"op": "put", "folder": self.path(folder)}, to_tar(files))

    def clear(self, *folders: FolderName) -> None:
        """Empty folders, and end everything their owner still runs; ``work`` takes the temporary folder along."""
        for folder in folders:
            paths = [self.path(folder)] + ([self.path("tmp")] if folder == "work" else [])
            self._ask(owner(folder), {"op": "clear", "folders": paths})

    def collect(
        self, folder: FolderName = "work", limits: SubmissionLimits | None = None, globs: Sequence[str] = ("*",)
    ) -> dict[str, bytes]:
        """The regular files of a folder that the globs take (``harness.submission.matches``), read by the driver user.

        Raises:
            SubmissionError: these are more files or bytes than the limits allow.
        """
        limits = limits or SubmissionLimits()
        if folder == "work":
            self._ask("submission", {"op": "unlock", "folder": self.path(folder)})
        request = {
            "op": "collect",
            "folder": self.path(folder),
            "ignore": sorted(IGNORED_FOLDERS),
            "globs": list(globs),
            "files": limits.files,
            "file_bytes": limits.file_bytes,
            "total_bytes": limits.total_bytes,
        }
        reply, blob = self._ask("driver", request)
        if reply.get("too_much"):
            raise SubmissionError(f"more than {limits.files} files or {limits.total_bytes} bytes were left")
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            return {entry.name: read_member(archive, entry) for entry in archive}

    def spawn(self, script: str, *arguments: str, role: Role = "driver") -> Stream:
        """Start a script of ``harness/runtime`` that stays (a server), spoken to by its standard streams."""
        argv = [self.space.interpreter, "-I", f"{self.space.runtime}/{script}", *arguments]
        return self.space.spawn(argv, role, self.base_variables(role))

    def close(self) -> None:
        for resident in self._residents.values():
            resident.stream.close()
        self._residents.clear()
        self.space.close()

    def _resident(self, role: Role) -> Resident:
        if role not in self._residents:
            self._residents[role] = resident = Resident(self.spawn("resident.py", role=role))
            try:
                for request in [{"op": "ping"}, *self._preloads[role]]:
                    self._exchange(resident, request)
            except LostError as error:
                self._drop(role)
                raise InfrastructureError("sandbox-lost", f"no process can be started in the box: {error}") from None
        return self._residents[role]

    def _exchange(
        self, resident: Resident, request: Mapping[str, Any], blob: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        resident.send(request, blob)
        reply, out = resident.receive(180.0)
        if "error" in reply:
            raise InfrastructureError(
                "sandbox-error", f"{request['op']} failed in the box: {reply['error']}", str(reply.get("trace", ""))
            )
        return reply, out

    def _ask(self, role: Role, request: Mapping[str, Any], blob: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """A trusted request. If the resident was killed by what it ran before, a new one answers."""
        for _ in range(2):
            try:
                return self._exchange(self._resident(role), request, blob)
            except LostError:
                self._drop(role)
        raise InfrastructureError("sandbox-lost", f"the box doesn't answer ({request['op']})")

    def _drop(self, role: Role) -> None:
        if resident := self._residents.pop(role, None):
            resident.stream.close()


def owner(folder: FolderName) -> Role:
    return "submission" if folder == "work" else "driver"


class Outcome(pydantic.BaseModel):
    """What a resident says of a command. One that a submission got hold of may say anything."""

    model_config = pydantic.ConfigDict(strict=True)

    exit_code: int | None
    killed: str | None
    truncated: bool
    seconds: float
    outlived: int
    sizes: tuple[int, int] = pydantic.Field(strict=False)


def completed(reply: Mapping[str, Any], blob: bytes) -> Completed:
    """How the command ended.

    Raises:
        LostError: the reply says no such thing.
    """
    if "error" in reply:
        raise LostError(str(reply["error"]))
    try:
        outcome = Outcome.model_validate(reply)
    except pydantic.ValidationError:
        raise LostError("a reply that tells no outcome") from None
    out, err = outcome.sizes
    results = blob[out + err :]
    result = None
    if results:
        with contextlib.suppress(ValueError, RecursionError):  # cut off by a kill, or made to be indigestible
            result = json.loads(results)
    return Completed(
        exit_code=outcome.exit_code,
        stdout=blob[:out].decode("utf-8", errors="replace"),
        stderr=blob[out : out + err].decode("utf-8", errors="replace"),
        killed=outcome.killed,
        truncated=outcome.truncated,
        seconds=outcome.seconds,
        outlived=outcome.outlived,
        result=result,
    )


def read_member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    return file.read() if file else b""


def lines(stream: Stream, timeout: float) -> Iterator[bytes]:
    """The lines a spawned script prints, until it ends."""
    rest = b""
    while part := stream.read(1 << 16, timeout):
        *whole, rest = (rest + part).split(b"\n")
        yield from whole
