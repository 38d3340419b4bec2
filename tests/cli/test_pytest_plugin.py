"""The fixture ``bench`` in the repository of a persona: real pytest sessions on the simulated model."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.gate import Bench, configuration_digest
from harness.sandboxes._environments import cache_folder
from results.judgement import Result
from results.run_directory import RunDirectory, RunDirectoryError
from tests.cli.tiny import make_suite
from tests.results.builders import run_record
from tests.results.comparisons import graded, on_disk, task_names

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
NAMES = [f"task{number}" for number in range(8)]
PERSONA = "You are a data engineer.\n"
# Looked up before pytester has another home: there the engines' environment would be built anew for each test.
CACHE = cache_folder().parent


@pytest.fixture
def repository(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A persona's repository with a suite of its own, whose tasks are graded in a blink."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("BENCH_CACHE", str(CACHE))
    make_suite(pytester.path / "suites" / "tiny", *NAMES)
    (pytester.path / "PERSONA.md").write_text(PERSONA)
    return pytester


def test_the_plugin_is_an_entry_point():
    [plugin] = [entry for entry in entry_points(group="pytest11") if entry.name == "bench"]
    assert plugin.value == "harness.pytest_plugin"


def test_loading_it_imports_nothing_of_ours():
    program = (
        "import sys, pytest, harness.pytest_plugin;"
        "heavy = ('results', 'graders', 'numpy', 'scipy', 'pandas', 'click', 'rich', 'pydantic');"
        "ours = {name for name in sys.modules if name.startswith('harness.')} - {'harness.pytest_plugin'};"
        "print(sorted(ours), [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_a_project_that_does_not_use_it_is_left_alone(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_subprocess("-W", "error", "--strict-config").assert_outcomes(passed=1)
    assert not (pytester.path / "runs").exists()


@pytest.mark.engines
def test_a_persona_is_gated_and_run_once(repository):
    repository.makepyfile(
        """
        import pytest

        ARGUMENTS = dict(suite="./suites/tiny", persona="PERSONA.md", attempts=1, concurrency=2)

        @pytest.fixture(scope="module")
        def good(bench):
            return bench.run(model="simulated/1", **ARGUMENTS)

        def test_it_is_no_worse_than_itself(bench, good):
            again = bench.run(model="simulated/1", **ARGUMENTS)
            assert again is good
            assert again.not_worse_than(good)
            assert again.dimension("idempotency").not_worse_than(good)
            assert again.score.at_least(0.99)
            assert again.coverage.fraction == 1

        def test_a_worse_one_fails(bench, good):
            assert bench.run(model="simulated/0", **ARGUMENTS).not_worse_than(good)
        """
    )
    first = repository.runpytest_subprocess()
    first.assert_outcomes(passed=1, failed=1)
    first.stdout.fnmatch_lines(["*assert <SIMULATED · regressed: score 1.000 → *; regressed: score *p *margin 0.02>*"])
    runs = sorted(path for path in (repository.path / "runs").iterdir() if path.is_dir())
    assert len(runs) == 2
    before = [(run / "trials.jsonl").stat().st_mtime_ns for run in runs]
    # A later session finds the runs and does nothing again.
    repository.runpytest_subprocess().assert_outcomes(passed=1, failed=1)
    assert sorted(path for path in (repository.path / "runs").iterdir() if path.is_dir()) == runs
    assert [(run / "trials.jsonl").stat().st_mtime_ns for run in runs] == before


SIMPLE = """
def test_persona(bench):
    result = bench.run(model="reference", suite="./suites/tiny", persona="PERSONA.md", attempts=1, tasks=["text/task0"])
    assert result.coverage.fraction == 1
    assert result.score.value == EXPECTED
"""


@pytest.mark.engines
def test_an_edit_of_the_persona_is_a_new_run_and_one_of_the_checks_is_not(repository):
    repository.makepyfile(SIMPLE.replace("EXPECTED", "1"))
    repository.runpytest_subprocess().assert_outcomes(passed=1)
    (repository.path / "PERSONA.md").write_text(PERSONA + "Be kind.\n")
    repository.runpytest_subprocess("--bench-runs", "runs").assert_outcomes(passed=1)
    assert len(list((repository.path / "runs").glob("*/run.json"))) == 2
    # New checks grade what is stored: no trial is done again, and the old grades are kept.
    checks = repository.path / "suites/tiny/text/task0/checks.py"
    checks.write_text(checks.read_text().replace('assert "Hello" in greeted', 'assert "Moin" in greeted'))
    repository.makepyfile(SIMPLE.replace("== EXPECTED", "< 1"))
    repository.runpytest_subprocess().assert_outcomes(passed=1)
    assert len(list((repository.path / "runs").glob("*/run.json"))) == 2
    assert len(list((repository.path / "runs").glob("*/trials.1.jsonl"))) == 1


@pytest.mark.engines
def test_a_run_that_was_cut_off_is_finished(repository):
    repository.makepyfile(SIMPLE.replace("EXPECTED", "1"))
    repository.runpytest_subprocess().assert_outcomes(passed=1)
    [trials] = (repository.path / "runs").glob("*/trials.jsonl")
    trials.write_text("")
    repository.runpytest_subprocess().assert_outcomes(passed=1)
    assert len(trials.read_text().splitlines()) == 1
    assert len(list((repository.path / "runs").glob("*/run.json"))) == 1


@pytest.mark.engines
def test_processes_side_by_side_share_one_run(repository):
    repository.makepyfile(
        SIMPLE.replace("EXPECTED", "1") + SIMPLE.replace("EXPECTED", "1").replace("test_persona", "test_again")
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "2"]
    done = subprocess.run(argv, cwd=repository.path, env=environment, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout
    assert len(list((repository.path / "runs").glob("*/run.json"))) == 1


def test_the_folder_of_the_runs_is_a_setting(repository):
    repository.makeini("[pytest]\nbench_runs = elsewhere")
    repository.makepyfile(
        "def test_folder(bench, pytestconfig): assert bench._runs == pytestconfig.rootpath / 'elsewhere'"
    )
    repository.runpytest_subprocess().assert_outcomes(passed=1)


def test_an_error_of_ours_shows_its_message_alone(repository, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    repository.makepyfile(
        """
        import pytest
        from harness.errors import UsageError

        def test_key(bench):
            bench.run(model="anthropic/x", suite="./suites/tiny")

        @pytest.fixture
        def baseline(bench):
            return bench.run(model="reference", suite="./suites/tiny", persona="GONE.md")

        def test_persona(baseline): pass

        def test_task(bench):
            bench.run(model="reference", suite="./suites/tiny", tasks="text/gone")

        def test_run(bench):
            bench.baseline("gone")

        def test_it_can_be_caught(bench):
            with pytest.raises(UsageError):
                bench.run(model="unknown")

        def test_its_own_failures_are_whole(bench):
            assert "a" == "b"
        """
    )
    done = repository.runpytest_subprocess()
    done.assert_outcomes(passed=1, failed=4, errors=1)
    for lines in (
        ["no persona '*GONE.md'", "  known: data-engineer, none; *"],
        ["anthropic/x needs a key", "  set ANTHROPIC_API_KEY"],
        ["unknown task 'text/gone'", "  known: text/task0, *"],
        ["*gone does not exist"],
        ['>       assert "a" == "b"'],
    ):
        done.stdout.fnmatch_lines(lines, consecutive=True)
    done.stdout.no_fnmatch_line("*harness/*")
    done.stdout.no_fnmatch_line("*results/*")


# Judgements


@pytest.fixture
def pair(tmp_path):
    tasks = task_names(8)
    good = on_disk(tmp_path / "base", [graded(task, 1, (True,) * 4) for task in tasks])
    bad = on_disk(tmp_path / "candidate", [graded(task, 1, (True, False, True, True)) for task in tasks])
    return Result(good), Result(bad)


def test_a_judgement_is_about_what_was_asked(pair):
    good, bad = pair
    assert not bad.dimension("idempotency").not_worse_than(good)
    assert bad.dimension("correctness").not_worse_than(good)
    assert not bad.dimension("correctness").not_worse_than(good, fail_on="underpowered")
    assert bad.dimension("correctness").not_worse_than(good, margin=0.5, fail_on="underpowered")
    assert not bad.clause("constraints/idempotent-pipelines").not_worse_than(good)
    assert not bad.resolved.not_worse_than(good)
    assert good.not_worse_than(bad)
    assert not bad.not_worse_than(good)


def test_a_slip_of_the_pen_does_not_weaken_the_gate(pair):
    good, bad = pair
    for asked in (good, good.score):
        with pytest.raises(RunDirectoryError, match="fail_on='underpowerd'") as caught:
            asked.not_worse_than(bad, fail_on="underpowerd")
        assert caught.value.mend == "write one of: regression, underpowered"
        for margin in (2, -0.1, float("nan")):
            with pytest.raises(RunDirectoryError, match=r"margin=.* is no loss of a score\n  .*from 0 to 1"):
                asked.not_worse_than(bad, margin=margin)


@pytest.mark.parametrize("attempts", [0, -1, 1001, 1.5, "3"])
def test_attempts_that_cannot_be_run(tmp_path, attempts):
    suite = make_suite(tmp_path / "tiny", "one")
    with pytest.raises(UsageError, match=r"attempts=.* can't be run\n  .*from 1 to 1000"):
        Bench(tmp_path / "runs", tmp_path).run("reference", suite=str(suite), attempts=attempts)


def test_one_task_needs_no_list(tmp_path):
    suite = make_suite(tmp_path / "tiny", "one")
    with pytest.raises(UsageError, match="unknown task 'text/two'"):
        Bench(tmp_path / "runs", tmp_path).run("reference", suite=str(suite), tasks="text/two")


def test_a_judgement_says_what_it_rests_on(pair):
    good, bad = pair
    told = repr(bad.dimension("idempotency").not_worse_than(good))
    assert told.startswith("<regressed: idempotency 1.000 → 0.000, -1.000 (-1.000 to -0.375), p 0.0")
    assert repr(bad.score.at_least(0.8)) == "<score 0.750 (0.409 to 0.929), asked 0.8>"
    assert not bad.score.at_least(0.8)
    assert bad.score.at_least(0.75)


def test_what_was_not_graded_cannot_be_asked(pair):
    _, bad = pair
    with pytest.raises(RunDirectoryError, match="no dimension 'scale'") as caught:
        bad.dimension("scale")
    assert "idempotency" in caught.value.mend
    with pytest.raises(RunDirectoryError, match="no clause 'x'"):
        bad.clause("x")


def test_a_configuration_is_what_trials_depend_on():
    digest = configuration_digest(run_record())
    same = run_record(run="r2", harness_version="9", tasks=graders("g2"))
    assert configuration_digest(same) == digest
    persona = run_record().persona
    for changes in (
        {"model": "x/y"},
        {"agent": "oneshot"},
        {"attempts": 3},
        {"parameters": {"effort": "high"}},
        {"persona": persona.model_copy(update={"digest": "other"})},
        {"environments": {"core": "2"}},
        {"tasks": graders("g", prefix="new-")},
    ):
        assert configuration_digest(run_record(**changes)) != digest
    assert configuration_digest(run_record(persona=persona.model_copy(update={"name": "renamed"}))) == digest


def graders(digest: str, prefix: str = "d-") -> dict:
    return {task: {"digest": f"{prefix}{task}", "grader_digest": digest} for task in run_record().planned}


def test_a_baseline_is_a_folder(tmp_path, pair):
    bench = Bench(tmp_path / "runs", tmp_path)
    assert bench.baseline("base").score.value == 1.0
    assert isinstance(bench.baseline("base").directory, RunDirectory)
    with pytest.raises(RunDirectoryError, match="nowhere does not exist"):
        bench.baseline("nowhere")
