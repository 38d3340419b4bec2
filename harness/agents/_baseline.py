"""What the baselines share: no model, no workplace, and nothing to distrust."""

from __future__ import annotations

from abc import ABC, abstractmethod

from harness.agents import Assignment, Budget, Transcript, Workplace
from harness.models import Model
from harness.submission import Submission


class Baseline(ABC):
    """Hands in something that the task's author wrote."""

    needs_model = False
    needs_workplace = False
    trusted = True

    def __init__(self, name: str) -> None:
        self.name = name

    def work(
        self,
        assignment: Assignment,
        model: Model | None,
        workplace: Workplace | None,
        budget: Budget,
        transcript: Transcript,
    ) -> Submission:
        submission, origin = self.choose(assignment)
        transcript.note(f"handed in {origin}")
        return submission

    @abstractmethod
    def choose(self, assignment: Assignment) -> tuple[Submission, str]:
        """The submission, and what it is as the transcript says."""
