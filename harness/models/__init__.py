"""What a model is to us: messages and tools in, one reply out. One module a provider; no SDK is loaded here.

A provider's module has ``connect(name, parameters, retry) -> Model``. The journal that makes a trial resumable and
the price table live beside them, under names that discovery skips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from harness import discovery
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.models._retry import RetryPolicy

Stop = Literal["end", "tools", "length", "refusal"]


@dataclass(frozen=True)
class ModelParameters:
    """How a model is asked; part of a configuration's identity. ``None`` leaves the provider's default."""

    effort: str | None = None
    temperature: float | None = None
    max_output_tokens: int = 32_000
    base_url: str | None = None


@dataclass(frozen=True)
class Tool:
    """Something the model may call; ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """What the model wants called. ``arguments`` is ``None`` if ``raw`` is no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    raw: str = ""


@dataclass(frozen=True)
class ToolResult:
    """The answer to one call, by the call's id."""

    id: str
    text: str
    failed: bool = False


@dataclass(frozen=True)
class Message:
    """One turn. ``payload`` is the provider's own form of an assistant's turn, replayed as it came.

    Providers sign or encrypt what a model thought; a turn rebuilt from its text alone would be refused.
    """

    role: Literal["user", "assistant", "tools"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    payload: Any = None


@dataclass(frozen=True)
class Usage:
    """Tokens of one or more calls. The four don't overlap: ``input_tokens`` no cache served or stored."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True)
class Reply:
    """A finished call: ``seconds`` the model took, ``waited`` what rate limits and retries took besides."""

    message: Message
    stop: Stop
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    waited: float = 0.0


class ContextFullError(Exception):
    """The conversation no longer fits the model. It ends the work as a spent budget does; no error."""


class Model(Protocol):
    """A model that answers. Safe to share between threads."""

    @property
    def name(self) -> str:
        """As the user typed it: ``provider/name``."""
        ...

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """Answer the conversation; an empty ``system`` sends none.

        Raises:
            InfrastructureError: the provider failed beyond what retries mend.
            ContextFullError: the conversation is longer than the model reads.
        """
        ...


def resolve(model: str) -> ModuleType:
    """The module of the provider in ``provider/name``."""
    provider, slash, name = model.partition("/")
    known = discovery.names(__name__)
    if provider in known and not (slash and name):
        raise UsageError(f"the model {model!r} names no model of {provider}", f"write {provider}/<name>")
    if provider not in known:
        raise UsageError(
            f"unknown model {model!r}",
            f"known: {', '.join(f'{known_one}/<name>' for known_one in known)}; "
            "and without a key: reference, nop, mutant/<name>, simulated/<skill>",
        )
    return discovery.load(__name__, provider)


def connect(model: str, parameters: ModelParameters, retry: RetryPolicy | None = None) -> Model:
    """The model behind ``provider/name``, ready to answer; nothing has been sent yet.

    ``retry`` says how patient its calls are; it is the usual one without.

    Raises:
        UsageError: unknown provider, no key, an address that holds one, or a parameter the provider doesn't have.
    """
    from harness.models._keys import refuse_secrets_in
    from harness.models._retry import RetryPolicy

    provider = resolve(model)
    refuse_secrets_in(parameters.base_url)
    return cast(Model, provider.connect(model.partition("/")[2], parameters, retry or RetryPolicy()))
