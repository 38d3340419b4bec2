"""Texts that would do something if a page took them for more than text, and a run that holds them everywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import judges
from results.records import CheckRecord, PersonaRecord, TrialRecord
from results.run_directory import RunDirectory
from tests.results.builders import trial_record
from tests.results.comparisons import on_disk, with_submission

# A name that no page has; a test looks for it after every page was opened.
RUN = "window.__injected=1"
ABROAD = "http://127.0.0.1:9/abroad"
MARKUP = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title></textarea></style></pre></svg></template><script>{RUN}</script>",
    f"<img src={ABROAD}/i.png onerror={RUN}>",
    f"<svg onload={RUN}><style>@import '{ABROAD}/s.css'</style></svg>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" x="',
    f"' onmouseover='{RUN}' x='",
    f"<iframe srcdoc='<script>parent.__injected=1</script>' src={ABROAD}></iframe>",
    f"<details open ontoggle={RUN}><base href={ABROAD}><meta http-equiv=refresh content='0;url={ABROAD}'>",
    f"<form action={ABROAD}><button formaction=javascript:{RUN}>go</button></form>",
    f"<link rel=stylesheet href={ABROAD}/s.css><object data={ABROAD}></object><embed src={ABROAD}>",
    "<!--", "]]>", "{{ 7*7 }}{% raw %}", "${7*7}",
)  # fmt: skip
MARKDOWN = (
    f"[click](javascript:{RUN})",
    f"[click](data:text/html,<script>{RUN}</script>)",
    f"![seen]({ABROAD}/i.png)",
    f"[a reference][1]\n\n[1]: {ABROAD}/r 'title'",
    f"<{ABROAD}/auto>",
    f"```html\n<script>{RUN}</script>\n```",
    f"```{MARKUP[1]}\ncode\n```",
    f"| a | b |\n|:--|--:|\n| {MARKUP[0]} | ![]({ABROAD}/t.png) |",
    "> " * 60 + "deep",
)
CONTROLS = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m",
    "\u202egnp.exe\u202c \u2066isolated\u2069 \ufefffeff \u200bzero",
    "line\u2028separator\u2029paragraph\r\nreturn\rbare\x00nul\x85next",
)
HUGE = "x" * 300_000
EVERYTHING = "\n\n".join((*MARKUP, *MARKDOWN, *CONTROLS))
SHORT = " ".join(MARKUP[:7]) + "".join(CONTROLS)
FILE_NAMES = (
    "<img src=x onerror=window.__injected=1>.sql",
    '" onclick="window.__injected=1.md',
    "javascript:window.__injected=1",
    "\u202egnp.py",
    "a\x1b]0;owned\x07.txt",
    "name\nof two lines",
    "&lt;b&gt;&#x3c;script",
)
DIFFERENCE = f"why {MARKUP[0]}: orders: 2 rows, expected 2; columns: id, {MARKUP[3].replace(', ', ' ')}\n"
CELLS = [json.dumps(text) for text in (MARKUP[1], MARKUP[5])]
EVIDENCE = f"{DIFFERENCE}1 missing:\n  (1, {CELLS[0]})\n1 unexpected:\n  (1, {CELLS[1]})\n"


def hostile_trial(task: str, attempt: int) -> TrialRecord:
    """Every text of a record that a model has a hand in, and those it hasn't."""
    checks = [
        CheckRecord(id=f"check {SHORT}", dimension=f"dimension {MARKUP[0]}", clauses=(f"a/{SHORT}",), required=True,
                    passed=passed, evidence=evidence)
        for passed, evidence in ((False, EVIDENCE), (False, EVERYTHING), (False, HUGE), (True, EVERYTHING))
    ]  # fmt: skip
    return trial_record(
        task,
        attempt,
        0.5,
        resolved=False,
        checks=checks,
        dimensions={f"dimension {MARKUP[0]}": 0.5},
        technologies=(SHORT,),
        responsibilities=(SHORT,),
        difficulty=SHORT,
        submission=SHORT,
        stop_reason=SHORT,
        perturbations=(EVERYTHING, SHORT),
        tampering=(EVERYTHING, SHORT),
    )


def hostile_transcript() -> list[dict[str, Any]]:
    """One event of every kind, each with all of it in every field."""
    time = "2025-01-02T03:04:05.678+00:00"
    texts = (EVERYTHING, HUGE, "")
    events: list[dict[str, Any]] = [
        {"time": time, "event": kind, "text": text}
        for kind in ("system", "user", "assistant", "note", "tool_result", MARKUP[0])
        for text in texts
    ]
    events += [
        {"time": SHORT, "event": "assistant", "text": EVERYTHING, "stop": SHORT, "usage": {"output_tokens": SHORT}},
        {
            "time": time,
            "event": "tool_call",
            "id": SHORT,
            "name": SHORT,
            "arguments": {SHORT: EVERYTHING, "b": [SHORT]},
        },
        {"time": time, "event": "tool_result", "id": SHORT, "text": EVERYTHING, "failed": True, "seconds": 1},
        {"time": time, "event": "tool_call", "id": "2", "name": MARKUP[0], "raw": EVERYTHING},
        {"time": time, "event": "tool_call", "id": "3", "name": "bash", "arguments": {"command": HUGE}},
        {"time": time, "event": "tool_result", "id": "3", "text": "\ud800 lone", "failed": "yes", "seconds": SHORT},
        {"event": "note", "text": {"not": ["a", "text", SHORT]}},
    ]
    return events


def hostile_run(path: Path, tasks: Sequence[str], **changes: Any) -> RunDirectory:
    """A run of trials in which everything is hostile that can be."""
    persona = PersonaRecord(name=f"persona {SHORT}", digest=MARKUP[3], text=EVERYTHING)
    fields = {
        "model": f"openai-compatible/{SHORT}",
        "persona": persona,
        "agent": SHORT,
        "parameters": {SHORT: SHORT},
        "environments": {SHORT: SHORT},
        "budgets": {SHORT: SHORT},
        "sandbox": SHORT,
    }
    run = on_disk(path, [hostile_trial(task, 1) for task in tasks], **{**fields, **changes})
    for task in tasks:
        files = {
            "DELIVERABLE.md": EVERYTHING,
            "huge.txt": HUGE,
            "binary": b"\0\1",
            **dict.fromkeys(FILE_NAMES, EVERYTHING),
        }
        with_submission(run, task, 1, files)
        transcript = run.trial(task, 1).transcript
        transcript.write_text("".join(f"{json.dumps(event)}\n" for event in hostile_transcript()))
        hostile_judge(run, task)
    return run


def hostile_judge(run: RunDirectory, task: str) -> None:
    """A judge that quotes, reasons and is called as it likes."""
    votes = (
        judges.VoteRecord(said="met", quote=EVERYTHING, reason=EVERYTHING),
        judges.VoteRecord(said="void", quote=EVERYTHING, void=SHORT),
    )
    verdicts = (
        judges.VerdictRecord(rubric=SHORT, clause=SHORT, said="met", votes=votes),
        judges.VerdictRecord(rubric=SHORT, clause=SHORT, said="void", votes=votes[1:]),
        judges.VerdictRecord(rubric=SHORT, clause=SHORT, said="void", void=EVERYTHING),
    )
    rubric = judges.RubricRecord(id=SHORT, clause=SHORT, asks=SHORT, met=SHORT, not_met=SHORT)
    judge = judges.JudgeRecord(judge="j", model=SHORT, harness_version=SHORT, rubrics=(rubric,))
    opinion = judges.OpinionRecord(judge="j", task=task, attempt=1, submission="", votes=2, verdicts=verdicts)
    for path, record in (
        (judges.judge_file(run, "j"), judge),
        (judges.opinion_file(run.trial(task, 1), "j"), opinion),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(record.model_dump_json())
