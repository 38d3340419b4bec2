"""``python -m tests.provider``: serve a model that solves a suite's tasks. Prints its address, ends on ^C."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading

from harness.task import load_suite, select
from tests.provider import ProviderServer, solving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="core")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("tasks", nargs="*", help="ids or globs; all tasks without")
    options = parser.parse_args()
    tasks = select(load_suite(options.suite), tuple(options.tasks))
    with ProviderServer(solving(*tasks), options.port) as server:
        print(server.base_url("openai-compatible"), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        for complaint in server.complaints:
            print(complaint, file=sys.stderr)


if __name__ == "__main__":
    main()
