"""How long a leaderboard of very many trials takes, and how much memory: the table of docs/leaderboards.md.

A store of generated trials (a data set as `bench export dataset` writes it) is made first, which is not measured;
`bench leaderboard` then runs in a process of its own, whose processor time (user and system, of all its threads) and
peak memory (`ru_maxrss`) count: the wall clock of a machine that others use, too, says nothing.

python benchmarks/scale.py [--trials 1000000]     exits with 1 if the largest takes more than 5 s or 1 GiB
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from results.dataset import TABLES, TaskRow, write_task_rows
from results.records import PersonaRecord, RunRecord, SuiteRecord, TaskRecord
from results.tables import CHECKS, DIMENSION, runs_table, trials_schema
from results.tallies import Facets

SECONDS, BYTES = 5.0, 1 << 30
TASKS, ATTEMPTS, MODELS = 100, 10, 20
DIMENSIONS = ("communication", "correctness", "deliverable", "durability", "idempotency", "late_data", "quality")
AGENTS, PERSONAS = ("tools", "oneshot"), ("none", "data-engineer")
TECHNOLOGIES = ("airflow", "dbt", "duckdb", "postgresql", "spark")


def run_record(number: int) -> RunRecord:
    """Every configuration is run again and again, by turns."""
    persona = PERSONAS[number % 2]
    names = [f"{TECHNOLOGIES[task % 5]}/task-{task}" for task in range(TASKS)]
    return RunRecord(
        run=f"run-{number:05}",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        harness_version="0.1.0",
        suite=SuiteRecord(name="generated", digest="0"),
        tasks={name: TaskRecord(digest="d", grader_digest="g") for name in names},
        persona=PersonaRecord(name=persona, digest=persona, text="" if persona == "none" else "You are thorough."),
        agent=AGENTS[number // 2 % 2],
        model=f"some/model-{number // 4 % MODELS}",
        simulated=True,
        sandbox="docker",
        attempts=ATTEMPTS,
        seeds=(1,),
        planned=tuple(names),
    )


def trials_of(record: RunRecord, random: np.random.Generator) -> pa.Table:
    """Scores from a skill of the configuration and a difficulty of the task."""
    count = TASKS * ATTEMPTS
    skill = 0.3 + 0.5 * int(record.model.rpartition("-")[2]) / MODELS
    hard = np.repeat(np.sin(np.arange(TASKS)) / 5, ATTEMPTS)
    dimensions = (random.random((len(DIMENSIONS), count)) < skill - hard).astype(float)
    score = dimensions.mean(axis=0)
    invalid = random.random(count) < 0.01
    schema = trials_schema(DIMENSIONS)
    columns = {
        "run": [record.run] * count,
        "task": np.repeat(record.planned, ATTEMPTS),
        "attempt": np.tile(np.arange(1, ATTEMPTS + 1), TASKS),
        "status": np.where(invalid, "invalid", "graded"),
        "score": pa.array(score, mask=invalid),
        "resolved": pa.array(score == 1, mask=invalid),
        "cost": pa.array(random.integers(1, 500, count)).cast(pa.decimal128(38, 12)),
        **{
            f"{DIMENSION}{name}": pa.array(values, mask=invalid)
            for name, values in zip(DIMENSIONS, dimensions, strict=True)
        },
        **{
            f"{kind}_tokens": random.integers(0, 100_000, count)
            for kind in ("input", "output", "cache_read", "cache_write")
        },
        **{f"{kind}_seconds": random.random(count) * 600 for kind in ("working", "provider", "waited", "grading")},
        "turns": random.integers(1, 60, count),
        **{name: [getattr(record, name)] * count for name in ("simulated", "model", "agent")},
        "submission": [f"{number:064x}" for number in random.integers(0, 1 << 62, count)],
    }
    nothing = {name: pa.nulls(count, schema.field(name).type) for name in schema.names if name not in columns}
    return pa.table({**columns, **nothing}).select(schema.names).cast(schema)


def make_store(folder: Path, trials: int) -> None:
    records = [run_record(number) for number in range(trials // (TASKS * ATTEMPTS))]
    random = np.random.default_rng(1)
    for name in TABLES:
        (folder / name).mkdir(parents=True)
    for start in range(0, len(records), 100):
        part = [trials_of(record, random) for record in records[start : start + 100]]
        pq.write_table(pa.concat_tables(part), folder / "trials" / f"{start}.parquet")
    pq.write_table(CHECKS.empty_table(), folder / "checks" / "0.parquet")
    pq.write_table(runs_table(records), folder / "runs" / "0.parquet")
    rows = [
        TaskRow("generated", name, "d", "g", Facets((name.partition("/")[0],), ("modelling",), "hard"))
        for name in records[0].planned
    ]
    write_task_rows(folder / "tasks" / "0.parquet", rows)


def measured(store: Path, *options: str) -> tuple[float, int]:
    """Processor seconds and peak bytes of a `bench leaderboard` of the store."""
    code = "import sys; from harness.cli import main; main(sys.argv[1:])"
    argv = [sys.executable, "-c", code, "leaderboard", str(store), "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with open(os.devnull, "w") as sink:  # noqa: PTH123
        process = os.posix_spawn(argv[0], argv, environment, file_actions=[(os.POSIX_SPAWN_DUP2, sink.fileno(), 1)])
        _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"bench leaderboard failed: {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000_000)
    most = parser.parse_args().trials
    print("| trials | leaderboard | `--by technology` | peak memory |\n|--:|--:|--:|--:|")
    seconds, size = 0.0, 0
    for trials in sorted({most // 100, most // 10, most}):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder, "store")
            make_store(store, trials)
            seconds, size = measured(store)
            by, of_by = measured(store, "--by", "technology")
            size = max(size, of_by)
        print(f"| {trials:,} | {seconds:.1f} s | {by:.1f} s | {size / (1 << 20):.0f} MiB |", flush=True)
    return 0 if seconds <= SECONDS and size <= BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
