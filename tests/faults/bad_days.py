"""A model server on its bad days: a share of the calls meets a fault."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.provider import Answer, Call, Cut, Failure, Garbled, Page, Request, Script, Silence
from tests.provider.script import Happening

# What the provider does wrong: the same call, made again, is answered.
FAULTS: dict[str, Happening] = {
    "429 with retry-after": Failure(429, "slow down", "rate_limit_error", retry_after=0.05),
    "429": Failure(429, "slow down", "rate_limit_error"),
    "500": Failure(500),
    "503 with retry-after": Failure(503, retry_after=0.05),
    "504, a time-out": Failure(504),
    "529": Failure(529, "overloaded", "overloaded_error"),
    "silence": Silence(),
    "cut before the answer": Cut("at once"),
    "cut half way": Cut("half way"),
    "cut tidily": Cut("tidily"),
    "half JSON": Garbled(),
    "wrong content type": Page(),
}
# What the model does wrong: it is paid for, and part of the conversation.
ODDITIES: dict[str, Happening] = {
    "refusal": Answer("I'd rather not.", stop="refusal"),
    "empty content": Answer(""),
    "arguments that are no JSON": Answer("", (Call("bash", '{"command": "ls'),)),
    "arguments of another shape": Answer("", (Call("bash", {"command": ["ls"], "timeout": -1}),)),
    "unknown tool": Answer("", (Call("fly", {"to": "the moon"}),)),
}
ALL = FAULTS | ODDITIES


@dataclass
class BadDays:
    """Answers as ``script`` does, but for a ``share`` of the calls. ``met`` is what each conversation met, by its
    opening; ``doomed`` names, by a part of the opening, conversations that meet one thing and nothing else."""

    script: Script
    seed: int
    share: float = 0.3
    doomed: Mapping[str, Happening] = field(default_factory=dict)
    kinds: Mapping[str, Happening] = field(default_factory=lambda: ALL)
    met: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        # Dealt in turn, so that each kind is met as often as any other.
        deck = sorted(self.kinds)
        random.Random(self.seed).shuffle(deck)
        self._deck = itertools.cycle(deck)

    def __call__(self, request: Request) -> Happening:
        for part, happening in self.doomed.items():
            if part in request.opening:
                return happening
        opening = request.opening
        self.calls[opening] += 1
        draw = random.Random(f"{self.seed} {opening.partition('Left for')[0]} {self.calls[opening]}")
        if draw.random() >= self.share:
            return self.script(request)
        kind = next(self._deck)
        self.met[opening].append(kind)
        return self.kinds[kind]

    @property
    def injected(self) -> Counter[str]:
        return Counter(kind for kinds in self.met.values() for kind in kinds)
