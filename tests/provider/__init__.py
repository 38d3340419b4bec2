"""A model server for tests: it speaks the providers' wire formats and says what a script tells it to say.

    with ProviderServer(in_turn(Failure(429, retry_after=0), Answer("done"))) as server:
        model = connect("anthropic/any", ModelParameters(base_url=server.base_url("anthropic")))

A script is a function from a request to what happens; ``in_turn`` makes one of a list, ``playing`` and
``solving`` make ones that get whole assignments done, for any number of trials at once. Requests that the real
API would refuse are answered with status 400 and kept in ``server.complaints``, which the ``provider`` fixture
checks.
``python -m tests.provider`` serves a script that solves the tasks of a suite.
"""

from tests.provider.play import patient, playing, solving
from tests.provider.script import Answer, Call, Cut, Failure, Garbled, Page, Request, Script, Silence, Slow, in_turn
from tests.provider.server import ProviderServer

__all__ = [
    "Answer",
    "Call",
    "Cut",
    "Failure",
    "Garbled",
    "Page",
    "ProviderServer",
    "Request",
    "Script",
    "Silence",
    "Slow",
    "in_turn",
    "patient",
    "playing",
    "solving",
]
