"""The one policy for calls that fail: what is tried again, how long we wait, and what is reported in the end.

The SDKs' own retries are off: they don't say how long they waited, and that time must not count against the
agent.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import tenacity

from harness.errors import InfrastructureError
from harness.models import ContextFullError
from harness.models._keys import without_secrets
from harness.models._throttle import Throttle, spread

T = TypeVar("T")

PASSING_STATUSES = {408, 409, 425, 429}
OVERLOADED_STATUSES = {429, 503, 529}
STATUS_OF_STREAMED_ERROR = {"overloaded_error": 529, "rate_limit_error": 429, "timeout_error": 504}
# No provider asks for more in good faith; what does is a quota that a run shouldn't hang on.
LONGEST_RETRY_AFTER = 900.0


class CallFailedError(Exception):
    """A call that failed in the body of an answer rather than by its status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status_code = status


@dataclass(frozen=True)
class Failure:
    """One failed attempt, understood: the cause in a trial's record, whether it may pass, the mend.

    ``overloaded``: the provider wants fewer calls.
    """

    cause: str
    text: str
    passing: bool
    mend: str = ""
    retry_after: float | None = None
    overloaded: bool = False


@dataclass(frozen=True)
class RetryPolicy:
    """Bounded tries with growing waits; ``retry-after`` is obeyed, by all who share ``throttle``.

    ``permit`` raises what ends the work instead of another attempt, as ``sleep`` may instead of a wait. ``tell`` is
    told of each wait, for a server that isn't there is otherwise silence for minutes.
    """

    tries: int = 10
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_total: float = 3600.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    permit: Callable[[], None] = lambda: None
    tell: Callable[[str], None] = lambda text: None
    throttle: Throttle = field(default_factory=Throttle)

    def call(self, provider: str, key_variable: str, request: Callable[[], T]) -> tuple[T, float, float]:
        """The answer, the seconds its successful attempt took, and the seconds lost before that: to failed attempts,
        to waits after them, and for a turn.

        Raises:
            Exception: whatever ``permit`` or ``sleep`` raises.
            InfrastructureError: the last attempt failed, or the failure can't pass.
            ContextFullError: the provider says that the conversation is too long.
        """
        began = self.clock()

        def attempt() -> tuple[T, float]:
            with self.throttle.turn(self.clock, self.sleep) as turn:
                self.permit()
                started = self.clock()
                try:
                    answer = request()
                except Exception as error:
                    failure = understand(error)
                    if failure.overloaded and failure.passing:
                        turn.refused(self.clock() + (failure.retry_after or 0.0))
                    raise
                turn.answered()
                return answer, started

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: understand(error, key_variable).passing),
            wait=self._wait,
            stop=lambda state: state.attempt_number >= self.tries or self.clock() - began > self.longest_total,
            sleep=self.sleep,
            before_sleep=lambda state: self.tell(f"{provider}: {self._told(state)}"),
            reraise=True,
        )
        try:
            answer, started = attempts(attempt)
        except Exception as error:
            if not _is_the_providers(error):
                raise
            if _says_context_is_full(error):
                raise ContextFullError from None
            raise _final(provider, understand(error, key_variable), attempts) from None
        return answer, self.clock() - started, started - began

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = understand(error).retry_after if error else None
        if asked is not None:
            return asked + spread(asked)
        grow = tenacity.wait_exponential(multiplier=self.first_wait) + tenacity.wait_random(0, self.first_wait)
        return min(grow(state), self.longest_wait)

    def _told(self, state: tenacity.RetryCallState) -> str:
        error = state.outcome.exception() if state.outcome else None
        text = understand(error).text if error else ""
        return f"{text}; trying again in {state.upcoming_sleep:.0f} s ({state.attempt_number + 1} of {self.tries})"


def _final(provider: str, failure: Failure, attempts: tenacity.Retrying) -> InfrastructureError:
    tries = attempts.statistics.get("attempt_number", 1)
    after = f" after {tries} tries" if tries > 1 else ""
    return InfrastructureError(failure.cause, f"{provider}: {failure.text}{after}", failure.mend)


def understand(error: BaseException, key_variable: str = "the key") -> Failure:
    """What a failed attempt means. Reads the SDKs' errors by their shape, which the providers' SDKs share."""
    name = type(error).__name__
    if isinstance(error, httpx2.TimeoutException) or name == "APITimeoutError":
        return Failure("provider-timeout", "the provider didn't answer in time", True)
    if isinstance(error, httpx2.TransportError) or name == "APIConnectionError":
        return Failure("provider-error", _cut(error), True, "check the network and the server's address")
    if name == "APIResponseValidationError" or isinstance(error, (httpx2.DecodingError, json.JSONDecodeError)):
        return Failure("provider-error", "the provider's answer could not be read", True)
    status = _status(error)
    if status is None:
        return Failure("provider-error", f"{name}", False)
    return _understand_status(status, error, key_variable)


def _cut(error: BaseException | None) -> str:
    """Why there is no connection, in the words of the operating system if it has some."""
    while error:
        if isinstance(error, OSError) and error.strerror:
            return f"the connection failed ({error.strerror})"
        error = error.__cause__ or error.__context__
    return "the connection failed or was cut"


def _understand_status(status: int, error: BaseException, key_variable: str) -> Failure:
    text = f"status {status}: {_message(error)}"
    after = _retry_after(error)
    if status in {401, 403}:
        return Failure("provider-auth", text, False, f"check the key in {key_variable} and what it may use")
    if status == 402 or "insufficient_quota" in (getattr(error, "code", None), getattr(error, "type", None)):
        return Failure("provider-quota", text, False, "the account has no credit left; add some, then resume the run")
    if status == 429:
        waits = after is None or after <= LONGEST_RETRY_AFTER
        return Failure("provider-rate-limit", text, waits, "use fewer parallel trials, or resume later", after, True)
    if status >= 500 or status in PASSING_STATUSES:
        passes = after is None or after <= LONGEST_RETRY_AFTER
        mend = "resume the run when the provider works again"
        return Failure("provider-error", text, passes, mend, after, status in OVERLOADED_STATUSES)
    mend = "check the model's name" if status == 404 else "check the model's parameters (effort, temperature)"
    return Failure("provider-request", text, False, mend)


def _is_the_providers(error: BaseException) -> bool:
    own = isinstance(error, (httpx2.HTTPError, json.JSONDecodeError, CallFailedError))
    return own or type(error).__module__.partition(".")[0] in {"anthropic", "openai"}


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    if status == 200:
        # An error that came in the stream after the headers had promised success.
        return STATUS_OF_STREAMED_ERROR.get(str(getattr(error, "type", "")), 500)
    return status if isinstance(status, int) else None


def _says_context_is_full(error: BaseException) -> bool:
    if _status(error) not in {400, 413, 422}:
        return False
    said = f"{getattr(error, 'code', '')} {error}".lower()
    return any(phrase in said for phrase in ("context_length_exceeded", "prompt is too long", "maximum context length"))


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    inner: Any = body.get("error", body) if isinstance(body, dict) else body
    said = inner.get("message") if isinstance(inner, dict) else None
    # Half a surrogate pair, say: no file could hold it.
    return without_secrets(str(said or error))[:500].encode(errors="replace").decode()


def _retry_after(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    milliseconds, asked = headers.get("retry-after-ms"), headers.get("retry-after")
    if not (milliseconds or asked):
        return None
    try:
        seconds = float(milliseconds) / 1000 if milliseconds else float(str(asked))
    except ValueError:
        return _seconds_until(str(asked))
    return max(seconds, 0.0)


def _seconds_until(date: str) -> float | None:
    try:
        parts = email.utils.parsedate_tz(date)
        return max(email.utils.mktime_tz(parts) - time.time(), 0.0) if parts else None
    except (ValueError, OverflowError):  # the 99th of January
        return None
