"""Which sandbox a run uses."""

from __future__ import annotations

from harness import discovery
from harness.errors import UsageError
from harness.sandboxes import Sandbox

# The confining ones, the strongest first.
PREFERRED = ("docker", "bubblewrap")


def load(name: str) -> Sandbox:
    """A sandbox by its name; ``docker:RUNTIME`` is Docker with another runtime."""
    kind, _, runtime = name.partition(":")
    module = discovery.load("harness.sandboxes", kind)
    if runtime and kind != "docker":
        raise UsageError(f"the sandbox {kind!r} takes no runtime", f"only docker does: docker:{runtime}")
    sandbox: Sandbox = module.Docker(runtime) if runtime else module.SANDBOX
    return sandbox


def choose(name: str, *, trusted: bool, docker_runtime: str | None = None) -> Sandbox:
    """The named sandbox, or for ``auto`` the embedded one for trusted baselines, else the strongest that works.

    Raises:
        UsageError: the sandbox doesn't work here; or what a model wrote would run unconfined.
    """
    if docker_runtime:
        if name not in ("auto", "docker"):
            raise UsageError("--docker-runtime belongs to the docker sandbox", "leave out --sandbox, or name docker")
        name = f"docker:{docker_runtime}"
    if name == "auto":
        if trusted:
            return load("embedded")
        findings = {option: load(option).diagnose() for option in PREFERRED}
        for option, diagnosis in findings.items():
            if diagnosis.works:
                return load(option)
        reasons = "; ".join(f"{option}: {diagnosis.detail}" for option, diagnosis in findings.items())
        raise UsageError(
            f"what a model writes runs only in a confining sandbox, and none works here ({reasons})",
            "install Docker, or the package `bubblewrap`; then `bench doctor` says whether it works",
        )
    sandbox = load(name)
    if not (sandbox.confines or trusted):
        raise UsageError(
            f"the sandbox {name!r} doesn't confine; what a model writes never runs in it",
            f"use --sandbox {' or '.join(PREFERRED)}",
        )
    diagnosis = sandbox.diagnose()
    if not diagnosis.works:
        raise UsageError(f"the sandbox {name!r} doesn't work here: {diagnosis.detail}", diagnosis.mend)
    return sandbox
