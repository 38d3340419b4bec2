"""Our tasks as Harbor's: the fields that Harbor reads, what an agent must never see, and the verifier's reward."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.errors import EXIT_FINE, EXIT_USAGE
from harness.sandboxes import _choice, _environments, docker
from harness.submission import DELIVERABLE, from_folder, to_tar
from harness.task import load_suite, select
from tests.cli.tiny import make_suite, tasks_of

# What `TaskConfig` of harbor 0.26 knows of what we write; what it doesn't know it ignores without a word.
KNOWN = {
    "": {"schema_version", "task", "metadata", "environment", "agent", "verifier", "artifacts"},
    "task": {"name", "version", "description", "keywords"},
    "environment": {
        "cpus",
        "memory_mb",
        "storage_mb",
        "build_timeout_sec",
        "workdir",
        "network_mode",
        "healthcheck",
    },
    "environment.healthcheck": {"command", "timeout_sec", "retries"},
    "agent": {"timeout_sec", "user"},
    "verifier": {"timeout_sec", "environment_mode", "user", "environment"},
    "verifier.environment": {"cpus", "memory_mb", "storage_mb", "build_timeout_sec", "network_mode"},
}
CONFINED = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
}

bubblewrap = pytest.mark.bubblewrap


def export(*arguments: object) -> int:
    return cli.execute(["export", "harbor", "--sandbox", "bubblewrap", *map(str, arguments)])


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    suite = make_suite(tmp_path_factory.mktemp("suites") / "tiny")
    (suite / "text" / "one" / "workspace").mkdir()
    (suite / "text" / "one" / "workspace" / "old.sh").write_text("exit 1\n")
    (suite / "text" / "one" / "reference" / ".remove").write_text("old.sh\n")
    return suite


@pytest.fixture(scope="module")
def exported(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("harbor") / "out"
    assert export("--suite", suite, "-o", out) == EXIT_FINE
    return out / "text--one"


@bubblewrap
def test_the_manifest_says_what_harbor_reads(exported: Path) -> None:
    manifest = tomllib.loads((exported / "task.toml").read_text())
    for path, known in KNOWN.items():
        table: dict[str, Any] = manifest
        for name in filter(None, path.split(".")):
            table = table[name]
        assert set(table) == known, path
    assert manifest["schema_version"] == "1.4"
    assert manifest["task"]["name"] == "data-engineer-bench/tiny-text-one"
    assert manifest["verifier"]["environment_mode"] == "separate"
    assert manifest["verifier"]["environment"]["network_mode"] == "no-network"
    assert [artifact["source"] for artifact in manifest["artifacts"]] == ["/work"]
    assert os.access(exported / "tests" / "test.sh", os.X_OK)
    assert os.access(exported / "solution" / "solve.sh", os.X_OK)


@bubblewrap
def test_the_agents_side_holds_nothing_hidden(exported: Path, suite: Path) -> None:
    (task,) = tasks_of(suite)
    seen = [exported / "instruction.md", *(path for path in (exported / "environment").rglob("*") if path.is_file())]
    texts = {path.relative_to(exported).as_posix(): path.read_bytes() for path in seen}
    assert texts["environment/data/who.txt"] == b"Kim the 7th"
    assert texts["environment/workspace/old.sh"] == b"exit 1\n"
    hidden = [task.manifest.canary, "the_right_one_is_greeted", "Hello $(cat", "Kim the 1009th"]
    assert [(path, text) for path, content in texts.items() for text in hidden if text.encode() in content] == []


@bubblewrap
def test_the_instruction_asks_for_the_deliverable_as_the_persona_does(
    exported: Path, suite: Path, tmp_path: Path
) -> None:
    (task,) = tasks_of(suite)
    text = (exported / "instruction.md").read_text()
    assert text.startswith(task.instruction)
    assert DELIVERABLE in text
    assert "### Runbook" in text
    assert export("--suite", suite, "--persona", "none", "-o", tmp_path / "out") == EXIT_FINE
    assert "### Runbook" not in (tmp_path / "out" / "text--one" / "instruction.md").read_text()
    # Else the same, whenever it is made.
    again, before = tmp_path / "out" / "text--one" / "environment", exported / "environment"
    assert from_folder(again, ignored=frozenset()).digest == from_folder(before, ignored=frozenset()).digest


@bubblewrap
def test_what_exists_is_not_replaced(exported: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (exported / "task.toml").stat()
    assert export("--suite", suite, "-o", exported.parent) == EXIT_USAGE
    assert "exists already" in capsys.readouterr().err
    assert (exported / "task.toml").stat() == before


# -- the verifier ------------------------------------------------------------------------------------------------


def verify(exported: Path, work: Path, logs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What test.sh does in the verifier's container, with the program and the task that travel there."""
    tests = exported / "tests"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "harness.harbor.verify", "grade", tests / "tasks", work, logs]
    environment = {**inherited, "PYTHONPATH": str(tests / "bench"), **variables}
    return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)


def reward(logs: Path) -> Mapping[str, float]:
    found: dict[str, float] = json.loads((logs / "reward.json").read_text())
    return found


@bubblewrap
def test_the_verifier_rewards_the_reference(exported: Path, tmp_path: Path) -> None:
    done = verify(exported, exported / "solution" / "files", tmp_path)
    assert done.returncode == EXIT_FINE, done.stderr
    assert reward(tmp_path) == {"reward": 1.0, "resolved": 1.0}
    grade = json.loads((tmp_path / "grade.json").read_text())
    assert grade["dimensions"]["idempotency"] == 1.0


@bubblewrap
def test_the_verifier_tells_a_wrong_answer(exported: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    from_folder(exported / "solution" / "files").overlaid({"greet.sh": b'echo "Hello Kim the 7th!"\n'}).write(work)
    assert verify(exported, work, tmp_path / "logs").returncode == EXIT_FINE
    assert 0 < reward(tmp_path / "logs")["reward"] < 1
    assert reward(tmp_path / "logs")["resolved"] == 0


@bubblewrap
def test_what_can_not_be_handed_in_is_a_zero_and_no_error(exported: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for number in range(401):
        (work / f"{number}.txt").write_text("spam")
    done = verify(exported, work, tmp_path / "logs")
    assert done.returncode == EXIT_FINE, done.stderr
    assert "can't be handed in" in done.stderr
    assert reward(tmp_path / "logs") == {"reward": 0.0, "resolved": 0.0}


@bubblewrap
def test_without_walls_there_is_no_reward(exported: Path, tmp_path: Path) -> None:
    done = verify(exported, exported / "solution" / "files", tmp_path, PATH=str(tmp_path))
    assert done.returncode == EXIT_USAGE
    assert "bwrap is not installed" in done.stderr
    assert list(tmp_path.iterdir()) == []


# -- in containers -----------------------------------------------------------------------------------------------


@contextmanager
def container(context: Path, base: str, **options: Any) -> Iterator[Any]:
    """A container of the image that a Dockerfile makes; from ``base``, where that is an image of its first part."""
    files = dict(from_folder(context, ignored=frozenset()).files)
    # One for all environments.
    recipe = _environments.recipe("core").files["Dockerfile"].decode().rstrip()
    text = files["Dockerfile"].decode()
    assert text.startswith(recipe)
    if base:
        files["Dockerfile"] = f"FROM {base}\n{text.removeprefix(recipe)}".encode()
    else:
        files["ca-bundle.crt"] = docker.ca_bundle()
    engine = docker.client()
    arguments = {"BASE_IMAGE": docker.base_image()}
    image, _ = engine.images.build(
        fileobj=io.BytesIO(to_tar(files)),
        custom_context=True,
        buildargs=arguments,
        network_mode="host",
        rm=True,
        forcerm=True,
    )
    started = engine.containers.run(
        image.id, ["sleep", "infinity"], detach=True, network_mode="none", init=True, **options
    )
    try:
        yield started
    finally:
        started.remove(force=True)
        engine.images.remove(image.id)


def inside(box: Any, command: str, user: str = "root") -> str:
    done = box.exec_run(["bash", "-c", command], user=user)
    output: str = done.output.decode()
    assert done.exit_code == 0, output
    return output


@pytest.fixture(scope="module")
def with_postgres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("harbor") / "out"
    assert export("sql/scd2-users", "-o", out) == EXIT_FINE
    return out / "sql--scd2-users"


def bring(box: Any, target: str, folder: Path) -> None:
    inside(box, f"mkdir -p {target}")
    box.put_archive(target, to_tar(dict(from_folder(folder).files)))


@bubblewrap
@pytest.mark.docker
def test_the_agent_finds_the_database_and_the_solution_works_on_it(with_postgres: Path) -> None:
    sandbox = _choice.load("docker")
    sandbox.prepare("core")
    start = tomllib.loads((with_postgres / "task.toml").read_text())["environment"]["healthcheck"]["command"]
    with container(with_postgres / "environment", docker.image_tag("core")) as box:
        inside(box, start)
        inside(box, start)
        assert inside(box, "pwd; echo $HOME", "worker").split() == ["/work", "/home/worker"]
        count = "psql -Atc 'SELECT count(*) > 100 FROM app.user_changes'"
        assert inside(box, count, "worker").strip() == "t"
        assert box.exec_run(["psql", "-c", "DELETE FROM app.user_changes"], user="worker").exit_code != 0
        assert box.exec_run(["ls", "/opt/start"], user="worker").exit_code != 0
        bring(box, "/solution", with_postgres / "solution")
        inside(box, "sh /solution/solve.sh && psql --no-psqlrc -v ON_ERROR_STOP=1 -v batch_id=1 -f load.sql", "worker")
        assert inside(box, "psql -Atc 'SELECT count(*) > 0 FROM dim_users'", "worker").strip() == "t"


SERVED = {
    "airbyte/rate-limited-source": (
        """/opt/engine/bin/python -c '
import json, os, urllib.request
config = json.load(open(os.environ["DATA"] + "/config.json"))
asked = {"grant_type": "client_credentials"} | {name: config[name] for name in ("client_id", "client_secret")}
url, headers = os.environ["API_URL"] + "/oauth/token", {"Content-Type": "application/json"}
request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
print(urllib.request.urlopen(request, timeout=10).read().decode())'""",
        '"access_token"',
    ),
    "bigquery/partition-pruned": ("bq query --nouse_legacy_sql 'SELECT COUNT(*) > 100 FROM shop.orders'", "true"),
    "kafka/poison-messages": (
        """/opt/engine/bin/python -c '
import os
from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "look"})
print(consumer.get_watermark_offsets(TopicPartition("crm.profiles", 0), timeout=30)[1] > 0)'""",
        "True",
    ),
    "kinesis/reshard-resume": (
        """/opt/engine/bin/python -c '
import boto3
print(boto3.client("kinesis").describe_stream_summary(StreamName="order-events"))'""",
        "ACTIVE",
    ),
}


@bubblewrap
@pytest.mark.docker
@pytest.mark.parametrize(
    ("task", "command", "answer"),
    [
        # By night, those whose images or servers take long.
        pytest.param(task, command, answer, id=task, marks=[] if "bigquery" in task else pytest.mark.nightly)
        for task, (command, answer) in SERVED.items()
    ],
)
def test_the_agent_finds_the_servers_with_what_they_hold(task: str, command: str, answer: str, tmp_path: Path) -> None:
    assert export(task, "-o", tmp_path / "out") == EXIT_FINE
    folder = tmp_path / "out" / task.replace("/", "--")
    [environment] = {found.manifest.environment for found in select(load_suite(), [task])}
    sandbox = _choice.load("docker")
    sandbox.prepare(environment)
    start = tomllib.loads((folder / "task.toml").read_text())["environment"]["healthcheck"]["command"]
    with container(folder / "environment", docker.image_tag(environment)) as box:
        inside(box, start)
        inside(box, start)
        assert answer in inside(box, command, "worker")


@bubblewrap
def test_what_a_world_puts_into_the_work_folder_comes_along(tmp_path: Path) -> None:
    assert export("docs/runbook", "-o", tmp_path / "out") == EXIT_FINE
    work = tmp_path / "out" / "docs--runbook" / "environment" / "workspace"
    assert "store-1.csv" in (work / "landing" / "2026-03-27" / "manifest").read_text()


@bubblewrap
def test_a_task_that_can_not_be_exported_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export("redshift/staging-upsert", "-o", tmp_path / "out") == EXIT_USAGE
    assert "tasks on redshift can't be exported" in capsys.readouterr().err


@bubblewrap
@pytest.mark.docker
def test_the_solution_removes_what_the_reference_does_without(exported: Path) -> None:
    _choice.load("docker").prepare("core")
    with container(exported / "environment", docker.image_tag("core")) as box:
        bring(box, "/solution", exported / "solution")
        assert inside(box, "ls", "worker").split() == ["old.sh"]
        inside(box, "sh /solution/solve.sh", "worker")
        assert inside(box, "ls", "worker").split() == ["DELIVERABLE.md", "greet.sh"]
        assert inside(box, "bash greet.sh", "worker") == "Hello Kim the 7th!\n"


@bubblewrap
@pytest.mark.docker
@pytest.mark.nightly  # installs packages
def test_the_verifiers_image_grades_in_a_container(exported: Path) -> None:
    with container(exported / "tests", "", **CONFINED) as box:
        for folder, expected in (("", 0.0), (exported / "solution" / "files", 1.0)):
            if folder:
                bring(box, "/work", Path(folder))
            inside(box, "/tests/test.sh")
            assert json.loads(inside(box, "cat /logs/verifier/reward.json"))["reward"] == expected


def test_the_composition_asks_for_what_the_test_gives() -> None:
    text = (Path(cli.__file__).parents[1] / "harbor" / "files" / "docker-compose.yaml").read_text()
    assert f"cap_add: [{', '.join(CONFINED['cap_add'])}]" in text
    assert all(option in text for option in CONFINED["security_opt"])
