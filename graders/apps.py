"""Programs that are not the submission's but share its database: they write while it is at work."""

from __future__ import annotations

from collections.abc import Sequence

from harness.lab import Lab


def written_by_an_app(lab: Lab, statements: Sequence[str]) -> tuple[list[bool], str]:
    """Statements of an app, a client like any other, each on its own: whether each succeeded, and what was said."""
    script = "".join(f"{statement};\n\\echo failed :ERROR\n" for statement in statements)
    done = lab.box.run(["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"], stdin=script.encode())
    told = [line.removeprefix("failed ") for line in done.stdout.splitlines() if line.startswith("failed ")]
    # A session that the database ended says nothing of the rest.
    succeeded = [failed == "false" for failed in told[: len(statements)]]
    return succeeded + [False] * (len(statements) - len(succeeded)), done.stderr
