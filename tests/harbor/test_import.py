"""Harbor's tasks run with our agents: whole runs in Docker, of tasks whose images are made from the base image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graders.grade import Grade, grade
from harness import cli
from harness.agents import Workplace
from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE, EXIT_USAGE
from harness.grading import suite_contract
from harness.harbor.export import FILES
from harness.sandboxes import _choice
from harness.submission import Submission, SubmissionError
from harness.task import HIDDEN_SEEDS, Task, load_suite
from harness.workplace import workplace
from results.run_directory import RunDirectory, find_runs
from tests.cli.tiny import make_suite
from tests.provider import Answer, Call, ProviderServer, Request

TASK = """
schema_version = "1.4"
artifacts = {artifacts}
[task]
name = "somebody/greet"
description = "Greet"
keywords = ["bash"]
[metadata]
difficulty = "easy"
[agent]
timeout_sec = 60.0
user = "nobody"
[verifier]
timeout_sec = 8.0
{verifier}
[environment]
memory_mb = 256
env = {{ GREETING = "${{WORD:-Hello}}" }}
"""
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN mkdir /app && echo old > /app/old.txt && mkdir /shared && chown -R nobody /app /shared
WORKDIR /app
"""
SOLVE = """\
#!/bin/bash
echo "$GREETING Kim" > hello.txt && echo 'echo run' > tool.sh && chmod +x tool.sh && rm old.txt
mkdir /shared/deep && echo elsewhere > "/shared/deep/a file" && ln -s hello.txt link
echo "no name for a submission" > '/shared/deep/systemd\\x2dcryptsetup.slice'
"""
# A third each: the greeting, what isn't a file of the work folder, rights, and that the tests weren't there before.
TEST = """\
#!/bin/bash
right=0
[ "$(cat link 2>/dev/null)" = "$(cat /tests/expected)" ] && right=$((right + 1))
[ "$(cat "/shared/deep/a file" 2>/dev/null)" = elsewhere ] && [ ! -e old.txt ] && right=$((right + 1))
[ -x tool.sh ] && [ "$(stat -c %U tool.sh)" = nobody ] && right=$((right + 1))
[ -e hangs ] && sleep 60
[ -e dies ] && exit 7
[ $right = 3 ] && echo 1.0 > /logs/verifier/reward.txt || echo "0.$((right * 3))" > /logs/verifier/reward.txt
echo "$right of 3"
"""
APART = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY test.sh /tests/test.sh
"""
TEST_APART = """\
#!/bin/sh
[ ! -e /app/old.txt ] && [ ! -e /app/tool.sh ] && grep -q Kim /app/hello.txt && right=1 || right=0
echo "{\\"reward\\": 0.$((right * 5)), \\"resolved\\": $right}" > /logs/verifier/reward.json
"""
pytestmark = pytest.mark.docker


def make_task(folder: Path, **changes: str) -> Path:
    """A folder of Harbor's; ``changes``: other files, or parts of task.toml."""
    parts = {
        "artifacts": "[]",
        "verifier": "",
        **{name: changes.pop(name) for name in ("artifacts", "verifier") if name in changes},
    }
    files = {
        "task.toml": TASK.format(**parts),
        "instruction.md": "Please greet Kim in hello.txt.\n",
        "environment/Dockerfile": DOCKERFILE,
        "tests/test.sh": TEST,
        "tests/expected": "Hello Kim\n",
        "solution/solve.sh": SOLVE,
        **changes,
    }
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def bring(folder: Path, out: Path, *options: str) -> int:
    return cli.execute(["import", "harbor", str(folder), "-o", str(out), *options])


def run(suite: Path, runs: Path, model: str) -> RunDirectory:
    code = cli.execute(["run", "--suite", str(suite), "--sandbox", "docker", "--model", model, "--runs", str(runs)])
    assert code in (EXIT_FINE, EXIT_INFRASTRUCTURE)
    [path] = find_runs(runs)
    return RunDirectory.open(path)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("harbor")
    make_task(place / "theirs" / "Greet_Kim")
    make_task(
        place / "theirs" / "apart",
        verifier='environment_mode = "separate"',
        artifacts='[{ source = "/app", exclude = ["*.sh"] }]',
        **{"tests/Dockerfile": APART, "tests/test.sh": TEST_APART},
    )
    assert bring(place / "theirs", place / "suites" / "ours") == EXIT_FINE
    return place / "suites" / "ours"


def test_the_solution_is_the_reference_and_gets_the_full_reward(suite: Path, tmp_path: Path) -> None:
    shared, apart = suite / "harbor" / "greet-kim", suite / "harbor" / "apart"
    files = {
        path.relative_to(shared / "reference").as_posix()
        for path in (shared / "reference").rglob("*")
        if path.is_file()
    }
    assert files == {"hello.txt", "tool.sh", ".changes.json", ".outside/shared/deep/a file"}
    directory = run(suite, tmp_path, "reference")
    scores = {record.task: (record.score, record.resolved) for record in directory.records()}
    assert scores == {"harbor/greet-kim": (1.0, True), "harbor/apart": (0.5, True)}
    assert set(directory.record.environments) == set(scores)
    assert {record.technologies for record in directory.records()} == {("bash",)}
    # Only what its verifier gets.
    assert {path.name for path in (apart / "reference").rglob("*")} == {"hello.txt", "tool.sh", ".changes.json"}
    assert cli.execute(["persona", "coverage", "--suite", str(suite)]) == EXIT_FINE
    # A run like any other: ranked, and graded again from what is stored.
    assert cli.execute(["leaderboard", str(tmp_path)]) == EXIT_FINE
    assert cli.execute(["regrade", str(directory.path), "--suite", str(suite)]) == EXIT_FINE
    assert {record.task: (record.score, record.resolved) for record in directory.records()} == scores


def test_who_does_nothing_gets_nothing(suite: Path, tmp_path: Path) -> None:
    records = run(suite, tmp_path, "nop").records()
    assert {record.task: record.score for record in records} == {"harbor/greet-kim": 0.0, "harbor/apart": 0.0}
    assert not any(record.resolved for record in records)
    [evidence] = [record.checks[0].evidence for record in records if record.task == "harbor/greet-kim"]
    assert "0 of 3" in evidence


def test_a_model_works_in_a_container_of_the_tasks_image(suite: Path, tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        if request.results:
            return Answer(calls=(Call("submit"),))
        solve = Call("bash", {"command": SOLVE + "ls /tests; id -un; pwd"})
        return Answer(calls=(solve, Call("write_file", {"path": "sub/it's.md", "content": "# Done\n"})))

    with ProviderServer(script) as provider:
        url = provider.base_url("openai-compatible")
        command = f"run --suite {suite} --task harbor/greet-kim --sandbox docker --runs {tmp_path} --base-url {url}"
        assert cli.execute([*command.split(), "--model", "openai-compatible/hand"]) == EXIT_FINE
    assert "Please greet Kim" in provider.requests[0].opening
    [shell, written] = provider.requests[-1].results
    assert "nobody\n/app" in shell
    assert "cannot access '/tests'" in shell
    assert "wrote 7 bytes" in written
    [path] = find_runs(tmp_path)
    [record] = RunDirectory.open(path).records()
    assert (record.score, record.resolved, record.stop_reason) == (1.0, True, "submitted")
    submission = RunDirectory.open(path).trial(*record.key).submission
    assert (submission / "sub" / "it's.md").read_text() == "# Done\n"
    assert (submission / ".outside" / "shared" / "deep" / "a file").is_file()


@contextmanager
def place_of(suite: Path) -> Iterator[Workplace]:
    with workplace(task_of(suite), _choice.load("docker")) as place:
        yield place


def task_of(suite: Path) -> Task:
    return next(task for task in load_suite(str(suite)) if task.id == "harbor/greet-kim")


def graded(suite: Path, submission: Submission) -> Grade:
    return grade(task_of(suite), submission, _choice.load("docker"), 1, suite_contract())


def test_what_can_be_done_in_a_container_and_what_can_not(suite: Path) -> None:
    with place_of(suite) as place:
        assert place.run("timeout 3 bash -c 'echo > /dev/tcp/1.1.1.1/53'", 20).exit_code != 0  # no network
        assert place.run("sleep 30", 1).timed_out
        flood = place.run("yes | head -c 5000000; exit 3", 30)
        assert (flood.exit_code, flood.truncated, len(flood.stdout)) == (3, True, 100_000)
        left_running = place.run("sleep 600 & echo on", 60)  # is not waited for
        assert (left_running.stdout, left_running.timed_out) == ("on\n", False)
        with pytest.raises(OSError, match="No such file"):
            place.read("none.txt")
        with pytest.raises(OSError, match="ermission denied"):
            place.read("/etc/shadow")
        # Names that mean something to who puts the files back mean nothing if the agent wrote them.
        place.run('mkdir .outside && echo x > .outside/etc && echo \'{"removed": ["/app"]}\' > .changes.json', 10)
        assert place.collect().files == {}
        place.run("head -c 70000000 /dev/zero > big", 20)
        with pytest.raises(SubmissionError, match="at most"):
            place.collect()


def test_a_submission_that_keeps_its_verifier_from_a_reward_gets_none(suite: Path) -> None:
    for name in ("hangs", "dies"):
        found = graded(suite, Submission({name: b""}))
        assert (found.score, found.resolved) == (0.0, False)
        assert "wrote no reward" in found.checks[0].evidence


def test_a_verifier_that_never_rewards_makes_the_trial_invalid(tmp_path: Path) -> None:
    broken = make_task(tmp_path / "broken", **{"tests/test.sh": "#!/bin/sh\nexit 3\n"})
    assert bring(broken, tmp_path / "a" / "suite") == EXIT_FINE
    odd = make_task(tmp_path / "odd", **{"tests/test.sh": "#!/bin/sh\necho 7 > /logs/verifier/reward.txt\n"})
    assert bring(odd, tmp_path / "b" / "suite") == EXIT_FINE
    for suite, reason in (("a", "wrote no reward: exit code 3"), ("b", "aren't all from 0 to 1")):
        [record] = run(tmp_path / suite / "suite", tmp_path / suite / "runs", "nop").records()
        assert (record.status, record.cause, record.score) == ("invalid", "grader", None)
        assert reason in (record.problem or "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"verifier": 'env = { KEY = "${SECRET}" }'}, "this machine's variable SECRET (for KEY)"),
        ({"verifier": '[[steps]]\nname = "one"'}, "several steps"),
        ({"verifier": 'network_mode = "allowlist"'}, "a network with an allow-list"),
        ({"verifier": 'timeout_sec = "soon"'}, "not valid TOML"),
        ({"environment/docker-compose.yaml": "services: {}\n"}, "several containers (environment/docker-compose.yaml)"),
        ({"tests/docker-compose.yaml": "services: {}\n"}, "several containers (tests/docker-compose.yaml)"),
        ({"tests/docker-compose.yaml": (FILES / "docker-compose.yaml").read_text()}, "--allow-walls"),
    ],
)
def test_what_a_task_can_not_get_is_said_before_anything_is_done(
    changes: dict[str, str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(make_task(tmp_path / "theirs", **changes), tmp_path / "ours") == EXIT_USAGE
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_only_docker_has_containers_of_any_image(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run --model reference --sandbox embedded", "run --model reference", "verify"):
        assert cli.execute([*command.split(), "--suite", str(suite)]) == EXIT_USAGE
    told = capsys.readouterr().err
    assert told.count("use --sandbox docker") == 2
    assert "a verifier of their own" in told


@pytest.mark.bubblewrap
@pytest.mark.nightly  # builds an environment anew, and installs packages
def test_our_tasks_come_back_with_the_same_scores(tmp_path: Path) -> None:
    tiny = make_suite(tmp_path / "tiny")
    export = ["export", "harbor", "--suite", str(tiny), "--sandbox", "bubblewrap", "-o", str(tmp_path / "out")]
    assert cli.execute(export) == EXIT_FINE
    assert bring(tmp_path / "out", tmp_path / "back", "--allow-walls") == EXIT_FINE
    shutil.copy(tiny / "text" / "one" / "mutants.toml", tmp_path / "back" / "harbor" / "text--one")
    [ours], [theirs] = load_suite(str(tiny)), load_suite(str(tmp_path / "back"))
    for name in ("", "rude"):
        before, after = (
            grade(task, task.mutants[name][1] if name else task.reference, box, HIDDEN_SEEDS[0], suite_contract())
            for task, box in ((ours, _choice.load("bubblewrap")), (theirs, _choice.load("docker")))
        )
        assert (before.score, before.resolved) == (after.score, after.resolved)
        assert (after.score == 1.0) is (name == "")
