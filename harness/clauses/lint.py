"""What is wrong with a persona's clauses: vague, untestable, contradictory, duplicated, outdated, unread.

Rules for single clauses are data (``rules.toml``). What needs several clauses, or the text as a whole, is here.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graders.markdown import vocabulary, words
from harness.clauses.reading import Clause, Reading
from harness.clauses.sections import Kind

About = Literal["outdated", "contradictory", "duplicated", "vague", "untestable", "unread"]
Severity = Literal["error", "warning"]

ABOUTS: tuple[About, ...] = ("outdated", "contradictory", "duplicated", "vague", "untestable", "unread")
# Regular expressions look at no more of a clause; an honest example is much shorter.
LONGEST_CLAUSE = 6_000
COMMENTS = {"sql": r"--[^\n]*|/\*.*?\*/", "python": r"#[^\n]*", "py": r"#[^\n]*"}
NEGATIVE = vocabulary("never not no avoid dont don't cannot can't without")
# Words that carry no meaning of their own when two clauses are compared.
SMALL = vocabulary(
    "always alway must should shall will every each all any the a an and or of in on for to with by is are be it its",
    "use do ensure make sure please you your our we t s can",
    "never not no avoid don dont don't doesn cannot can't without",
)


@dataclass(frozen=True)
class Rule:
    """What is looked for in a single clause; see ``rules.toml``."""

    name: str
    about: About
    severity: Severity
    on: Literal["statement", "example"]
    find: re.Pattern[str]
    unless: re.Pattern[str] | None
    languages: tuple[str, ...]
    contradicts: tuple[str, ...]
    says: str
    mend: str
    bad: str
    good: str

    def hit(self, clause: Clause) -> str | None:
        """The text that the rule finds fault with."""
        if clause.form != self.on or (clause.language and self.languages and clause.language not in self.languages):
            return None
        text = without_comments(clause.text[:LONGEST_CLAUSE], clause.language)
        found = self.find.search(text)
        if found is None or (self.unless and self.unless.search(text)):
            return None
        return found[0]


@dataclass(frozen=True)
class Finding:
    """One fault: where, what, and how it is mended. ``clause`` is empty if it is about the text as a whole."""

    rule: str
    about: About
    severity: Severity
    line: int
    clause: str
    quote: str
    says: str
    mend: str


@functools.cache
def rules() -> tuple[Rule, ...]:
    raw = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
    return tuple(
        Rule(
            name=name,
            about=rule["about"],
            severity=rule["severity"],
            on=rule["on"],
            find=re.compile(rule["find"], re.IGNORECASE | re.DOTALL),
            unless=re.compile(rule["unless"], re.IGNORECASE | re.DOTALL) if "unless" in rule else None,
            languages=tuple(rule.get("languages", ())),
            contradicts=tuple(rule.get("contradicts", ())),
            says=rule["says"],
            mend=rule["mend"],
            bad=rule["bad"],
            good=rule["good"],
        )
        for name, rule in raw.items()
    )


def lint(reading: Reading) -> list[Finding]:
    """All findings, in the order of the persona's lines."""
    found = [*_single(reading), *_opposites(reading), *_duplicates(reading), *_whole(reading)]
    return sorted(found, key=lambda finding: (finding.line, finding.rule))


def without_comments(code: str, language: str) -> str:
    """Code with its comments taken off: what a comment warns of isn't taught."""
    pattern = COMMENTS.get(language)
    return re.sub(pattern, "", code, flags=re.DOTALL) if pattern else code


def _single(reading: Reading) -> Iterator[Finding]:
    for rule in rules():
        against = [clause for clause in reading.clauses if set(clause.canonical) & set(rule.contradicts)]
        if rule.contradicts and not against:
            continue
        for clause in reading.clauses:
            quote = rule.hit(clause)
            if quote is None:
                continue
            others = [f"{other.id} (line {other.lines[0]})" for other in against if other.id != clause.id]
            if rule.contradicts and not others:
                continue
            says = f"{rule.says}; contradicts {', '.join(others[:2])}" if others else rule.says
            line = _line_of(clause, quote)
            shown = _short(quote if clause.form == "example" else clause.text)
            yield Finding(rule.name, rule.about, rule.severity, line, clause.id, shown, says, rule.mend)


def _line_of(clause: Clause, quote: str) -> int:
    """The line in which an example has the first line of a quotation; of other clauses their first."""
    lines = clause.text.split("\n")
    start = quote.strip().split("\n")[0]
    if clause.form != "example" or not start:
        return clause.lines[0]
    # A fence's first line stands above its code; an indented block has none.
    above = 1 if clause.lines[1] - clause.lines[0] + 1 > len(clause.text.rstrip("\n").split("\n")) else 0
    return clause.lines[0] + above + next((number for number, line in enumerate(lines) if start in line), 0)


def _stems(clause: Clause) -> frozenset[str]:
    said = (word for word in words(clause.text) if word not in SMALL)
    return frozenset(re.sub(r"(ations?|ating|ated|ate|ions?|ing|ed|es|e)$", "", word) or word for word in said)


def _by_stems(reading: Reading) -> list[list[Clause]]:
    """Statements that consist of the same words, whatever their order and form."""
    groups: dict[frozenset[str], list[Clause]] = defaultdict(list)
    for clause in reading.clauses:
        stems = _stems(clause) if clause.form == "statement" else frozenset()
        if len(stems) > 1:
            groups[stems].append(clause)
    return [group for group in groups.values() if len(group) > 1]


def _is_negative(clause: Clause) -> bool:
    return bool(set(re.findall(r"[\w']+", clause.text.casefold().replace("’", "'"))) & NEGATIVE)


def _opposites(reading: Reading) -> Iterator[Finding]:
    for group in _by_stems(reading):
        forbidding = next((clause for clause in group if _is_negative(clause)), None)
        demanding = next((clause for clause in group if not _is_negative(clause)), None)
        if forbidding and demanding:
            first, second = sorted((forbidding, demanding), key=lambda clause: clause.lines)
            yield Finding(
                "opposite-statements",
                "contradictory",
                "error",
                second.lines[0],
                second.id,
                _short(second.text),
                f"the opposite of {first.id} (line {first.lines[0]})",
                "decide for one of the two",
            )


def _duplicates(reading: Reading) -> Iterator[Finding]:
    for group in _by_stems(reading):
        # A responsibility may name what a constraint demands: only within a kind it is said twice.
        alike: dict[tuple[Kind, bool], list[Clause]] = defaultdict(list)
        for clause in group:
            alike[clause.kind, _is_negative(clause)].append(clause)
        for same in alike.values():
            for clause in same[1:]:
                yield Finding(
                    "said-twice",
                    "duplicated",
                    "warning",
                    clause.lines[0],
                    clause.id,
                    _short(clause.text),
                    f"says the same as {same[0].id} (line {same[0].lines[0]})",
                    "keep one of them: each costs tokens in every request",
                )


def _whole(reading: Reading) -> Iterator[Finding]:
    for name, line in reading.unknown_names:
        yield Finding(
            "unknown-canonical-clause",
            "unread",
            "error",
            line,
            "",
            name,
            "a comment names a clause that no check knows",
            "bench persona coverage lists the names",
        )
    for line in reading.front.nested_fences:
        yield _text_as_whole(
            "nested-fence",
            "warning",
            line,
            "a fence holds an equal fence, which ends it for a Markdown parser",
            "open and close the outer one with four backticks",
        )
    titles: dict[str, int] = {}
    for section in reading.sections:
        earlier = titles.setdefault(section.title.casefold(), section.lines[0])
        if earlier != section.lines[0]:
            yield _text_as_whole(
                "repeated-heading",
                "warning",
                section.lines[0],
                f"a section {section.title!r} stands in line {earlier} already",
                "join the two",
            )
    if reading.contract is None:
        yield _text_as_whole(
            "no-contract",
            "warning",
            1,
            "no section describes the deliverable, so there is no contract",
            "add a section 'Deliverable Format' with a template",
        )
    if not any(clause.canonical for clause in reading.clauses if clause.kind != "deliverable"):
        yield _text_as_whole(
            "nothing-to-test",
            "warning",
            1,
            "no clause is one that a check tests",
            "name canonical clauses in comments: see docs/personas.md",
        )
    for note in reading.notes:
        severity: Severity = "error" if note.is_fault else "warning"
        yield _text_as_whole(
            "not-read", severity, note.line, note.says, "write Markdown: headings, lists, paragraphs, closed fences"
        )


def _text_as_whole(rule: str, severity: Severity, line: int, says: str, mend: str) -> Finding:
    return Finding(rule, "unread", severity, line, "", "", says, mend)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
