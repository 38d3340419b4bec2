"""What fails is tried again, within bounds, and what it cost in time is told; all without a real wait."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness import models, run
from harness.errors import InfrastructureError
from harness.models import Message, ModelParameters
from harness.models._retry import RetryPolicy
from harness.models._throttle import LONGEST_SPREAD
from tests.provider import Answer, Call, Cut, Failure, Garbled, ProviderServer, Silence
from tests.provider.script import Happening

PROVIDERS = ["anthropic", "openai", "openai-compatible"]
HELLO = [Message("user", "hello")]

each_provider = pytest.mark.parametrize("name", PROVIDERS)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def connected(server: ProviderServer, name: str, clock: Clock, **policy: Any) -> Any:
    model: Any = models.connect(f"{name}/some-model", ModelParameters(base_url=server.base_url(name)))
    return dataclasses.replace(model, retry=RetryPolicy(sleep=clock.sleep, clock=clock, **policy))


@each_provider
@pytest.mark.parametrize(
    "happening",
    [
        Failure(429, "slow down", "rate_limit_error"),
        Failure(500),
        Failure(503),
        Failure(529, "overloaded", "overloaded_error"),
        Failure(408),
        Cut("at once"),
        Cut("half way"),
        Cut("tidily"),
        Garbled(),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(provider: ProviderServer, name: str, happening: Happening) -> None:
    provider.say(happening, happening, Answer("at last"))
    clock = Clock()
    reply = connected(provider, name, clock).reply("", HELLO, [])
    assert reply.message.text == "at last"
    assert len(provider.requests) == 3
    assert len(clock.sleeps) == 2
    assert reply.waited == sum(clock.sleeps) > 0
    assert reply.seconds == 0


@each_provider
def test_what_succeeds_at_once_has_not_waited(provider: ProviderServer, name: str) -> None:
    provider.say(Answer("at once"))
    assert connected(provider, name, Clock()).reply("", HELLO, []).waited == 0


@each_provider
@pytest.mark.parametrize("asked", [7, 0.25, 0])
def test_retry_after_is_obeyed(provider: ProviderServer, name: str, asked: float) -> None:
    provider.say(Failure(429, retry_after=asked), Failure(529, retry_after=asked), Answer("at last"))
    clock = Clock()
    reply = connected(provider, name, clock).reply("", HELLO, [])
    # A bit more, each time another, so that those who wait together don't come back together.
    assert len(clock.sleeps) == 2
    assert all(asked <= slept <= asked + min(asked, LONGEST_SPREAD) for slept in clock.sleeps)
    assert reply.waited == sum(clock.sleeps)


def test_retry_after_may_be_a_date(provider: ProviderServer) -> None:
    provider.say(Failure(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), Answer("at last"))
    clock = Clock()
    connected(provider, "openai", clock).reply("", HELLO, [])
    assert clock.sleeps == [0]


def test_nobody_waits_for_hours(provider: ProviderServer) -> None:
    provider.say(Failure(429, retry_after=86_400))
    clock = Clock()
    with pytest.raises(InfrastructureError) as caught:
        connected(provider, "anthropic", clock).reply("", HELLO, [])
    assert caught.value.cause == "provider-rate-limit"
    assert clock.sleeps == []


def test_each_wait_is_told(provider: ProviderServer) -> None:
    provider.say(Failure(429, "slow down", retry_after=0), Failure(500, "oops"), Answer("at last"))
    told: list[str] = []
    connected(provider, "openai", Clock(), tell=told.append, first_wait=0).reply("", HELLO, [])
    assert told == [
        "openai: status 429: slow down; trying again in 0 s (2 of 10)",
        "openai: status 500: oops; trying again in 0 s (3 of 10)",
    ]


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    clock, told = Clock(), list[str]()
    choice = run.choose("openai-compatible/x", None, ModelParameters(base_url="http://127.0.0.1:9/v1"))
    choice.budget.note = told.append
    model: Any = choice.model
    model = dataclasses.replace(model, retry=dataclasses.replace(model.retry, sleep=clock.sleep, clock=clock, tries=2))
    with pytest.raises(InfrastructureError, match=r"the connection failed \(Connection refused\) after 2 tries"):
        model.reply("", HELLO, [])
    (note,) = told
    assert note.startswith("openai-compatible: the connection failed (Connection refused); trying again in ")
    assert note.endswith(" s (2 of 2)")


def test_waits_grow_and_stay_below_their_limit(provider: ProviderServer) -> None:
    provider.script = lambda request: Failure(500)
    clock = Clock()
    with pytest.raises(InfrastructureError, match="after 10 tries"):
        connected(provider, "openai", clock).reply("", HELLO, [])
    assert len(clock.sleeps) == 9
    assert clock.sleeps[0] < clock.sleeps[4] <= 60
    assert max(clock.sleeps) <= 60


def test_the_whole_patience_is_bounded(provider: ProviderServer) -> None:
    provider.script = lambda request: Failure(429, retry_after=600)
    clock = Clock()
    with pytest.raises(InfrastructureError, match="after 4 tries"):
        connected(provider, "openai", clock, tries=1000, longest_total=1799).reply("", HELLO, [])
    assert 1800 <= clock.now <= 1800 + 3 * LONGEST_SPREAD


@each_provider
@pytest.mark.parametrize(
    ("happening", "cause", "requests"),
    [
        (Failure(429, kind="rate_limit_error"), "provider-rate-limit", 3),
        (Failure(500), "provider-error", 3),
        (Cut("at once"), "provider-error", 3),
        (Garbled(), "provider-error", 3),
        (Failure(400, "effort is wrong", "invalid_request_error"), "provider-request", 1),
        (Failure(404, "no such model", "not_found_error"), "provider-request", 1),
        (Failure(401, "invalid x-api-key", "authentication_error"), "provider-auth", 1),
        (Failure(403, "not yours", "permission_error"), "provider-auth", 1),
        (Failure(402, "pay first", "billing_error"), "provider-quota", 1),
    ],
    ids=str,
)
def test_after_the_last_try_the_cause_is_told(
    provider: ProviderServer, name: str, happening: Happening, cause: str, requests: int
) -> None:
    provider.script = lambda request: happening
    with pytest.raises(InfrastructureError) as caught:
        connected(provider, name, Clock(), tries=3).reply("", HELLO, [])
    assert caught.value.cause == cause
    assert len(provider.requests) == requests
    if isinstance(happening, Failure):
        assert happening.message in str(caught.value)


@pytest.mark.parametrize("name", ["openai", "openai-compatible"])
def test_spent_credit_is_no_rate_limit(provider: ProviderServer, name: str) -> None:
    provider.say(Failure(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota"))
    with pytest.raises(InfrastructureError, match="add some") as caught:
        connected(provider, name, Clock()).reply("", HELLO, [])
    assert caught.value.cause == "provider-quota"


@each_provider
def test_a_provider_that_stays_silent_times_out(provider: ProviderServer, name: str) -> None:
    provider.script = lambda request: Silence()
    clock = Clock()
    model = connected(provider, name, clock, tries=2)
    model = dataclasses.replace(model, client=model.client.with_options(timeout=0.05))
    with pytest.raises(InfrastructureError, match="after 2 tries") as caught:
        model.reply("", HELLO, [])
    assert caught.value.cause == "provider-timeout"
    assert len(clock.sleeps) == 1


@pytest.mark.parametrize(
    ("kind", "cause"), [("overloaded_error", "provider-error"), ("rate_limit_error", "provider-rate-limit")]
)
def test_an_error_in_the_stream_counts_as_its_status(provider: ProviderServer, kind: str, cause: str) -> None:
    failure = Failure(200, "busy", kind, streamed=True)
    provider.say(failure, Answer("at last"), failure)
    model = connected(provider, "anthropic", Clock(), tries=2)
    assert model.reply("", HELLO, []).message.text == "at last"
    provider.say(failure, failure)
    with pytest.raises(InfrastructureError) as caught:
        model.reply("", HELLO, [])
    assert caught.value.cause == cause


@each_provider
def test_nobody_listening_is_a_provider_error(provider: ProviderServer, name: str) -> None:
    model = connected(provider, name, Clock(), tries=2)
    provider.close()
    with pytest.raises(InfrastructureError) as caught:
        model.reply("", HELLO, [])
    assert caught.value.cause == "provider-error"


@each_provider
def test_a_key_never_shows_in_a_message(provider: ProviderServer, name: str) -> None:
    provider.say(Failure(401, "Incorrect API key: sk-secret-of-the-test, or sk-sec*******test", "auth"))
    with pytest.raises(InfrastructureError) as caught:
        connected(provider, name, Clock()).reply("", HELLO, [])
    assert "sk-sec" not in str(caught.value)
    assert "[key]" in str(caught.value)
    assert "_API_KEY" in str(caught.value), "the mend names the variable"


def test_what_speaks_another_protocol_is_told_so(provider: ProviderServer) -> None:
    model = models.connect(
        "openai-compatible/x", ModelParameters(base_url=provider.base_url("openai-compatible").removesuffix("/v1"))
    )
    with pytest.raises(InfrastructureError, match="no such path") as caught:
        model.reply("", HELLO, [])
    assert caught.value.cause == "provider-request"


def test_calls_cut_half_way_are_not_half_believed(provider: ProviderServer) -> None:
    provider.say(Cut("tidily"), Answer("", (Call("bash", {"command": "ls"}),)))
    reply = connected(provider, "anthropic", Clock()).reply("", HELLO, [])
    assert [call.arguments for call in reply.message.calls] == [{"command": "ls"}]
    assert reply.message.text == ""
