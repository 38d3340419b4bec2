"""Calls at a time: what a provider bears is found out, and when it is too much, everybody steps back."""

from __future__ import annotations

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness import models
from harness.models import Message, ModelParameters
from harness.models._retry import RetryPolicy
from harness.models._throttle import LONGEST_SPREAD, Throttle
from tests.models.test_retry import Clock
from tests.provider import Answer, Failure, ProviderServer

HELLO = [Message("user", "hello")]


def under_way(throttle: Throttle, clock: Clock, stack: Any, number: int) -> list[Any]:
    return [stack.enter_context(throttle.turn(clock, clock.sleep)) for _ in range(number)]


def fill(throttle: Throttle, clock: Clock) -> float:
    """One call is answered while the window is full; how wide it is then."""
    with contextlib.ExitStack() as stack:
        under_way(throttle, clock, stack, int(throttle.window))[0].answered()
    return throttle.window


def refuse(throttle: Throttle, clock: Clock, after: float = 0.0) -> None:
    with throttle.turn(clock, clock.sleep) as turn:
        turn.refused(clock() + after)


def test_it_opens_quickly_until_the_first_refusal_and_by_one_a_window_after_it() -> None:
    clock, throttle = Clock(), Throttle(window=4)
    assert [fill(throttle, clock) for _ in range(4)] == [5, 6, 7, 8]
    refuse(throttle, clock)
    assert throttle.window == 4
    assert [round(fill(throttle, clock), 2) for _ in range(4)] == [4.25, 4.49, 4.71, 4.92]


def test_a_window_that_nobody_fills_does_not_grow() -> None:
    clock, throttle = Clock(), Throttle(window=4)
    for _ in range(100):
        with throttle.turn(clock, clock.sleep) as turn:
            turn.answered()
    assert throttle.window == 4


def test_refusals_of_calls_that_were_under_way_together_halve_it_once() -> None:
    clock, throttle = Clock(), Throttle(window=8)
    with contextlib.ExitStack() as stack:
        for turn in under_way(throttle, clock, stack, 8):
            turn.refused(clock())
    assert throttle.window == 4
    refuse(throttle, clock)
    assert throttle.window == 2
    for _ in range(9):
        refuse(throttle, clock)
    assert throttle.window == 1, "one call is always possible"


def test_what_one_caller_is_asked_to_wait_all_wait_and_none_at_the_same_moment() -> None:
    random.seed(7)
    clock, throttle = Clock(), Throttle(window=8)
    refuse(throttle, clock, after=30.0)
    begun = []
    for _ in range(4):
        own = Clock()
        with throttle.turn(own, own.sleep):
            begun.append(own())
    assert all(30.0 <= moment <= 30.0 + LONGEST_SPREAD for moment in begun)
    assert len(set(begun)) == 4


def test_a_longer_pause_that_comes_meanwhile_is_honoured_too() -> None:
    throttle, clock = Throttle(), Clock()
    refuse(throttle, clock, after=10.0)

    def sleep(seconds: float) -> None:
        if not clock.sleeps:
            throttle.shrink(era=0, until=50.0)
        clock.sleep(seconds)

    with throttle.turn(clock, sleep):
        assert clock() >= 50.0


def test_many_threads_and_a_provider_that_bears_few(provider: ProviderServer) -> None:
    """32 threads make 320 calls at a server that refuses the fifth at a time: all are answered, few are refused."""
    bearable, lock = 4, threading.Lock()
    now, refused = 0, 0

    provider.script = lambda request: (
        Failure(429, retry_after=0.01) if "x-too-many" in request.headers else Answer("done")
    )
    model: Any = models.connect("openai/any", ModelParameters(base_url=provider.base_url("openai")))

    def ask() -> Any:
        nonlocal now, refused
        with lock:
            now += 1
            too_many = now > bearable
            refused += too_many
        try:
            headers = {"x-too-many": "yes"} if too_many else {}
            return model._send({**model._request("", HELLO, []), "extra_headers": headers})
        finally:
            with lock:
                now -= 1

    policy = RetryPolicy(tries=100)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: policy.call("openai", "KEY", ask)[0].output_text, range(320)))
    assert answers == ["done"] * 320
    assert len(provider.requests) == 320 + refused
    assert 0 < refused < 160
    assert policy.throttle.under_way == 0
    assert 1 <= policy.throttle.window <= 2 * bearable + 1
