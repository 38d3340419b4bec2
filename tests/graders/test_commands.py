"""Commands are found in a runbook however it is written, and only what can be executed."""

import pytest

from graders.commands import commands
from harness.grading import suite_contract

RUNBOOK = """## Runbook

1. Run manually: {manual}
2. Troubleshoot: look at `SELECT 1` and `rm -rf /`.
3. Backfill: {backfill}
"""


def scripts(manual: str, backfill: str = "as above.") -> list[tuple[str, bool]]:
    text = RUNBOOK.format(manual=manual, backfill=backfill)
    found = commands(suite_contract(), text, {"batch_id": "1"}, {"PGHOST", "PGUSER"})
    return [(command.script, command.by_hand) for command in found]


@pytest.mark.parametrize(
    "manual",
    [
        "`psql -v batch_id=17 -f load.sql`",
        "`PGHOST=db1 PGUSER=etl psql -v batch_id=17 -f load.sql`",
        "`cd /srv/load && psql -v batch_id=17 -f load.sql`",
        "`sudo psql -v batch_id=<batch_id> -f load.sql` once",
        "`psql -v batch_id=<the batch> -f load.sql`",
        "in a shell\n\n   ```sh\n   # 1\n   export PGHOST=db1\n   psql -v batch_id=7 \\\n   -f load.sql\n   ```\n",
        "`$ psql -v batch_id=$BATCH -f load.sql`",
    ],
)
def test_a_command_is_executed_on_data_that_is_there(manual: str) -> None:
    assert ("psql -v batch_id=1 -f load.sql", True) in scripts(manual)


@pytest.mark.parametrize(
    "manual",
    [
        "press the button in the UI, or ask `data-oncall`",
        "`load.sql` is what you need",
        "`kubectl apply -f job.yaml`",
        "`python run.py --day {day}`",
        "`python run.py --day ...`",
        "don't use `psql`, and don't worry",
    ],
)
def test_what_cannot_be_executed_here_is_left_alone(manual: str) -> None:
    assert scripts(manual) == []


def test_only_the_steps_that_run_something_are_followed() -> None:
    found = scripts("`bash run.sh today`", "`for b in 1 2 3; do psql -v batch_id=$b -f load.sql; done`")
    assert [by_hand for _, by_hand in found] == [True, False]
    assert not any("rm -rf" in script for script, _ in found)
