"""What Redshift's CREATE TABLE says beyond PostgreSQL's: keys, styles, encodings, lengths in bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from redshift_steps import refuse
from sqlglot import exp
from sqlglot.tokens import Token

ENCODINGS = {"RAW", "AZ64", "BYTEDICT", "DELTA", "DELTA32K", "LZO", "MOSTLY8", "MOSTLY16", "MOSTLY32"}
ENCODINGS |= {"RUNLENGTH", "TEXT255", "TEXT32K", "ZSTD", "AUTO"}
STYLES = {"AUTO", "EVEN", "KEY", "ALL"}


@dataclass
class Facts:
    """What is written down of a table."""

    diststyle: str = ""
    distkey: str | None = None
    sortstyle: str = "AUTO"
    sortkey: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)
    primary_key: list[str] = field(default_factory=list)
    identities: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def public(self) -> dict[str, object]:
        found = {**vars(self), "diststyle": self.diststyle or ("KEY" if self.distkey else "AUTO")}
        del found["identities"]
        if found["diststyle"] == "KEY" and not self.distkey:
            refuse("DISTSTYLE KEY needs a DISTKEY")
        if self.distkey and found["diststyle"] != "KEY":
            refuse(f"DISTKEY and DISTSTYLE {self.diststyle} exclude each other")
        return found


class Scanner:
    """Goes through a CREATE TABLE's tokens, notes what PostgreSQL doesn't know, and cuts it out of the text."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.place = text, tokens, 0
        self.cuts: list[tuple[int, int]] = []
        self.facts = Facts()

    def word(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.tokens[place].text.upper() if place < len(self.tokens) else ""

    def cut(self, count: int) -> None:
        first, last = self.tokens[self.place], self.tokens[min(self.place + count, len(self.tokens)) - 1]
        self.cuts.append((first.start, last.end + 1))
        self.place += count

    def names(self, ahead: int) -> tuple[list[str], int]:
        """The names in parentheses that open ``ahead``, and how many tokens all of it takes."""
        if self.word(ahead) != "(":
            refuse(f"( is expected behind {self.word(ahead - 1)}")
        found, length = [], 1
        while (word := self.word(ahead + length)) not in (")", ""):
            if word != ",":
                found.append(word.lower())
            length += 1
        return found, length + 1

    def scan(self) -> str:
        depth, column = 0, ""
        while self.place < len(self.tokens):
            word = self.word()
            if depth == 0 and word == "AS":
                break
            if word in "()":
                depth += 1 if word == "(" else -1
            if depth == 1 and word in ("(", ","):
                column = self.word(1).lower()
            if not (self.table_attribute(word) if depth == 0 else depth == 1 and self.column_attribute(word, column)):
                self.place += 1
        kept, last = "", 0
        for start, end in self.cuts:
            kept, last = f"{kept}{self.text[last:start]} ", end
        return kept + self.text[last:]

    def table_attribute(self, word: str) -> bool:
        facts = self.facts
        if word == "BACKUP":
            self.cut(2)
        elif word == "DISTSTYLE":
            if self.word(1) not in STYLES:
                refuse(f"DISTSTYLE {self.word(1)} doesn't exist")
            facts.diststyle = self.word(1)
            self.cut(2)
        elif word == "DISTKEY":
            names, length = self.names(1)
            if len(names) != 1 or facts.distkey:
                refuse("a table has one DISTKEY, of one column")
            facts.distkey = names[0]
            self.cut(1 + length)
        elif word == "ENCODE" or (word == "SORTKEY" and self.word(1) == "AUTO"):
            self.cut(2)
        elif word in ("SORTKEY", "COMPOUND", "INTERLEAVED"):
            behind = 1 if word == "SORTKEY" else 2
            facts.sortstyle = "COMPOUND" if word == "SORTKEY" else word
            facts.sortkey, length = self.names(behind)
            self.cut(behind + length)
        else:
            return False
        return True

    def column_attribute(self, word: str, column: str) -> bool:
        facts = self.facts
        if word == "DISTKEY":
            if facts.distkey:
                refuse("a table has one DISTKEY")
            facts.distkey = column
            self.cut(1)
        elif word == "SORTKEY":
            facts.sortkey, facts.sortstyle = [*facts.sortkey, column], "COMPOUND"
            self.cut(1)
        elif word == "ENCODE":
            if self.word(1) not in ENCODINGS:
                refuse(f"ENCODE {self.word(1)} doesn't exist")
            facts.encodings[column] = self.word(1).lower()
            self.cut(2)
        elif word == "IDENTITY":
            numbers, length = self.names(1)
            self.identity(column, numbers, always=True, tokens=1 + length)
        elif word == "GENERATED":
            if [self.word(ahead) for ahead in range(1, 5)] != ["BY", "DEFAULT", "AS", "IDENTITY"]:
                refuse("of generated columns there is GENERATED BY DEFAULT AS IDENTITY(seed, step) alone")
            numbers, length = self.names(5)
            self.identity(column, numbers, always=False, tokens=5 + length)
        else:
            return False
        return True

    def identity(self, column: str, numbers: list[str], *, always: bool, tokens: int) -> None:
        if len(numbers) != 2 or not all(re.fullmatch(r"\d+", number) for number in numbers):
            refuse("IDENTITY takes a seed and a step")
        self.facts.identities[column] = (int(numbers[0]), int(numbers[1]), always)
        self.cut(tokens)


def facts_of(text: str, tokens: list[Token]) -> tuple[Facts, str]:
    """What is said of the table, and the statement without it."""
    scanner = Scanner(text, tokens)
    kept = scanner.scan()
    return scanner.facts, kept


def without_keys(schema: exp.Schema, facts: Facts) -> None:
    """Takes out the keys, which Redshift only tells its planner of; a primary key's columns are NOT NULL, though."""
    for part in list(schema.expressions):
        named = part.expressions if isinstance(part, exp.Constraint) else [part]
        for kind in named:
            if isinstance(kind, exp.PrimaryKey):
                facts.primary_key += [column.name.lower() for column in kind.expressions]
            if isinstance(kind, exp.CheckColumnConstraint):
                refuse("CHECK doesn't exist in Redshift")
            if isinstance(kind, exp.PrimaryKey | exp.UniqueColumnConstraint | exp.ForeignKey):
                part.pop()
    for column in schema.find_all(exp.ColumnDef):
        for constraint in list(column.args.get("constraints") or []):
            kind = constraint.kind
            if isinstance(kind, exp.PrimaryKeyColumnConstraint):
                facts.primary_key.append(column.name.lower())
            elif isinstance(kind, exp.CheckColumnConstraint):
                refuse("CHECK doesn't exist in Redshift")
            if isinstance(kind, exp.PrimaryKeyColumnConstraint | exp.UniqueColumnConstraint | exp.Reference):
                constraint.pop()
    columns = {column.name.lower(): column for column in schema.find_all(exp.ColumnDef)}
    for name in facts.primary_key:
        if name not in columns:
            refuse(f"there is no column {name}")
        kinds = [constraint.kind for constraint in columns[name].args.get("constraints") or []]
        if not any(isinstance(kind, exp.NotNullColumnConstraint) for kind in kinds):
            columns[name].append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))


def with_own_rules(tree: exp.Expression, facts: Facts) -> exp.Expression:
    """VARCHAR(n) and CHAR(n) take n bytes of UTF-8, not n characters; IDENTITY is spelt otherwise."""
    for column in tree.find_all(exp.ColumnDef):
        kind = column.args["kind"]
        if column.name in facts.identities:
            if not kind.is_type("int", "bigint"):
                refuse(f"IDENTITY stands at a column of the type INT or BIGINT, {column.name} isn't")
            seed, step, always = facts.identities[column.name]
            options = f"(START WITH {seed} INCREMENT BY {max(step, 1)} MINVALUE {min(seed, 0)})"
            identity = f"GENERATED {'ALWAYS' if always else 'BY DEFAULT'} AS IDENTITY {options}"
            column.append("constraints", exp.Var(this=identity))
        if kind.is_type("varchar", "nvarchar", "char", "nchar", "bpchar"):
            size = kind.expressions[0].name if kind.expressions else "1"
            check = f"CHECK (octet_length({column.this.sql(dialect='postgres')}) <= {size})"
            column.append("constraints", exp.Var(this=check))
    for like in tree.find_all(exp.LikeProperty):
        like.append("expressions", exp.Property(this="INCLUDING", value=exp.Var(this="CONSTRAINTS")))
    return tree
