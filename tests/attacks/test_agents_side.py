"""What an agent can see where it works: its workspace, the visible data, the engine, and nothing else."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from graders.tampering import holds_canary
from harness.sandboxes import _choice, _environments
from harness.sandboxes._box import Box
from harness.task import HIDDEN_SEEDS, Task, load_suite
from harness.workplace import workplace
from tests.conftest import SANDBOXES
from tests.turns import everyday_sandbox

TASKS = load_suite()
KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-planted-1",
    "OPENAI_API_KEY": "sk-planted-2",
    "BENCH_CACHE_NOTE": "planted-3",
}
# The base image, the interpreter and its packages; of the environment only what we made is looked at.
PYTHON = Path(_environments.base_interpreter()).parent.parent
SYSTEM = (
    str(PYTHON),
    "/usr",
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/var",
    "/run",
    "/boot",
    "/opt/engine/bin",
    "/opt/engine/lib",
)
ALLOWED = (
    "/.dockerenv",
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/opt/engine/.gitignore", "/opt/engine/.lock", "/opt/engine/CACHEDIR.TAG", "/opt/engine/lib64",
    "/opt/engine/pyvenv.cfg", "/opt/engine/share/man/*", "/opt/engine/share/jupyter/*", "/opt/engine/share/doc/*",
    "/opt/engine/share/warm/postgres/cluster.tar", "/opt/engine/share/warm/airflow/airflow.db",
    "/opt/engine/share/warm/java", "/opt/engine/share/warm/spark",
    "/opt/engine/share/warm/kafka/storage.tar", "/opt/engine/share/warm/kafka/classes.jsa",
    "/opt/engine/share/warm/kafka/jars/*",
    "/opt/engine/share/py4j/*", "/opt/engine/include/*", "/opt/engine/etc/*",
    "/opt/runtime/resident.py", "/opt/runtime/dbt_calls.py", "/opt/runtime/airflow_calls.py",
    "/opt/runtime/connector_calls.py", "/opt/runtime/door.py", "/sockets/api", "/sockets/fivetran/.fivetran/*",
    "/opt/runtime/bq.py", "/sockets/bigquery.socket", "/sockets/bigquery/bq",
    "/opt/runtime/gx_calls.py", "/opt/runtime/airflow_waits.py", "/opt/runtime/lake_writer.py", "/work/lake/*", "/work/landing/*",
    "/opt/runtime/glue/awsglue/*.py", "/sockets/aws",
    "/opt/runtime/snowflake_calls.py", "/opt/runtime/emulated_snowflake/*.py",
    "/opt/runtime/supervisor.py", "/sockets/kafka",
    "/sockets/.s.PGSQL.5432", "/sockets/dbt/profiles.yml",
    "/sockets/flink/config.yaml", "/sockets/spark/spark-defaults.conf", "/sockets/spark/log4j2.properties",
    "/tmp/airflow/airflow.db",
)  # fmt: skip
VARIABLES = {
    "PATH", "HOME", "TMPDIR", "LANG", "TZ", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "USER", "PWD", "SHLVL", "_",
    "DATA", "WAREHOUSE", "SOURCE", "DBT_PROFILES_DIR", "DBT_SEND_ANONYMOUS_USAGE_STATS",
    "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "DATABASE_URL",
    "AIRFLOW_HOME", "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONN_FS_DEFAULT",
    "AIRFLOW_CONN_WAREHOUSE",
    "CHECKPOINTS", "FLINK_CONF_DIR", "JVM_ARGS",
    "LAKE", "JAVA_HOME", "PYSPARK_PYTHON", "SPARK_CONF_DIR", "SPARK_HOME", "SPARK_LAUNCHER_OPTS", "SPARK_LOCAL_IP",
    "API_URL", "S3", "DO_NOT_TRACK", "AIRBYTE_ENABLE_UNSAFE_CODE",
    "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED", "PYTHONPATH",
    "BIGQUERY_PORT", "BIGQUERY_PROJECT",
    "SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_PASSWORD", "SNOWFLAKE_ROLE", "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA", "SNOWFLAKE_STORAGE", "SNOWFLAKE_EMULATION",
    "KAFKA_BOOTSTRAP_SERVERS",
}  # fmt: skip
# Words that tell what is done to the work later.
TELLING = re.compile(
    r"bench(mark)?\b|\bgrad(e|es|er|ers|ing|ed)\b|mutant|hidden|canary|verdict|perturb|tamper|cheat|hostile|\bjudge",
    re.I,
)
LIST = (
    "find / \\( " + " -o ".join(f"-path {folder}" for folder in SYSTEM) + " \\) -prune -o ! -type d -print0 2>/dev/null"
)
OURS = "/opt/runtime /sockets/dbt"


def seen(task: Task, sandbox: str) -> dict[str, str]:
    with workplace(task, _choice.load(sandbox)) as place:
        commands = {
            "files": f"{LIST}; true",
            "variables": "env -0",
            "processes": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; hostname",
            "mounts": "cat /proc/self/mountinfo",
            "texts": f"cat {OURS}/* {OURS.split(maxsplit=1)[0]}/*/* /opt/runtime/glue/*/* 2>/dev/null; env",
            "data": "grep -rha '' /data /work /tmp 2>/dev/null | head -c 90000; true",
            "roles": "[ -z \"$PGHOST\" ] || psql -qAtc 'SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database'",
        }
        found = {}
        for name, command in commands.items():
            done = place.run(command, 60)
            assert done.ok or name == "texts", f"{name}: {done.explain()}"
            assert not done.truncated, f"{name}: more than can be looked at"
            found[name] = done.stdout
        return found


@pytest.mark.engines
@pytest.mark.parametrize(
    ("sandbox", "task"),
    [
        pytest.param(
            sandbox,
            task,
            # Every task in one of the sandboxes; the other one by night.
            marks=[getattr(pytest.mark, sandbox)]
            + ([] if sandbox == everyday_sandbox(task, number) else [pytest.mark.nightly]),
            id=f"{sandbox}-{task.id}",
        )
        for sandbox in SANDBOXES
        for number, task in enumerate(TASKS)
    ],
)
def test_an_agent_sees_its_workspace_and_its_engines_and_nothing_else(
    sandbox: str, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    found = seen(task, sandbox)

    # Which files of data there are is the task's matter; that they are the visible world's is looked at below.
    own = {f"/work/{path}" for path in task.workspace.files}
    unexpected = [
        path
        for path in filter(None, found["files"].split("\0"))
        if path not in own
        and not path.startswith("/data/")
        and not any(fnmatchcase(path, allowed) for allowed in ALLOWED)
    ]
    assert not unexpected, unexpected

    variables = dict(line.split("=", 1) for line in filter(None, found["variables"].split("\0")))
    assert set(variables) <= VARIABLES, set(variables) - VARIABLES

    everything = "\n".join(found.values())
    for value in (*KEYS.values(), task.manifest.canary, str(Path(__file__).resolve().parents[2])):
        assert value not in everything
    for name in ("texts", "files", "variables", "processes", "mounts", "roles"):
        telling = sorted({match.group(0) for match in TELLING.finditer(found[name].replace("\0", "\n"))})
        assert not telling, f"{name}: {telling}"
    for text in (path.read_text() for path in hidden_files(task) if path.name in ("checks.py", "mutants.toml")):
        for line in text.splitlines():
            assert len(line.strip()) < 50 or line.strip() not in everything


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_visible_world_is_none_of_those_that_are_hidden(task: Task) -> None:
    from harness.task import VISIBLE_SEED

    assert VISIBLE_SEED not in HIDDEN_SEEDS
    visible = repr(task.world.build(VISIBLE_SEED))
    assert all(repr(task.world.build(seed)) != visible for seed in HIDDEN_SEEDS)


def hidden_files(task: Task) -> list[Path]:
    """All of a task's files that no agent may see."""
    shown = ("instruction.md", "workspace")
    return [
        path
        for path in sorted(task.folder.rglob("*"))
        if path.is_file()
        and path.relative_to(task.folder).parts[0] not in shown
        and "__pycache__" not in path.parts
        and path.name != ".remove"
    ]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_hidden_file_holds_the_canary(task: Task) -> None:
    """But JSON, which has no comments."""
    without = [
        str(path.relative_to(task.folder))
        for path in hidden_files(task)
        if path.suffix != ".json" and path.stat().st_size and not holds_canary(task, path.read_text(errors="replace"))
    ]
    assert not without, f"end these files with a comment `canary: {task.manifest.canary}`: {', '.join(without)}"
    for path in (task.folder / "instruction.md", *(task.folder / "workspace").rglob("*")):
        assert not path.is_file() or not holds_canary(task, path.read_text(errors="replace")), path


def test_canaries_are_all_different() -> None:
    assert len({task.manifest.canary for task in TASKS}) == len(TASKS)


@pytest.mark.bubblewrap
def test_a_hidden_file_in_the_box_would_be_noticed() -> None:
    """The look itself works: what is put there is found."""
    with Box(_choice.load("bubblewrap"), "core") as box:
        box.put("work", {"checks.py": b"x"})
        assert "/work/checks.py" in box.run(["bash", "-c", f"{LIST}; true"]).stdout.split("\0")
