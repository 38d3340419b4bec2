"""Erases two people, looks for what is left of them everywhere, loads days again, and kills the erasure on its way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import AfterCrash, crash_everywhere, must_end_well, without_room
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed

from .world import COLUMNS, LATEST, LOADED, NEXT, TABLES, Row, World, furnish

CRASHES = 4
SHOWN = 3
OPERATION = Operation(
    command="python erase.py --user-id 4711",
    fills=("raw.orders",),
    every=None,
    parameters={"user-id": "4711", "day": LATEST},
    topics={
        "numbers of people": "number user_id reuse identif",
        "copies elsewhere": "copy copies elsewhere outside laptop backup upstream",
        "free text": "free text note log name",
        "people who share values": "share household famil same",
        "deliveries that come again": "deliver inbox reload again resend",
    },
)
EVERYTHING = """
    SELECT format(
        'SELECT %L AS place, t::text AS row FROM %I.%I AS t', n.nspname || '.' || c.relname, n.nspname, c.relname
    ) AS query
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True)
class Seen:
    """Rows of the ticket's tables, the text of every row of any table by place, and the files of the work folder."""

    tables: Mapping[str, Counter[str]]
    texts: tuple[tuple[str, str], ...]
    files: Mapping[str, str]

    def traces(self, secrets: Iterable[str], *places: str) -> list[str]:
        """Where something of a person stands, looked for in tables and files (``places``: only below these)."""
        find = pattern(secrets)
        texts = [*self.texts, *self.files.items()]
        return sorted(
            {
                f"{place}: {found[0]!r}"
                for place, text in texts
                if (not places or place.startswith(places)) and (found := find.search(text.casefold()))
            }
        )


def pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    """Finds a person's values as a whole: an address that is part of another one is somebody else's."""
    found = "|".join(re.escape(secret) for secret in sorted(secrets, key=len, reverse=True))
    assert found, "the person has no secrets"
    return re.compile(rf"(?<![\w.+-])(?:{found})(?![\w-])")


def look(lab: Lab) -> Seen:
    postgres = lab.use(Postgres)
    rows = " UNION ALL ".join(
        f"SELECT '{table}' AS place, to_jsonb(t)::text AS row FROM (SELECT {', '.join(columns)} FROM {table}) AS t"
        for table, columns in COLUMNS.items()
    )
    tables: dict[str, Counter[str]] = {table: Counter() for table in TABLES}
    for table, row in postgres.query(rows, "the tables").rows:
        tables[table][canonical(json.loads(row, parse_float=Decimal))] += 1
    everything = " UNION ALL ".join(str(query) for query in postgres.query(EVERYTHING).column("query"))
    texts = tuple((str(place), str(text)) for place, text in postgres.query(everything, "every table").rows)
    return Seen(tables, texts, {path: text_of(content) for path, content in lab.box.collect("work").items()})


def text_of(content: bytes) -> str:
    """What stands in a file, packed or not, with the characters that JSON has written as numbers."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError):
            return ""
    text = content.decode("utf-8", errors="replace")
    return re.sub(r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)


def canonical(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False, default=lambda value: f"{value:.2f}")


def erase(lab: Lab, number: int) -> Completed:
    return lab.run("python", "erase.py", "--user-id", str(number))


def load(lab: Lab, day: str) -> Completed:
    return lab.run("python", "pipeline.py", "--day", day)


@dataclass(frozen=True)
class Story:
    """What was seen after each step, and how its command ended."""

    seen: Mapping[str, Seen]
    done: Mapping[str, Completed]


ONE, ONE_AGAIN, BOTH, RELOADED, LATER = "one erased", "erased again", "both erased", "a day loaded again", "a new day"


@scenario
def story(lab: Lab, world: World) -> Story:
    furnish(world, lab)
    first, second = world.persons
    steps = {
        ONE: lambda: erase(lab, first),
        ONE_AGAIN: lambda: erase(lab, first),
        BOTH: lambda: erase(lab, second),
        RELOADED: lambda: load(lab, LATEST),
        LATER: lambda: load(lab, NEXT),
    }
    seen, done = {}, {}
    for step, act in steps.items():
        done[step] = act()
        if not done[step].ok:
            break
        seen[step] = look(lab)
    lab.note("two people were erased, one of them twice; then a day was loaded again, and a new one")
    return Story(seen, done)


@scenario
def failing(lab: Lab, world: World) -> Completed:
    """The database isn't there: nothing can be erased."""
    furnish(world, lab)
    lab.note("a person was to be erased without a database")
    nowhere = {"PGHOST": "127.0.0.1", "PGPORT": "9", "DATABASE_URL": "postgresql://loader@127.0.0.1:9/warehouse"}
    return lab.run("python", "erase.py", "--user-id", str(world.persons[0]), variables=nowhere)


@scenario
def killed(lab: Lab, world: World) -> list[AfterCrash[Seen]]:
    def prepare() -> None:
        lab.fresh()
        furnish(world, lab)

    return crash_everywhere(
        lab,
        lab.use(Postgres),
        prepare=prepare,
        act=lambda: erase(lab, world.persons[0]),
        observe=lambda: look(lab),
        most=CRASHES,
    )


@scenario
def full_disk(lab: Lab, world: World) -> tuple[Completed, Seen]:
    furnish(world, lab)
    number = world.persons[0]
    without_room(lab, "python", "erase.py", "--user-id", str(number))
    lab.note("a person was to be erased while the disk was full, and then again")
    return erase(lab, number), look(lab)


def after(story: Story, step: str) -> Seen:
    """What was seen after a step, all up to it having ended well."""
    for name, done in story.done.items():
        must_end_well(done, name)
    return story.seen[step]


def erased_at(world: World, step: str) -> tuple[int, ...]:
    return world.persons[:1] if step in (ONE, ONE_AGAIN) else world.persons


def day_of(step: str) -> str:
    return NEXT if step == LATER else LATEST


def assert_no_traces(seen: Seen, world: World, step: str, *places: str) -> None:
    for number in erased_at(world, step):
        left = seen.traces(world.secrets(number, day_of(step)), *places)
        assert not left, f"{step}: of {number} is left in {'; '.join(left[:SHOWN])}"


def assert_tables(seen: Seen, expected: Mapping[str, list[Row]], names: Iterable[str], when: str) -> None:
    for name in names:
        wanted = Counter(canonical({column: row[column] for column in COLUMNS[name]}) for row in expected[name])
        found = Counter({row: many for row, many in seen.tables[name].items() if not is_a_number_alone(name, row)})
        missing, surplus = wanted - found, found - wanted
        assert wanted, f"nothing is expected in {name}"
        assert not missing and not surplus, (
            f"{when}: {name} lacks {sum(missing.values())} rows and has {sum(surplus.values())} others; "
            f"missing: {list(missing)[:SHOWN]}; unexpected: {list(surplus)[:SHOWN]}"
        )


def is_a_number_alone(table: str, row: str) -> bool:
    """A row about nobody in a table of people: whoever keeps a number where the person was may do so."""
    said = json.loads(row) if table in OF_PEOPLE else {}
    return bool(said) and all(said[column] is None for column in PERSONAL & said.keys())


def of_others(rows: Iterable[Row], persons: Iterable[int]) -> list[Row]:
    return [row for row in rows if row["user_id"] not in set(persons)]


OF_PEOPLE = ("raw.users", "staging.contacts", "history.users", "marts.customers", "backup.users_202602")
PERSONAL = {"name", "email", "phone", "address", "email_key", "domain"}
SUMS = ("marts.sales_by_day", "marts.sales_by_city")
ORDERS = ("raw.orders", "marts.orders")


@check("security", clauses=["collaboration-protocol/design-data-governance"])
def nothing_of_a_person_is_left_in_the_tables(story: Story, world: World) -> None:
    for step in (ONE, BOTH):
        seen = after(story, step)
        assert_no_traces(seen, world, step, *{place for place, _ in seen.texts})


@check("security", clauses=["collaboration-protocol/design-data-governance"])
def nothing_of_a_person_is_left_in_the_files(story: Story, world: World) -> None:
    for step in (ONE, BOTH):
        seen = after(story, step)
        assert_no_traces(seen, world, step, *seen.files)
        rows = [row for path in seen.files if path.startswith("lake/exports/") for row in rows_of(seen, path)]
        for number in map(str, erased_at(world, step)):
            left = [row for row in rows if row and row[0] == number and any(row[1:])]  # a number alone may stay
            assert not left, f"{step}: {number} is still in the exports"


@check("security", clauses=["collaboration-protocol/design-data-governance"])
def an_events_recipient_is_forgotten_and_its_actor_stays(story: Story, world: World) -> None:
    for step in (ONE, BOTH):
        expected = world.tables(LOADED, LATEST, erased=erased_at(world, step))
        assert_tables(after(story, step), expected, ["raw.events"], step)


@check("correctness", clauses=["collaboration-protocol/design-data-governance"])
def orders_stay_without_the_person(story: Story, world: World) -> None:
    for step in (ONE, BOTH):
        expected = world.tables(LOADED, LATEST, erased=erased_at(world, step))
        assert_tables(after(story, step), expected, ORDERS, step)


@check("correctness", clauses=["constraints/always-validate-data-quality"])
def sums_stay_as_they_are(story: Story, world: World) -> None:
    for step, days in ((BOTH, (LOADED, LATEST)), (RELOADED, (LOADED, LATEST)), (LATER, (LOADED, LATEST, NEXT))):
        assert_tables(after(story, step), world.tables(*days), SUMS, step)


@check("durability", clauses=["constraints/never-lose-data"])
def everybody_elses_rows_stay(story: Story, world: World) -> None:
    whole = world.tables(LOADED, LATEST)
    for step in (ONE, BOTH):
        seen, persons = after(story, step), erased_at(world, step)
        for name in OF_PEOPLE:
            wanted = Counter(canonical(row) for row in of_others(whole[name], persons))
            gone = wanted - seen.tables[name]
            assert not gone, f"{step}: {name} has lost {sum(gone.values())} rows of others: {list(gone)[:SHOWN]}"
        said = Counter(canonical(row) for number, row in world.messages() if number not in persons)
        gone = said - seen.tables["ops.log"]
        assert not gone, f"{step}: ops.log has lost {sum(gone.values())} messages about others: {list(gone)[:SHOWN]}"


@check("durability", clauses=["constraints/never-lose-data"])
def everybody_elses_lines_stay(story: Story, world: World) -> None:
    for step in (ONE, BOTH):
        for path, wanted, found in lines_of_others(after(story, step), world, erased_at(world, step), step):
            lost = wanted - found
            assert not lost, f"{step}: {path} has lost {sum(lost.values())} lines about others: {list(lost)[:SHOWN]}"


Lines = Counter[Any]


def lines_of_others(seen: Seen, world: World, persons: Iterable[int], when: str) -> Iterator[tuple[str, Lines, Lines]]:
    """Of each file of the lake the lines that are about others, and those that are there."""
    about = {line: number for number, line in world.log_lines()}
    for path, content in world.lake().items():
        before = text_of(content)
        assert path in seen.files, f"{when}: {path} is gone"
        if ".csv" in path:
            kept = [row for row in csv.reader(io.StringIO(before)) if row[0] not in map(str, persons)]
            wanted, found = Counter(map(tuple, kept)), Counter(map(tuple, rows_of(seen, path)))
        elif path.endswith(".jsonl"):
            letters = [bad for bad in world.bad if bad.day in path and bad.user_id not in persons]
            wanted = Counter(canonical({"reason": bad.reason, "record": bad.line}) for bad in letters)
            found = letters_of(seen, path)
        else:
            numbered = {line: about.get(line, number_of(line)) for line in before.splitlines()}
            wanted = Counter(line for line in before.splitlines() if numbered[line] not in persons)
            found = Counter(seen.files[path].splitlines())
        assert wanted, f"nothing is expected in {path}"
        yield path, wanted, found


def number_of(line: str) -> int:
    """The number at the beginning of a line of the report's table; 0 for other lines."""
    match = re.match(r"\| (\d+) \|", line)
    return int(match[1]) if match else 0


def rows_of(seen: Seen, path: str) -> list[list[str]]:
    assert path in seen.files, f"there is no {path}"
    return list(csv.reader(io.StringIO(seen.files[path])))


def letters_of(seen: Seen, path: str) -> Counter[str]:
    found: Counter[str] = Counter()
    assert path in seen.files, f"there is no {path}"
    for line in seen.files[path].splitlines():
        try:
            found[canonical(json.loads(line))] += 1
        except (ValueError, TypeError, RecursionError):
            raise SubmissionFault(f"{path} has a line that is no JSON: {line[:200]}") from None
    return found


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def erasing_again_changes_nothing(story: Story) -> None:
    before, now = after(story, ONE), after(story, ONE_AGAIN)
    for name in TABLES:
        if name != "ops.log":
            assert now.tables[name] == before.tables[name], f"erased again, {name} is another one"
    for path in before.files:
        if path.startswith(("lake/exports", "lake/archive", "lake/dead_letters", "lake/reports")):
            assert now.files.get(path) == before.files[path], f"erased again, {path} is another one"


@check("late_data", clauses=["constraints/plan-for-late-arriving-data"])
def no_delivery_brings_a_person_back(story: Story, world: World) -> None:
    for step, days in ((RELOADED, (LOADED, LATEST)), (LATER, (LOADED, LATEST, NEXT))):
        seen = after(story, step)
        for number in world.persons:
            secrets = world.secrets(number, day_of(step))
            back = set(seen.traces(secrets)) - set(after(story, BOTH).traces(secrets))
            back = {trace for trace in back if not trace.startswith(("lake/logs/", "ops.log:"))}  # see the next check
            assert not back, f"{step}: of {number} has come back {'; '.join(sorted(back)[:SHOWN])}"
        expected = world.tables(*days, erased=world.persons)
        assert_tables(seen, expected, (*OF_PEOPLE[:4], *ORDERS, "raw.events"), step)


@check("security", clauses=["collaboration-protocol/design-data-governance"])
def nobody_who_is_erased_is_named_from_then_on(story: Story, world: World) -> None:
    before: Counter[str] | None = None
    for step in (ONE, ONE_AGAIN, BOTH, RELOADED, LATER):
        logged, done = logged_lines(after(story, step)), story.done[step]
        said = [done.stdout, done.stderr, *(logged - before if before is not None else ())]
        for number in erased_at(world, step):
            find = pattern(world.secrets(number, day_of(step)))
            named = [found[0] for text in said if (found := find.search(text.casefold()))]
            assert not named, f"{step}: the program says or logs {named[0]!r}"
        before = logged


def logged_lines(seen: Seen) -> Counter[str]:
    files = (text for path, text in seen.files.items() if path.startswith("lake/logs/"))
    return Counter([line for text in files for line in text.splitlines()]) + seen.tables["ops.log"]


@check("quality", clauses=["constraints/always-validate-data-quality"])
def everybody_else_is_loaded_as_before(story: Story, world: World) -> None:
    seen = after(story, LATER)
    expected = world.tables(LOADED, LATEST, NEXT, erased=world.persons)
    for name in OF_PEOPLE[:4]:
        wanted = Counter(canonical(row) for row in expected[name])
        lost = wanted - seen.tables[name]
        assert not lost, f"a new day: {name} lacks {sum(lost.values())} rows of others: {list(lost)[:SHOWN]}"
    for path, text in world.exports(NEXT).items():
        rows = [row for row in csv.reader(io.StringIO(text)) if row[0] not in map(str, world.persons)]
        lost = Counter(map(tuple, rows)) - Counter(map(tuple, rows_of(seen, path)))
        assert not lost, f"a new day: {path} lacks {sum(lost.values())} rows: {list(lost)[:SHOWN]}"
    others = [bad for bad in world.bad if bad.day == NEXT and bad.user_id not in world.persons]
    wanted = Counter(canonical({"reason": bad.reason, "record": bad.line}) for bad in others)
    lost = wanted - letters_of(seen, f"lake/dead_letters/{NEXT}.jsonl")
    assert wanted and not lost, (
        f"a new day: {sum(lost.values())} dead letters of others are missing: {list(lost)[:SHOWN]}"
    )


@check("durability", clauses=["constraints/always-implement-idempotent-pipelines", "constraints/never-lose-data"])
def a_killed_erasure_is_completed_by_the_next(killed: list[AfterCrash[Seen]], world: World) -> None:
    # The first was killed before it had done anything: what it leaves is what an undisturbed run leaves.
    secrets, whole = world.secrets(world.persons[0], LATEST), killed[0].seen
    for point in killed:
        said = f"killed after statement {point.after} of {point.of} and run again"
        left = set(point.seen.traces(secrets)) - set(whole.traces(secrets))
        assert not left, f"{said}: there is left {'; '.join(sorted(left)[:SHOWN])}"
        differing = [name for name in TABLES if name != "ops.log" and point.seen.tables[name] != whole.tables[name]]
        assert not differing, f"{said}: {', '.join(differing)} has other rows than after a run that wasn't killed"


@check("durability", clauses=["constraints/always-implement-idempotent-pipelines", "constraints/never-lose-data"])
def a_full_disk_costs_nobody_a_line(full_disk: tuple[Completed, Seen], story: Story, world: World) -> None:
    done, seen = full_disk
    said = "the disk was full, and it was run again"
    must_end_well(done, said)
    whole, persons = after(story, ONE), erased_at(world, ONE)
    secrets = world.secrets(persons[0], LATEST)
    left = set(seen.traces(secrets)) - set(whole.traces(secrets))
    assert not left, f"{said}: there is left {'; '.join(sorted(left)[:SHOWN])}"
    undisturbed = {path: found for path, _, found in lines_of_others(whole, world, persons, ONE)}
    for path, wanted, found in lines_of_others(seen, world, persons, said):
        lost = (wanted & undisturbed[path]) - found
        assert not lost, f"{said}: {path} has lost {sum(lost.values())} lines about others: {list(lost)[:SHOWN]}"


@check("quality", clauses=["constraints/never-lose-data"])
def nobody_is_said_to_be_gone_who_is_not(failing: Completed, story: Story) -> None:
    after(story, ONE)
    assert not failing.ok, "erase.py ends with exit code 0 though it had no database: the help desk takes it for done"


# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
