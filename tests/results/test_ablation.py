"""What an ablation concludes from its pairs of trials, and what it refuses to read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from results import ablation_rendering as rendering
from results.ablation import (
    CANT_TELL,
    WHOLE,
    AblationRecord,
    Effect,
    PartRecord,
    detectable,
    effects,
    interval,
    pairs_for_dead_weight,
    pairs_needed,
    read_ablation,
    write_record,
)
from results.comparable import NotComparable
from results.errors import RunDirectoryError
from results.power import Noise
from results.records import PersonaRecord, TrialRecord
from results.run_directory import find_runs
from results.sign_flip import exact_sign_flip, sign_flip
from tests.results.builders import trial_record
from tests.results.comparisons import graded, on_disk, task_names

ALL = (True,) * 4
TASKS = task_names(4)


def trials(values: Sequence[float], dimension: str = "durability") -> list[TrialRecord]:
    return [
        trial_record(TASKS[number % 4], 1 + number // 4, value, dimensions={dimension: value})
        for number, value in enumerate(values)
    ]


def effects_of(
    before: Sequence[float], after: Sequence[float], margin: float = 0.05, parts: int = 1
) -> Mapping[str, Effect]:
    without = {"a": trials(after), **{f"other-{number}": trials(before) for number in range(1, parts)}}
    return {effect.measure: effect for effect in effects(trials(before), without, margin, 0.05)["a"]}


def test_an_effect_is_the_whole_minus_what_is_without() -> None:
    found = effects_of([1.0] * 20, [0.5] * 20)
    assert list(found) == ["score", "durability"]
    score = found["score"]
    assert (score.whole, score.without, score.value, score.pairs) == (1.0, 0.5, 0.5, 20)
    assert score.verdict == "load-bearing"
    assert effects_of([0.5] * 20, [1.0] * 20)["score"].verdict == "harmful"


def test_too_few_pairs_tell_nothing_however_they_come_out() -> None:
    assert effects_of([1.0] * 5, [0.0] * 5)["score"].verdict == CANT_TELL
    assert effects_of([1.0] * 200, [1.0] * 200)["score"].verdict == "dead weight"
    assert effects_of([1.0] * 50, [1.0] * 50)["score"].verdict == CANT_TELL


def test_the_more_is_asked_the_more_it_takes() -> None:
    before, after = [1.0] * 8, [0.0] * 8
    alone, among = effects_of(before, after)["score"], effects_of(before, after, parts=12)["score"]
    assert alone.verdict == "load-bearing"
    assert among.verdict == CANT_TELL
    assert among.p == pytest.approx(12 * alone.p)  # 24 questions in the place of 2
    assert among.low is not None
    assert alone.low is not None
    assert among.low < alone.low


def test_p_is_holms_over_the_exact_sign_flip_test() -> None:
    # Of 8 pairs that are all worse: 2 · 2^-8; the first of two questions takes it twice.
    assert effects_of([1.0] * 8, [0.0] * 8)["score"].p == pytest.approx(2 * 2 * 2**-8)


def test_pairs_without_both_of_their_trials_are_left_out() -> None:
    whole = [*trials([1.0] * 8), trial_record(TASKS[0], 9, None)]
    without = [*trials([0.0] * 6), trial_record(TASKS[0], 9, 0.0)]
    (score, _) = effects(whole, {"a": without}, 0.05, 0.05)["a"]
    assert score.pairs == 6


def test_without_any_pair_nothing_is_said() -> None:
    assert effects(trials([1.0]), {"a": []}, 0.05, 0.05) == {"a": ()}
    assert effects([], {"a": trials([1.0])}, 0.05, 0.05) == {"a": ()}


def test_one_pair_has_no_interval() -> None:
    assert interval([0.5], 0.05) == (0.5, None, None)
    assert effects_of([1.0], [0.5])["score"].verdict == CANT_TELL


def test_the_interval_is_never_narrower_than_what_may_have_gone_unseen() -> None:
    # One pair of 100 differs: t is sure of itself, but as many as 1 - 0.001^(1/100) of all may.
    value, low, high = interval([1.0, *[0.0] * 99], 0.001)
    assert value == 0.01
    assert low is not None
    assert high is not None
    assert high > 1 - 0.001 ** (1 / 100)
    # Where much differs it is the t interval.
    many = np.random.default_rng(1).normal(0.1, 0.4, 400).tolist()
    value, low, high = interval(many, 0.05)
    assert high == pytest.approx(value + 1.649 * np.std(many, ddof=1) / 20, abs=1e-3)


def test_the_exact_test_is_the_enumerated_one_where_that_can_be() -> None:
    random = np.random.default_rng(7)
    for count in (1, 5, 12):
        values = random.normal(0.2, 0.5, count).tolist()
        assert exact_sign_flip(values) == sign_flip(values)
    assert exact_sign_flip([0.0] * 30).either == 1.0


def test_beyond_it_counts_all_flips() -> None:
    # Of 40 equal differences all are up: once in 2^40, which no number of random draws shows.
    found = exact_sign_flip([0.25] * 40)
    assert found.either == pytest.approx(2 * 2.0**-40)
    assert found.worse == pytest.approx(1.0)
    # 20 and 10 up and down: a fair coin's tail, the ties halved.
    from scipy.stats import binom

    exact = binom.sf(20, 30, 0.5) + binom.pmf(20, 30, 0.5) / 2
    assert exact_sign_flip([1.0] * 20 + [-1.0] * 10).better == pytest.approx(exact, abs=1e-8)


def test_what_is_said_beforehand_holds_afterwards() -> None:
    pairs = pairs_needed(24)
    assert effects_of([1.0] * pairs, [0.0] * pairs, parts=12)["score"].verdict == "load-bearing"
    assert effects_of([1.0] * (pairs - 1), [0.0] * (pairs - 1), parts=12)["score"].verdict == CANT_TELL
    idle = pairs_for_dead_weight(24, 0.1)
    assert effects_of([1.0] * idle, [1.0] * idle, 0.1, 12)["score"].verdict == "dead weight"
    assert effects_of([1.0] * (idle - 1), [1.0] * (idle - 1), 0.1, 12)["score"].verdict == CANT_TELL


def test_what_can_be_detected_shrinks_with_the_pairs_and_grows_with_the_questions() -> None:
    noise = Noise(0.8, 0.04, 0.4, "a pilot")
    few, many, asked = detectable(60, 20, noise), detectable(240, 20, noise), detectable(60, 200, noise)
    assert few is not None
    assert many is not None
    assert asked is not None
    assert many < few < asked
    assert detectable(5, 200, noise) is None


# Directories


def make_ablation(
    folder: Path,
    whole_passes: Sequence[bool] = ALL,
    without: Sequence[bool] = (True, True, False, True),
    title: str = "Rules",
) -> Path:
    """One part is left out; the trials pass and fail checks as said, all alike."""
    whole = PersonaRecord(name="mine", digest="d-whole", text="whole")
    left = PersonaRecord(name="mine without rules", digest="d-left", text="left")
    part = PartRecord(
        id="rules", title=title, lines=(3, 9), clauses=("rules/a",), characters=400, digest="d-left", run="without-01-a"
    )
    for name, persona, passed in ((WHOLE, whole, whole_passes), (part.run, left, without)):
        done = [graded(task, attempt, passed) for task in TASKS for attempt in range(1, 6)]
        on_disk(folder / name, done, persona=persona)
    created = datetime(2025, 1, 2, tzinfo=UTC)
    write_record(folder, AblationRecord(created=created, by="section", persona=whole, parts=(part,)))
    return folder


def test_an_ablation_is_read_back_and_judged(tmp_path: Path) -> None:
    found = read_ablation(make_ablation(tmp_path))
    (part,) = found.parts
    assert part.verdict == "load-bearing"
    assert {effect.measure for effect in part.effects if effect.verdict == "load-bearing"} == {"score", "late_data"}
    assert (part.text_tokens, part.input_tokens) == (100, 0.0)
    assert found.cost is not None
    assert f"{found.cost:.2f}" == "4.00"
    assert found.comparisons == 5
    assert found.pairs == 20


def test_what_helps_one_dimension_and_harms_another_is_told_of_both(tmp_path: Path) -> None:
    found = read_ablation(make_ablation(tmp_path, whole_passes=(True, False, True, True)))
    (part,) = found.parts
    told = {effect.measure: effect.verdict for effect in part.effects}
    assert (told["late_data"], told["idempotency"]) == ("load-bearing", "harmful")
    assert part.verdict == "load-bearing"
    assert rendering.part_cells(part)[3] == "idempotency −1.000, late_data +1.000"


def test_the_runs_of_an_ablation_are_on_no_leaderboard(tmp_path: Path) -> None:
    make_ablation(tmp_path / "runs" / "x")
    assert find_runs(tmp_path / "runs") == []
    assert len(find_runs(tmp_path / "runs" / "x")) == 2


def test_a_run_of_another_persona_is_refused(tmp_path: Path) -> None:
    make_ablation(tmp_path / "one")
    run = tmp_path / "one" / "without-01-a" / "run.json"
    run.write_text(run.read_text().replace("d-left", "d-other"))
    with pytest.raises(RunDirectoryError, match="run of another persona"):
        read_ablation(tmp_path / "one")


@pytest.mark.parametrize(
    ("find", "replace", "error", "said"),
    [
        ('"model": "anthropic/some-model"', '"model": "openai/other"', RunDirectoryError, "was run with openai/other"),
        ('"grader_digest": "g"', '"grader_digest": "new"', NotComparable, "graded by different checks"),
        ('"digest": "d-sql/task-000"', '"digest": "new"', NotComparable, "changed between the two runs"),
    ],
)
def test_runs_that_are_no_pair_are_refused(
    find: str, replace: str, error: type[Exception], said: str, tmp_path: Path
) -> None:
    make_ablation(tmp_path)
    run = tmp_path / "without-01-a" / "run.json"
    assert find in run.read_text()
    run.write_text(run.read_text().replace(find, replace))
    with pytest.raises(error, match=said):
        read_ablation(tmp_path)


def test_a_damaged_record_is_told_with_its_place(tmp_path: Path) -> None:
    make_ablation(tmp_path)
    (tmp_path / "ablation.json").write_text('{"format": 2}')
    with pytest.raises(RunDirectoryError, match="is damaged, or another version wrote it: format"):
        read_ablation(tmp_path)
    (tmp_path / "ablation.json").unlink()
    with pytest.raises(RunDirectoryError, match="is not an ablation directory"):
        read_ablation(tmp_path)


def shown(path: Path, *, every_effect: bool = False) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(rendering.for_terminal(read_ablation(path), every_effect=every_effect))
    return console.export_text()


def test_every_form_tells_the_same(tmp_path: Path) -> None:
    path = make_ablation(tmp_path)
    text, markdown, data = shown(path), rendering.as_markdown(read_ablation(path)), read_ablation(path)
    found = json.loads(rendering.as_json(data))
    assert found["parts"][0]["verdict"] == "load-bearing"
    (late,) = [effect for effect in found["parts"][0]["effects"] if effect["measure"] == "late_data"]
    assert (late["effect"], late["pairs"], late["verdict"]) == (1.0, 20, "load-bearing")
    for form in (text, markdown):
        assert "mine without one section" in form
        assert "rules (lines 3–9)" in form
        assert "score +0.250" in form
    assert "idempotency" not in text
    assert "idempotency" in markdown
    assert "idempotency" in shown(path, every_effect=True)
    assert "<details><summary>5 effects</summary>" in markdown


def test_what_a_persona_says_commands_no_terminal(tmp_path: Path) -> None:
    path = make_ablation(tmp_path, title="\x1b[2JRules\n| a | <b>")
    record = json.loads((path / "ablation.json").read_text())
    record["parts"][0]["id"] = "\x1b]0;owned\x07rules|<script>"
    (path / "ablation.json").write_text(json.dumps(record))
    for form in (shown(path), rendering.as_markdown(read_ablation(path)), rendering.as_json(read_ablation(path))):
        assert "\x1b" not in form
    assert "rules\\|\\<script>" in rendering.as_markdown(read_ablation(path))


def test_an_unfinished_ablation_is_judged_by_its_pairs_and_says_so(tmp_path: Path) -> None:
    path = make_ablation(tmp_path)
    file = path / "without-01-a" / "trials.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:6], trial_record(TASKS[3], 5, None).model_dump_json() + "\n"]))
    found = read_ablation(path)
    assert {effect.pairs for effect in found.parts[0].effects} == {6}
    notes = rendering.notes(found)
    assert any(note.startswith("13 trials not finished") for note in notes)
    assert any("1 of 20 trials invalid" in note for note in notes)
