"""How long ``bench --help`` takes, beside what it can't be faster than. Fails if it misses the target.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

TARGET = 0.2
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "bench --help": ["-c", "from harness.cli import main; main(['--help'])"],
    "bench --version": ["-c", "from harness.cli import main; main(['--version'])"],
}


def seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    # Side by side: each round measures every program once, so that a busy machine slows all of them alike.
    rounds = [{name: seconds(arguments) for name, arguments in PROGRAMS.items()} for _ in range(repeats + 1)][1:]
    for name in PROGRAMS:
        times = [measured[name] for measured in rounds]
        print(f"{name:<18} median {statistics.median(times):.3f} s   best {min(times):.3f} s")
    if statistics.median(measured["bench --help"] for measured in rounds) >= TARGET:
        sys.exit(f"bench --help takes longer than {TARGET} s")


if __name__ == "__main__":
    main()
