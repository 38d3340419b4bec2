"""Harbor's ``task.toml``: the fields that are understood here, after ``TaskConfig`` of harbor 0.26 (schema 1.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from harness.errors import UsageError
from harness.task import plain, read_toml

Seconds = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
Network = Literal["no-network", "public", "allowlist"]
SIZES = {"K": 1 / 1024, "M": 1, "G": 1024}  # MiB
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Part(pydantic.BaseModel):
    """What isn't named is ignored, as Harbor does; what can't be ignored is named in ``unsupported``."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)


class Package(Part):
    name: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()


class HealthCheck(Part):
    command: str
    interval_sec: Seconds = 5.0
    timeout_sec: Seconds = 30.0
    start_period_sec: float = pydantic.Field(default=0.0, ge=0)
    retries: int = pydantic.Field(default=3, ge=1)


class Environment(Part):
    docker_image: str | None = None
    os: str = "linux"
    cpus: float = pydantic.Field(default=2.0, gt=0)
    memory_mb: int = pydantic.Field(default=3072, ge=16)
    storage_mb: int = pydantic.Field(default=10240, ge=16)
    gpus: int | None = None
    tpu: Any = None
    network_mode: Network = "public"
    env: Mapping[str, str] = {}
    workdir: str | None = None
    healthcheck: HealthCheck | None = None
    mcp_servers: tuple[Any, ...] = ()
    skills_dir: str | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, values: Any) -> Any:
        """``memory = "2G"``, ``allow_internet = false``."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        for name in ("memory", "storage"):
            if isinstance(size := values.pop(name, None), str):
                values.setdefault(f"{name}_mb", int(float(size[:-1]) * SIZES.get(size[-1:].upper(), 1)))
        if values.pop("allow_internet", None) is False:
            values.setdefault("network_mode", "no-network")
        return values


class Agent(Part):
    timeout_sec: Seconds = 1800.0
    user: str | int | None = None
    network_mode: Network | None = None


class Verifier(Part):
    timeout_sec: Seconds = 600.0
    env: Mapping[str, str] = {}
    user: str | int | None = None
    network_mode: Network | None = None
    environment_mode: Literal["shared", "separate"] | None = None
    environment: Environment | None = None
    collect: tuple[Any, ...] = ()

    @property
    def is_separate(self) -> bool:
        return self.environment_mode == "separate" or self.environment is not None


class Solution(Part):
    env: Mapping[str, str] = {}


class Artifact(Part):
    source: str
    exclude: tuple[str, ...] = ()
    service: str | None = None


class HarborTask(Part):
    """The whole file."""

    task: Package = Package()
    metadata: Mapping[str, Any] = {}
    environment: Environment = Environment()
    agent: Agent = Agent()
    verifier: Verifier = Verifier()
    solution: Solution = Solution()
    steps: tuple[Any, ...] | None = None
    artifacts: tuple[Artifact, ...] = ()

    @property
    def graded_folders(self) -> tuple[str, ...]:
        """Where an agent's changes are looked at: everywhere, or in what a verifier of its own gets."""
        return tuple(artifact.source for artifact in self.artifacts) if self.verifier.is_separate else ("/",)

    @pydantic.field_validator("artifacts", mode="before")
    @classmethod
    def _as_tables(cls, values: Any) -> Any:
        if not isinstance(values, list):
            return values
        return [{"source": value} if isinstance(value, str) else value for value in values]


def read_manifest(folder: Path) -> HarborTask:
    """
    Raises:
        UsageError: ``task.toml`` is missing or none of Harbor's.
    """
    path = folder / "task.toml"
    try:
        return HarborTask.model_validate(read_toml(path))
    except pydantic.ValidationError as error:
        raise UsageError(f"{path} is no task of Harbor's: {plain(error)}") from None


def unsupported(manifest: HarborTask) -> list[str]:
    """What the task asks for and doesn't get here: a grade without it would be unjust."""
    own, verifier = manifest.environment, manifest.verifier
    both = [own, *([verifier.environment] if verifier.environment else [])]
    reasons = {
        "several steps": bool(manifest.steps),
        "a system that isn't Linux": any(one.os.lower() != "linux" for one in both),
        "a GPU or TPU": any(one.gpus or one.tpu for one in both),
        "MCP servers": bool(own.mcp_servers),
        "skills": own.skills_dir is not None,
        "a network with an allow-list": "allowlist"
        in {own.network_mode, verifier.network_mode, manifest.agent.network_mode},
        "commands that collect artifacts": bool(verifier.collect),
        "artifacts of other services": any(one.service not in {None, "main"} for one in manifest.artifacts),
    }
    found = [reason for reason, asked in reasons.items() if asked]
    variables = {**own.env, **verifier.env, **manifest.solution.env}
    for name, value in variables.items():
        found += [
            f"this machine's variable {match[1]} (for {name})" for match in VARIABLE.finditer(value) if match[2] is None
        ]
    return found


def filled(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables with the defaults that they name: nothing of this machine's gets into a container."""
    return {name: VARIABLE.sub(lambda match: match[2] or "", value) for name, value in variables.items()}
