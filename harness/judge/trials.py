"""Judging a run directory: every graded trial's deliverable, once a judge; a killed judging goes on where it was."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from harness import discovery, models
from harness.budgets import RunBudget, need_price
from harness.display import Display
from harness.errors import InfrastructureError, UsageError
from harness.judge.asking import Judge, Opinion, question
from harness.judge.rubrics import Rubric, rubrics, rubrics_digest
from harness.models import Model, ModelParameters, Usage
from harness.models._journal import JournaledModel, paid
from harness.models._prices import Prices
from harness.models._retry import RetryPolicy
from harness.side_by_side import side_by_side
from harness.trial import stored_submission
from results import judges, records
from results.durable import writing
from results.run_directory import RunDirectory, RunWriter, write_whole

AT_A_TIME = 4


@dataclass(frozen=True)
class Appointed:
    """A judge that can be asked: a wrong name or a missing key has ended the program by now."""

    model: Model
    parameters: ModelParameters
    votes: int
    budget: RunBudget
    prices: Prices

    @property
    def record(self) -> judges.JudgeRecord:
        parameters = {name: value for name, value in asdict(self.parameters).items() if value is not None}
        identity = repr((self.model.name, sorted(parameters.items()), rubrics_digest(), question(rubrics()[0], "")))
        slug = re.sub(r"[^a-z0-9.]+", "-", self.model.name.lower())[:60].strip("-")
        return judges.JudgeRecord(
            judge=f"{slug}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}",
            model=self.model.name,
            parameters=parameters,
            harness_version=version("data-engineer-bench"),
            rubrics=tuple(judges.RubricRecord(**asdict(rubric)) for rubric in rubrics()),
        )

    def cost_of(self, usage: Usage) -> Decimal | None:
        return self.prices.cost(self.model.name, usage)

    def pay(self, usage: Usage) -> None:
        self.budget.pay(usage, self.cost_of)

    def opinion(self, text: str, asked: Sequence[Rubric] | None = None) -> Opinion:
        """Its opinion of a text that belongs to no run, on each rubric or on some."""
        opinion = Judge(self.model).opinion(text, self.votes, asked)
        self.pay(opinion.usage)
        return opinion

    def recorded(self, opinion: Opinion) -> judges.Opinion:
        return judges.Opinion(
            judge=self.record.judge,
            votes=self.votes,
            verdicts=verdict_records(opinion),
            usage=usage_record(opinion.usage),
            cost=self.cost_of(opinion.usage),
        )


def appoint(model: str, base_url: str | None, votes: int, budget: RunBudget, prices: Prices) -> Appointed:
    """Connect a judge, whose calls are paid from ``budget``; nothing is sent yet.

    Raises:
        UsageError: unknown provider, no key, no address; or a budget of dollars and no price.
    """
    if model.partition("/")[0] not in (known := discovery.names(models.__name__)):
        raise UsageError(f"no model that could judge is called {model!r}", f"known: {', '.join(known)}, each /NAME")
    parameters = ModelParameters(base_url=base_url)
    retry = RetryPolicy(sleep=budget.sleep, permit=budget.permit_call, tell=budget.say_wait)
    try:
        connected = models.connect(model, parameters, retry)
    except UsageError as error:
        problem, mend = (said.replace("--base-url", "--judge-base-url") for said in (error.problem, error.mend))
        raise UsageError(f"the judge: {problem}", mend) from None
    need_price(model, prices, budget.budgets)
    return Appointed(connected, parameters, votes, budget, prices)


def paid_by_judges(directory: RunDirectory) -> Mapping[str, Usage]:
    """By model, what all calls of judges about a run used until now."""
    used: dict[str, Usage] = {}
    for judge in judges.judges(directory):
        for path in judges.call_journals(directory, judge.judge):
            used[judge.model] = used.get(judge.model, Usage()) + paid(path)
    return used


def judge_run(writer: RunWriter, appointed: Appointed, display: Display) -> None:
    """Ask about every graded trial that this judge has not been asked about with so many votes.

    ``writer`` is the right to write; the trials' records are not touched.

    Raises:
        Interrupted: Ctrl-C. What is being judged is judged to its end first, the rest is not begun.
        KeyboardInterrupt: a second Ctrl-C; calls are under way.
        InfrastructureError: the judge's provider failed. BudgetSpentError: the run's. What was judged is kept.
    """
    directory, judge = writer.directory, appointed.record

    def one(record: records.TrialRecord) -> None:
        _judge_trial(directory, record, appointed, judge.judge)

    waiting_ones = [record for record in directory.records() if _is_open(directory, record, judge.judge, appointed)]
    if not waiting_ones:
        return
    _write(judges.judge_file(directory, judge.judge), judge)
    appointed.budget.note = display.note
    display.note(f"{judge.model} judges {len(waiting_ones)} deliverables, {appointed.votes} votes a rubric")
    side_by_side(waiting_ones, one, display.note, "what is being judged is", concurrency=AT_A_TIME)


def _is_open(directory: RunDirectory, record: records.TrialRecord, judge: str, appointed: Appointed) -> bool:
    folder = directory.trial(*record.key)
    if record.status != "graded" or not folder.submission.is_dir():
        return False
    known = judges.opinion(folder, judge)
    return known is None or (known.votes, known.submission) != (appointed.votes, record.submission)


def _judge_trial(directory: RunDirectory, record: records.TrialRecord, appointed: Appointed, judge: str) -> None:
    folder = directory.trial(*record.key)
    submission = stored_submission(folder.submission)
    if record.submission not in (None, submission.digest):
        raise InfrastructureError(
            "submission-changed", f"{folder.submission} is no longer what was graded", "restore it from a copy"
        )
    model = JournaledModel(appointed.model, judges.calls_file(folder, judge), appointed.pay)
    opinion = appointed.recorded(Judge(model).opinion(submission.deliverable, appointed.votes))
    _write(
        judges.opinion_file(folder, judge),
        judges.OpinionRecord(
            task=record.task, attempt=record.attempt, submission=submission.digest, **opinion.model_dump()
        ),
    )


def verdict_records(opinion: Opinion) -> tuple[judges.VerdictRecord, ...]:
    return tuple(
        judges.VerdictRecord(
            rubric=verdict.rubric.id,
            clause=verdict.rubric.clause,
            said=verdict.said,
            void=verdict.void,
            votes=tuple(judges.VoteRecord(**asdict(vote)) for vote in verdict.votes),
        )
        for verdict in opinion.verdicts
    )


def usage_record(usage: Usage) -> records.Usage:
    return records.Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.cache_read_tokens,
        cache_write=usage.cache_write_tokens,
    )


def _write(path: Path, record: records.Record) -> None:
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    write_whole(path, record.model_dump_json(indent=2).encode() + b"\n")
