"""Baselines need no model: what they hand in is the task author's, and the draw of the simulated one repeats."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import agents
from harness.agents import Agent, Transcript, create, resolve_baseline
from harness.errors import UsageError
from harness.submission import Submission
from harness.task import Task
from tests.agents.office import events, make_assignment, make_budget, make_task


def handed_in(model: str, task: Task, tmp_path: Path, attempt: int = 1) -> Submission:
    agent = resolve_baseline(model)
    assert agent is not None
    assert (agent.name, agent.trusted, agent.needs_model, agent.needs_workplace) == (model, True, False, False)
    with Transcript(tmp_path / "transcript.jsonl") as transcript:
        return agent.work(make_assignment(task, attempt=attempt), None, None, make_budget(), transcript)


def test_reference_and_nop(task: Task, tmp_path: Path) -> None:
    assert handed_in("reference", task, tmp_path) == task.reference
    assert set(handed_in("nop", task, tmp_path).files) == {"load.sql", "old.sql", "logo.sql"}
    assert [event["text"] for event in events(tmp_path / "transcript.jsonl")] == [
        "handed in the reference",
        "handed in the starting files",
    ]


def test_a_mutant_by_name(task: Task, tmp_path: Path) -> None:
    assert handed_in("mutant/twice", task, tmp_path) == task.mutants["twice"][1]
    with pytest.raises(UsageError, match=r"sql/orders has no mutant 'thrice'(.|\n)*nothing, twice"):
        handed_in("mutant/thrice", task, tmp_path)


def test_skill_is_the_share_of_references(task: Task, tmp_path: Path) -> None:
    def solved(skill: str) -> int:
        return sum(handed_in(f"simulated/{skill}", task, tmp_path, n) == task.reference for n in range(400))

    assert solved("0") == 0
    assert solved("1") == 400
    assert 200 < solved("0.6") < 280
    wrong = {handed_in("simulated/0", task, tmp_path, attempt).digest for attempt in range(20)}
    assert wrong == {submission.digest for _, submission in task.mutants.values()}


def test_without_mutants_failing_is_leaving_the_starting_files(tmp_path: Path) -> None:
    task = make_task(tmp_path / "plain", mutants="")
    assert handed_in("simulated/0", task, tmp_path) == handed_in("nop", task, tmp_path)


DRAWS = """
import sys, tempfile
from pathlib import Path
from tests.agents.office import make_task
from tests.agents.test_baselines import handed_in
with tempfile.TemporaryDirectory() as folder:
    task = make_task(Path(folder))
    print(*(handed_in("simulated/0.5", task, Path(folder), attempt).digest for attempt in range(20)))
"""


def test_the_draw_is_the_same_in_another_process(task: Task, tmp_path: Path) -> None:
    here = [handed_in("simulated/0.5", task, tmp_path, attempt).digest for attempt in range(20)]
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", DRAWS]
    there = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert here == there
    assert len(set(here)) == 3


@pytest.mark.parametrize(
    "model", ["simulated/2", "simulated/-0.1", "simulated/nan", "simulated/good", "simulated", "simulated/", "mutant"]
)
def test_a_bad_argument_says_how_to_write_it(model: str) -> None:
    with pytest.raises(UsageError, match=f"--model {model.partition('/')[0]}/"):
        resolve_baseline(model)


@pytest.mark.parametrize("model", ["reference/x", "nop/x"])
def test_an_argument_too_many_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="takes no argument"):
        resolve_baseline(model)


@pytest.mark.parametrize(
    "model", ["anthropic/claude", "openai/gpt", "tools", "oneshot", "tools/x", "", "nops", "_tools"]
)
def test_models_and_untrusted_agents_are_no_baselines(model: str) -> None:
    assert resolve_baseline(model) is None


@pytest.mark.parametrize("name", ["tools", "oneshot"])
def test_agents_are_created_by_name(name: str) -> None:
    agent: Agent = create(name)
    assert agent.name == name
    with pytest.raises(UsageError, match="takes no argument"):
        create(name, "x")


def test_an_unknown_agent_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"unknown agent 'sub-agents'(.|\n)*oneshot, reference, simulated, tools"):
        create("sub-agents")


def test_what_is_submitted_is_what_the_task_takes_and_the_deliverable(task: Task) -> None:
    files = {"a.sql": b"", "models/b": b"", "c.txt": b"", "DELIVERABLE.md": b""}
    assert set(agents.submitted(task, files).files) == {"a.sql", "models/b", "DELIVERABLE.md"}


def test_no_sdk_is_loaded_for_a_baseline() -> None:
    script = (
        "import sys, harness.agents, harness.models as m; harness.agents.resolve_baseline('nop')\n"
        "assert not {'anthropic', 'openai', 'httpx2', 'tenacity'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)
