"""What wraps modules in a submission's own Python process while something is done to it, and the log that it writes."""

from __future__ import annotations

from collections.abc import Mapping

from harness.sandboxes import runtime_folder
from harness.sandboxes._box import Box, Completed
from harness.submission import from_folder


class Hooks:
    """``log`` is a hidden file in the work folder: the driver can read it there. ``variable`` tells the hooks of it."""

    def __init__(self, box: Box, variable: str, log: str) -> None:
        self.folder = f"{box.path('sockets')}/python"
        self._box, self.log = box, f"{box.path('work')}/{log}"
        self._always = {"PYTHONPATH": self.folder, variable: self.log}
        self._steering: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def put_on(self, steering: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> None:
        """From now on the submission's processes are hooked; ``files`` lie beside the hooks."""
        self._box.run(["rm", "-rf", "--", self.log])
        self.bring(files)  # only now: while an agent works, nothing of this is there
        self._steering = {**self._always, **steering}
        self._before = {name: value for name, value in self._box.variables.items() if name in self._steering}
        self._box.variables |= self._steering

    def bring(self, files: Mapping[str, bytes] | None = None) -> None:
        """Lay the hooks down; nobody is hooked by that."""
        brought = {**from_folder(runtime_folder() / "hooks").files, **(files or {})}
        self._box.put("sockets", {f"python/{path}": content for path, content in brought.items()})

    def take_off(self) -> Completed:
        """How reading the log ended; what stands in it is the output."""
        for name in self._steering:
            self._box.variables.pop(name, None)
        self._box.variables |= self._before
        # The submission's own file: whatever it has made of it, the driver follows no link and waits for no pipe.
        done = self._box.run(["dd", f"if={self.log}", "iflag=nofollow,nonblock", "status=none"], role="driver")
        self._box.run(["rm", "-rf", "--", self.log])
        return done
