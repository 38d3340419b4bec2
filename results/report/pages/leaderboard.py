"""The first page: the leaderboards, each with its charts and notes, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from results.leaderboard import By
from results.rendering import Row, notes
from results.report.charts import SHARES, Mark, cost_and_score
from results.report.pages import File
from results.report.reading import Board, Source

PLACE = 10
ENTRY = ("Leaderboard", "index.html")
PARTS: tuple[By, ...] = ("technology", "responsibility", "difficulty")


def files(source: Source) -> Iterator[File]:
    yield File("index.html", "leaderboard.html", partial(_values, source))


def _values(source: Source) -> Mapping[str, Any]:
    return {"boards": [_board(board) for board in source.boards], "axis": SHARES}


def _board(board: Board) -> dict[str, Any]:
    rows = board.rows
    versions = sorted({run.directory.record.harness_version for run in board.runs})
    return {
        "board": board,
        "rows": [{"number": number, "of": row, "runs": board.runs_of(row)} for number, row in enumerate(rows, start=1)],
        "marks": [_mark(board, number, row) for number, row in enumerate(rows, start=1)],
        "scatter": cost_and_score(
            [
                (f"#{number}", row["cost"], row["score"], row["graded"] + row["invalid"], bool(row["front"]))
                for number, row in enumerate(rows, 1)
            ]
        ),
        "parts": {by: board.parts(by) for by in PARTS},
        "has_k": any(row["k"] is not None for row in rows),
        "notes": [
            *notes(rows),
            *(
                [f"the runs were made by different versions of bench: {', '.join(versions)}"]
                if len(versions) > 1
                else []
            ),
        ],
    }


def _mark(board: Board, number: int, row: Row) -> Mark:
    runs = board.runs_of(row)
    return Mark(
        f"#{number} {row['model']}",
        row["score"],
        row["score_low"],
        row["score_high"],
        detail=f"{row['agent']} · {row['persona']}",
        link=runs[0].path if len(runs) == 1 else "",
    )
