"""Makes the engines ready: ``start.py``, run as root in the agent's container; a second run does nothing.

The servers are those that boxes have; each is told what the export's one was told of the visible world. They run as
``driver`` and outlive this program, which ends once they answer, or with what went wrong.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
WARM = PROGRAMS.parent / "share" / "warm"
RUNTIME, FOLDER = "/opt/runtime", "/driver"
POSTGRES = f"{FOLDER}/postgres"
DRIVER: dict[str, Any] = {"user": 10001, "group": 10001, "extra_groups": [], "start_new_session": True}
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
    """With a password of its own."""
    password = secrets.token_hex(16)
    request = {"op": "start", "password": password, **json.loads(settings.read_text())}
    serve("PostgreSQL", ["driver/postgres_server.py", f"{WARM}/postgres", POSTGRES, "/sockets"], [request])
    load(password)


def load(password: str) -> None:
    """The visible world, with its owners and rights."""
    psql = [f"{PROGRAMS}/psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-h", POSTGRES, "-U", "postgres"]
    done = subprocess.run(
        [*psql, "-d", "warehouse", "-f", f"{HERE}/postgres.sql"],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"PostgreSQL refuses the visible world: {done.stderr}")


def start_server(told: Path) -> None:
    server = json.loads(told.read_text())
    serve(told.name.split(".")[0], server["command"], server["requests"])
    port, path = server["door"]
    with socket.create_server(("127.0.0.1", port), backlog=128) as door:
        argv = [sys.executable, "-I", f"{RUNTIME}/door.py", path]
        subprocess.Popen(argv, stdin=door.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **DRIVER)


def serve(name: str, command: list[str], requests: Iterable[dict[str, Any]]) -> None:
    """Start a script of the runtime, and have it answer these requests."""
    steering, steered = os.pipe()
    log = os.open(f"{FOLDER}/{name}.out", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchown(log, 10001, 10001)
    script, *arguments = command
    server = subprocess.Popen(
        [sys.executable, "-I", f"{RUNTIME}/{script}", *arguments],
        stdin=steering,
        stdout=subprocess.PIPE,
        stderr=log,
        # The agent's variables name the server as a client finds it.
        env={"PATH": os.environ["PATH"], "HOME": FOLDER, "LANG": "C.UTF-8", "TZ": "UTC"},
        **DRIVER,
    )
    assert server.stdout
    with os.fdopen(os.dup(steered), "wb") as told:
        for request in requests:
            told.write(json.dumps(request).encode() + b"\n")
            told.flush()
            reply = json.loads(server.stdout.readline() or b'{"error": "the server ended"}')
            if "error" in reply:
                sys.exit(f"{name}: {reply['error']}")
    keep(steered)


def keep(steered: int) -> None:
    """The server ends with its standard input: somebody has to hold it open."""
    os.set_inheritable(steered, True)
    subprocess.Popen(
        ["sleep", "infinity"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(steered,),
        **DRIVER,
    )


def once(start: Callable[[Path], None], told: Path) -> None:
    begun, done = Path(FOLDER) / f"{told.name}.begun", Path(FOLDER) / f"{told.name}.done"
    if done.exists():
        return
    if begun.exists():
        sys.exit(f"{told.name}: it came up only half the last time; the files {FOLDER}/*.out may say why")
    begun.touch()
    start(told)
    done.touch()


if __name__ == "__main__":
    if (WARM / "airflow").is_dir() and "AIRFLOW_HOME" in os.environ:
        start_airflow()
    if (HERE / "postgres.json").is_file():
        once(start_postgres, HERE / "postgres.json")
    for told in sorted(HERE.glob("*.server.json")):
        once(start_server, told)
