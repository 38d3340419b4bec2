"""What Harbor's verifier runs: grades the one task of a suite, and writes the reward.

python -m harness.harbor.verify grade SUITE WORK LOGS     LOGS/reward.json, and the whole grade in LOGS/grade.json
python -m harness.harbor.verify adopt SUITE ENVIRONMENT   once, when the image is built: no second environment
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from graders.grade import Grade, grade
from harness.errors import EXIT_FINE, BenchError
from harness.grading import suite_contract, to_json
from harness.sandboxes import Sandbox, _choice, _environments
from harness.submission import Submission, SubmissionError, from_folder
from harness.task import HIDDEN_SEEDS, Task, load_suite
from results.durable import write_whole

GRADE, REWARD = "grade.json", "reward.json"


def verify(task: Task, work: Path, logs: Path, sandbox: Sandbox) -> Grade:
    """Grade what stands in a folder; the reward is written once, last, in one step.

    Raises:
        InfrastructureError: there is no grade, and no reward is written.
    """
    graded = grade(task, left_in(work, task), sandbox, HIDDEN_SEEDS[0], suite_contract())
    logs.mkdir(parents=True, exist_ok=True)
    write_whole(logs / GRADE, to_json(graded).encode())
    write_whole(logs / REWARD, json.dumps(rewards(graded)).encode())
    return graded


def left_in(work: Path, task: Task) -> Submission:
    """The submission in a folder, as it is taken from a box: too big a file is left out, too many are none."""
    try:
        return from_folder(work, task.takes, leave_out_big=True)
    except (SubmissionError, OSError) as error:
        print(f"what was left can't be handed in: {error}", file=sys.stderr)
        return Submission()


def rewards(graded: Grade) -> dict[str, float]:
    """``reward`` is the score, 0 to 1; ``resolved`` 0 or 1. Dimensions stay out: Harbor's mean over tasks would count
    one that a task hasn't as 0."""
    return {"reward": graded.score, "resolved": float(graded.resolved)}


def adopt(task: Task, environment: Path) -> None:
    """Take a built environment for the one that the sandbox would build."""
    folder = _environments.venv_folder(task.manifest.environment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(environment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("grade", "adopt"))
    parser.add_argument("suite")
    parser.add_argument("folder", type=Path)
    parser.add_argument("logs", type=Path, nargs="?", default=Path("/logs/verifier"))
    given = parser.parse_args()
    try:
        (task,) = load_suite(given.suite)
        if given.step == "adopt":
            adopt(task, given.folder)
        else:
            verify(task, given.folder, given.logs, _choice.choose("bubblewrap", trusted=False))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main())
