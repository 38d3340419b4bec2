"""Tables behind BigQuery's SQL for one box: ``bigquery_server.py SOCKET FOLDER PROJECT``.

A client writes a JSON object to the UNIX socket, ends, and reads one (see ``bigquery_jobs.run``). Lines of JSON on
standard input steer it, each answered by a line:

    {"op": "run", …}             a job of the driver's own, which is never cancelled
    {"op": "read", "table": …}   all rows of a table
    {"op": "execute", "statements": […]}   in DuckDB's words
    {"op": "append", "table": …, "columns": […], "rows": […]}
    {"op": "describe"}           names of the tables, and what is known of each
    {"op": "reset"}              no tables
    {"op": "count"}, {"op": "crash", "after": n}   begin counting statements; behind the n-th, jobs are cancelled
    {"op": "open"}               stop counting; a letter for each statement

Every job is a process of its own: one that hangs, or that DuckDB crashes on, is over, and the next one finds the tables
as the last commit left them. One runs at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

import bigquery_jobs
from trusted_reader import failure

MOST_TIME = 60.0  # seconds a job
MOST_MEMORY = 4 << 30  # bytes of addresses, the libraries' among them
MOST_REQUEST, MOST_ANSWER, PATIENCE = 1 << 20, 64 << 20, 30.0


class Service:
    def __init__(self, folder: str, project: str) -> None:
        self.path, self.project = os.path.join(folder, "tables.duckdb"), project
        self.folder = folder
        self.counted: str | None = None
        self.left: int | None = None
        self.do_reset({})

    # -- jobs ------------------------------------------------------------------------------------------------------

    def forked(self, function, *arguments) -> dict:
        """What the function returns in a process of its own."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
                os.dup2(2, 1)  # standard output is for whoever steers
                try:
                    answer = function(self.path, *arguments)
                except Exception as error:  # a statement that one of the libraries has no answer to
                    answer = failure(error)
                with os.fdopen(writing, "wb") as pipe:
                    pipe.write(json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(writing)
        text = b""
        end = time.monotonic() + MOST_TIME
        while (left := end - time.monotonic()) > 0 and len(text) <= MOST_ANSWER:
            if not select.select([reading], [], [], left)[0]:
                break
            if not (part := os.read(reading, 1 << 20)):
                break
            text += part
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            return json.loads(text)
        except ValueError:
            return {
                "error": f"Resources exceeded during query execution: more than {MOST_TIME:.0f} s, or too much memory"
            }

    def job(self, request: dict) -> dict:
        """A job of the submission's."""
        answer = self.forked(bigquery_jobs.run, self.project, request, self.left)
        done = str(answer.pop("done", ""))
        if self.counted is not None:
            self.counted += done
        if self.left is not None:
            self.left -= len(done)
        return answer

    # -- steering --------------------------------------------------------------------------------------------------

    def steer(self, request: dict) -> dict:
        return getattr(self, f"do_{request.pop('op')}")(request) or {}

    def do_run(self, request: dict) -> dict:
        return {"answer": self.forked(bigquery_jobs.run, self.project, request, None)}

    def do_read(self, request: dict) -> dict:
        return {"answer": self.forked(bigquery_jobs.whole, request["table"])}

    def do_execute(self, request: dict) -> dict:
        return self.forked(bigquery_jobs.execute, request["statements"])

    def do_append(self, request: dict) -> dict:
        return self.forked(bigquery_jobs.append, request["table"], request["columns"], request["rows"])

    def do_describe(self, request: dict) -> dict:
        return self.forked(bigquery_jobs.describe)

    def do_reset(self, request: dict) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.counted = self.left = None

    def do_count(self, request: dict) -> None:
        self.counted, self.left = "", request.get("after")

    do_crash = do_count

    def do_open(self, request: dict) -> dict:
        counted, self.counted, self.left = self.counted or "", None, None
        return {"counted": counted}


def serve(service: Service, client: socket.socket) -> None:
    """One request; a client that is slow or gone is left."""
    text, end = b"", time.monotonic() + PATIENCE
    with client, contextlib.suppress(OSError):
        while (left := end - time.monotonic()) > 0:
            client.settimeout(left)
            if not (part := client.recv(1 << 16)):
                break
            text += part
            if len(text) > MOST_REQUEST:
                return
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return
        answer = service.job(request) if isinstance(request, dict) else {"error": "no request"}
        client.settimeout(PATIENCE)
        client.sendall(json.dumps(answer).encode())


def main() -> None:
    path, folder, project = sys.argv[1:]
    service = Service(folder, project)
    bigquery_jobs.warm()
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen(16)
    rest = b""
    while True:
        ready = select.select([0, server], [], [])[0]
        if 0 in ready:  # first of all: whoever steers doesn't queue behind a submission
            if not (part := os.read(0, 1 << 20)):
                return
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                request = json.loads(line)
                try:
                    reply = {"reply": request["op"], **service.steer(request)}
                except Exception as error:
                    reply = {"error": f"{type(error).__name__}: {error}"}
                sys.stdout.write(json.dumps(reply) + "\n")
                sys.stdout.flush()
        elif server in ready:
            serve(service, server.accept()[0])


if __name__ == "__main__":
    main()
