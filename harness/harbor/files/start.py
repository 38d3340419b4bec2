"""Makes the engines ready: ``start.py``, run as root in the agent's container; a second run does nothing.

The server is the one that boxes have, loaded with what the export dumped of the visible world. It runs as ``driver``
and outlives this program, which ends once the database answers, or with what went wrong.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
WARM = PROGRAMS.parent / "share" / "warm"
SERVER = "/opt/runtime/driver/postgres_server.py"
DATA, SOCKETS, LOADED = "/driver/postgres", "/sockets", Path("/driver/loaded")
DRIVER: dict[str, Any] = {"user": 10001, "group": 10001, "extra_groups": []}
WORKER = 10002


def start_airflow() -> None:
    """Its metadata database, where Airflow looks for it; the agent's own."""
    home = Path(os.environ["AIRFLOW_HOME"])
    if not home.exists():
        home.mkdir(parents=True)
        shutil.copy(WARM / "airflow" / "airflow.db", home)
        for path in (home, home / "airflow.db"):
            os.chown(path, WORKER, WORKER)


def start_postgres(settings: Path) -> None:
    if LOADED.exists():
        return
    if Path(DATA).exists():
        sys.exit("PostgreSQL came up only half the last time; /driver/server.out may say why")
    password = secrets.token_hex(16)
    steering, steered = os.pipe()
    log = os.open("/driver/server.out", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.chown("/driver/server.out", 10001, 10001)
    argv = [sys.executable, "-I", SERVER, f"{WARM}/postgres", DATA, SOCKETS]
    server = subprocess.Popen(
        argv, stdin=steering, stdout=subprocess.PIPE, stderr=log, start_new_session=True, **DRIVER
    )
    assert server.stdout
    request = {"op": "start", "password": password, **json.loads(settings.read_text())}
    os.write(steered, json.dumps(request).encode() + b"\n")
    reply = json.loads(server.stdout.readline() or b'{"error": "the server ended"}')
    if "error" in reply:
        sys.exit(f"PostgreSQL: {reply['error']}")
    load(password)
    keep(steered)
    LOADED.touch()


def load(password: str) -> None:
    """The visible world, with its owners and rights."""
    psql = [f"{PROGRAMS}/psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-h", DATA, "-U", "postgres"]
    done = subprocess.run(
        [*psql, "-d", "warehouse", "-f", f"{HERE}/postgres.sql"],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"PostgreSQL refuses the visible world: {done.stderr}")


def keep(steered: int) -> None:
    """The server ends with its standard input: somebody has to hold it open."""
    os.set_inheritable(steered, True)
    subprocess.Popen(
        ["sleep", "infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(steered,),
        start_new_session=True,
        **DRIVER,
    )


if __name__ == "__main__":
    if (WARM / "airflow").is_dir() and "AIRFLOW_HOME" in os.environ:
        start_airflow()
    if (HERE / "postgres.json").is_file():
        start_postgres(HERE / "postgres.json")
