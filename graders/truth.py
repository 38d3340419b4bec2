"""Whether a deliverable is true: what it claims, against what was submitted and what came of it.

Each check returns its problems, each with the claim it is about; an empty list is a pass. Only a contradiction is a
problem, or that nothing is claimed at all: prose that can't be read isn't a lie.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import sqlglot
from sqlglot import exp

from graders import schedules, used
from graders.commands import steps_of
from graders.communication import is_named, stated_assumptions
from graders.contract import Contract
from graders.entries import is_said, read_entries
from graders.markdown import Block, content, read, vocabulary, walk, words
from graders.operation import Operation
from graders.sections import find_sections, too_long, values_of
from graders.trying import Operated
from harness.submission import Submission
from harness.task import Task


def stated_schedule_is_the_one_that_runs(
    contract: Contract, text: str, operation: Operation, operated: Operated
) -> list[str]:
    """The schedule said is the DAG's; where somebody else starts the pipeline, as often as the ticket says."""
    if problem := too_long(text):
        return [problem]
    said = [value for value in field(contract, text, "Schedule") if is_said(value)]
    if not said:
        return ["no schedule is stated"]
    stated = schedules.read_schedule(" ".join(said))
    if operated.starts is None:
        if schedules.contradicts_period(stated, operation.every):
            real = f"every {operation.every / schedules.HOUR:g} hours" if operation.every else "started by an event"
            return [f"the schedule is said to be {said[0][:200]!r}; in the ticket it is {real}"]
    elif schedules.contradicts(stated, operated.starts.values()):
        real = "; ".join(
            f"{name} starts {', '.join(f'{moment:%a %Y-%m-%d %H:%M}' for moment in starts[:3])} …"
            for name, starts in operated.starts.items()
            if starts
        )
        return [f"the schedule is said to be {said[0][:200]!r}; {real or 'no DAG starts by itself'}"]
    return []


def stated_ends_are_the_real_ones(
    contract: Contract, text: str, task: Task, submission: Submission, operation: Operation, operated: Operated
) -> list[str]:
    """Source and destination are those of the ticket; the tables named there and in queries exist."""
    if problem := too_long(text):
        return [problem]
    problems = []
    for name, real in (("Source(s)", task.manifest.sources), ("Destination", task.manifest.destinations)):
        said = " ".join(field(contract, text, name)).casefold()
        if not any(is_named(end, said) for end in real):
            problems.append(f"{name}: {said[:200]!r} names none of {', '.join(real)}")
    is_there = any(is_named(end, table) for end in task.manifest.destinations for table in operated.tables)
    if operation.fills and not is_there:
        problems.append(f"no destination was there after it had run; there are {', '.join(sorted(operated.tables))}")
    known = _given(task, submission, operated) | {part for table in operated.tables for part in table.split(".")}
    claimed = [*_tables_of_fields(contract, text), *_tables_of_queries(text)]
    invented = [name for name in dict.fromkeys(claimed) if name.rpartition(".")[2].casefold() not in known]
    if invented:
        problems.append(f"named, but nowhere in ticket, data, submission or database: {', '.join(invented[:8])}")
    return problems


def stated_technologies_are_in_use(contract: Contract, text: str, task: Task, submission: Submission) -> list[str]:
    """Of the technologies that Components lists and that are known here, all are there; so are its files."""
    if problem := too_long(text):
        return [problem]
    rows = list(_components(contract, text))
    listed = [(name, cell) for _, cell in rows for name in used.named_technologies(cell)]
    there = used.technologies_in(task, submission)
    absent = {name: cell for name, cell in listed if name not in there}
    problems = [f"{name} ({cell[:80]!r}) is listed, but nothing of it is used" for name, cell in absent.items()]
    said = {word for _, cell in rows for word in words(cell) if len(word) > 2}
    if not listed and not said & used.words_of(task, submission):
        problems.append(f"no technology is listed that one could recognise: {[cell for _, cell in rows][:5]}")
    # What the ticket came with needn't be handed in again.
    names = {path.rpartition("/")[2] for path in (*submission.files, *task.workspace.files)}
    files = [span for component, cell in rows for span in _spans(f"{component} {cell}") if _FILE.fullmatch(span)]
    problems += [
        f"the file {file} is listed, but wasn't submitted"
        for file in dict.fromkeys(files)
        if file.rpartition("/")[2] not in names
    ]
    return problems


def stated_rules_are_those_that_fire(
    contract: Contract, text: str, task: Task, submission: Submission, operation: Operation, operated: Operated
) -> list[str]:
    """Data Quality speaks of a reason for which a row was rejected, and of no more invented rules than real ones."""
    if problem := too_long(text):
        return [problem]
    found = find_sections(contract, read(text))
    body = found["Data Quality"].body if "Data Quality" in found else ()
    said = "\n".join(map(content, body))
    spoken = _stems(said)
    fired = {reason: _stems(reason.replace("_", " ")) for reason in operated.reasons}
    if operation.reasons and not fired:
        return [f"{operation.reasons} was empty after a run with rows that must be rejected"]
    if fired and not any(stems & spoken for stems in fired.values()):
        return [
            f"rows were rejected because of {', '.join(sorted(fired)[:8])}; of that it says nothing: {said[:200]!r}"
        ]
    told = set().union(*(words(reason.replace("_", " ")) for reason in fired))
    known = _given(task, submission, operated) | told
    named = [span for span in _spans(said) if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", span)]
    invented = [span for span in dict.fromkeys(named) if not _is_made_of(span, known)]
    if 2 * len(invented) > len(dict.fromkeys(named)):
        return [f"rules or columns that are nowhere in ticket, data, submission or output: {', '.join(invented[:8])}"]
    return []


def runbook_commands_do_what_they_say(
    contract: Contract, text: str, operation: Operation, operated: Operated
) -> list[str]:
    """No command fails; those to run it by hand bring rows into the destination, or name what the ticket starts."""
    if problem := too_long(text):
        return [problem]
    runbook = steps_of(contract, text, "manual", "backfill")
    problems = [f"`{tried.command.text}`: {tried.problem}" for tried in operated.tried if tried.problem]
    if operated.filled is False:
        by_hand = [tried.command.script for tried in operated.tried if tried.command.by_hand]
        problems.append(
            f"after {', '.join(f'`{script}`' for script in by_hand)} there is no row in {', '.join(operation.fills)}"
        )
    if not operated.tried and not any(_stands_whole(word, runbook) for word in marks(operation)):
        problems.append(f"it names neither a command nor {' nor '.join(marks(operation))}")
    return problems


def assumptions_concern_this_source(text: str, operation: Operation) -> list[str]:
    """One of the stated assumptions is about something that the ticket leaves to be assumed."""
    stated = stated_assumptions(text)
    starts = tuple(word for stems in operation.topics.values() for word in stems.split())
    if any(word.startswith(starts) for said in stated for word in words(said.replace("_", " "))):
        return []
    said = f"; said is {' / '.join(stated)[:300]!r}" if stated else ""
    return [f"no assumption is about {', '.join(operation.topics)}{said}"]


def marks(operation: Operation) -> list[str]:
    """The words of the ticket's command by which one knows it: the file, the DAG; or else the program."""
    given = operation.command.split()
    names = [word for word in given if re.fullmatch(r"[A-Za-z]\w*(?:_\w+|\.[a-z]+)", word) and "=" not in word]
    return names or given[:1]


def field(contract: Contract, text: str, name: str) -> list[str]:
    """What is said under a label of the overview."""
    found = find_sections(contract, read(text))
    return [
        value
        for section in contract.sections
        if section.kind == "fields" and section.name in found
        for part in section.parts
        if part.name == name
        for value in values_of(part, read_entries(found[section.name].body))
    ]


def _components(contract: Contract, text: str) -> Iterator[tuple[str, str]]:
    """Component and technology of each row."""
    found = find_sections(contract, read(text))
    for section in contract.sections:
        if section.kind != "table" or section.name not in found:
            continue
        for table in walk(found[section.name].body):
            if table.kind == "table":
                yield from _rows(table)


def _rows(table: Block) -> Iterator[tuple[str, str]]:
    header = [words(cell) for cell in table.rows[0]]
    places = [next((n for n, cell in enumerate(header) if name in cell), None) for name in ("component", "technology")]
    component, technology = places
    if technology is not None:
        for row in table.rows[1:]:
            yield row[component or 0], row[technology]


_FILE = re.compile(r"[\w./-]+\.(?:py|sql|sh|ya?ml|toml|ipynb|r|scala)")
_TABLE = re.compile(r"[a-z_]\w*(?:\.[a-z_]\w*){1,2}|[a-z]\w*_\w+", re.IGNORECASE)


def _spans(text: str) -> list[str]:
    return [span.strip() for span in text.split("`")[1::2]]


def _tables_of_fields(contract: Contract, text: str) -> Iterator[str]:
    for name in ("Source(s)", "Destination"):
        for value in field(contract, text, name):
            yield from (span for span in _spans(value) if _TABLE.fullmatch(span) and not _FILE.fullmatch(span))


def _tables_of_queries(text: str) -> Iterator[str]:
    """The tables of the queries that stand in code, as far as they can be parsed."""
    for block in walk(read(text)):
        spans = [block.text] if block.kind == "code" else _spans("\n".join([block.text, *map(" ".join, block.rows)]))
        for span in spans:
            if re.match(r"\s*(?:select|with)\b", span, re.IGNORECASE) and len(span) < 5_000:
                yield from _tables_of(span)


def _tables_of(query: str) -> Iterable[str]:
    try:
        parsed = [statement for statement in sqlglot.parse(query, read="postgres") if statement]
    except (sqlglot.errors.SqlglotError, RecursionError):
        return []
    own = {cte.alias_or_name.casefold() for statement in parsed for cte in statement.find_all(exp.CTE)}
    found = [table for statement in parsed for table in statement.find_all(exp.Table)]
    return [
        ".".join(filter(None, (table.db, table.name)))
        for table in found
        if re.fullmatch(r"\w+", table.name) and table.name.casefold() not in own and not _is_systems(table)
    ]


def _is_systems(table: exp.Table) -> bool:
    return table.db.casefold() in {"information_schema", "pg_catalog"} or table.name.casefold().startswith("pg_")


_COMMON = vocabulary(
    "missing invalid value valid with that this from which have than order other rows record data line file column"
    " does into must when they table number"
)


def _stems(text: str) -> set[str]:
    """Beginnings of words that tell one rule from another."""
    return {word[:6] for word in words(text.replace("_", " ")) if len(word) > 3 and word not in _COMMON}


def _given(task: Task, submission: Submission, operated: Operated) -> frozenset[str]:
    """Every word of the ticket, the workspace, the submission and the data that the agent saw."""
    return used.words_of(task, submission) | operated.seen


def _is_made_of(name: str, known: Collection[str]) -> bool:
    """Whether a name is known, or put together from words that are (as dbt names its tests)."""
    return name in known or all(len(part) < 4 or part in known for part in name.split("_"))


def _stands_whole(word: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))
