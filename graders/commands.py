"""The commands of a runbook's steps, as they can be executed in a box."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from graders.contract import Contract
from graders.markdown import read
from graders.sections import find_sections
from graders.steps import steps_about, steps_in
from harness import discovery

# What a box may have; whatever else is named is somebody else's machine.
PROGRAMS = frozenset(("python", "python3", "bash", "sh")).union(
    *(discovery.load("harness.engines", name).ENGINE.programs for name in discovery.names("harness.engines"))
)
MOST = 8


@dataclass(frozen=True)
class Command:
    """``text`` as it is written, ``script`` as a shell is given it. ``by_hand``: of the step "run manually"."""

    text: str
    script: str
    program: str
    by_hand: bool

    @property
    def words(self) -> list[str]:
        """The command's words, empty if a shell is needed to tell them."""
        if re.search(r"[|<>`;&]|\$\(", self.script):
            return []
        try:
            return shlex.split(self.script)
        except ValueError:
            return []


def steps_of(contract: Contract, text: str, *names: str) -> str:
    """What the runbook's steps say whose name in the contract holds one of these words."""
    found = find_sections(contract, read(text))
    said: dict[str, None] = {}
    for section in contract.sections:
        for part in section.parts if section.kind == "steps" and section.name in found else ():
            if any(name in part.name.casefold() for name in names):
                steps = list(steps_in(found[section.name].body))
                said |= dict.fromkeys(step.text for step in steps_about(part, section, steps))
    return "\n\n".join(said)


def commands(
    contract: Contract, text: str, parameters: Mapping[str, str], variables: Collection[str]
) -> tuple[Command, ...]:
    """The commands of the steps "run manually" and "backfill", each once, that can be executed or read.

    ``parameters`` get these values, whatever day or batch the text takes for its example; ``variables`` are set in the
    box, and what the text sets them to is left out.
    """
    found: dict[str, Command] = {}
    for name in ("manual", "backfill"):
        for span in steps_of(contract, text, name).split("`")[1::2]:
            for written in _written(span, variables):
                script = _given(written, parameters)
                program = _program(script)
                if _OPEN.search(script):
                    continue
                if program and (" " in script.strip() or program not in PROGRAMS):
                    found.setdefault(script, Command(span.strip(), script, program, name == "manual"))
    return tuple(found.values())[:MOST]


# A value that the reader is to put in: nothing to execute.
_OPEN = re.compile(r"<[^<>\s][^<>\n]*>|(?<!\$)\{\w*\}|…|\.\.\.|YYYY|yyyy-mm")
_LOOP = re.compile(r"^\s*(?:for|while|until|if|case)\b|<<|\(\)\s*\{", re.MULTILINE)
_PROMPT = re.compile(r"^\s*[$%>]\s+")
_SET = re.compile(r"\s*(?:export\s+|set\s+-a\s+)?([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")
_LAUNCHERS = ("sudo", "time", "nohup", "env", "exec")
_SEPARATORS = ("&&", ";", "||", "&")


def _written(span: str, variables: Collection[str]) -> Iterator[str]:
    """The simple commands of a code span; a loop is one, with all that belongs to it."""
    lines = [_PROMPT.sub("", line) for line in re.sub(r"\\\n\s*", " ", span).split("\n")]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if _LOOP.search("\n".join(lines)):
        yield "\n".join(line for line in lines if not line.strip().startswith("cd "))
        return
    settings: list[str] = []
    for line in lines:
        for command in _simple(line):
            rest, own = _without_settings(command, variables)
            if not rest:
                settings += own
            else:
                yield " ".join([*(f"{setting};" for setting in settings), *own, rest])


def _simple(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=False, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[list[str]] = [[]]
    try:
        for token in lexer:
            if token in _SEPARATORS:
                found.append([])
            else:
                found[-1].append(token)
    except ValueError:  # a quotation mark that isn't closed: an apostrophe of prose
        return []
    return [" ".join(tokens) for tokens in found if tokens]


def _without_settings(command: str, variables: Collection[str]) -> tuple[str, list[str]]:
    """A command without the variables set before it, and those settings of which the box knows nothing."""
    own = []
    while match := _SET.match(command):
        if match[1] not in variables:
            own.append(f"export {match[1]}={match[2]}" if match.end() == len(command) else f"{match[1]}={match[2]}")
        command = command[match.end() :]
    words = command.split()
    while words and words[0] in _LAUNCHERS:
        words = words[1:]
    return (command if len(words) == len(command.split()) else " ".join(words)).strip(), own


def _given(script: str, parameters: Mapping[str, str]) -> str:
    for name, value in parameters.items():
        script = re.sub(
            rf"((?<!\w)--{re.escape(name)}(?:=|\s+)|(?<![\w-]){re.escape(name)}=)(?!\$\w+\s*;|\$\{{?\w+\}}?\"?\s*(?:;|\n\s*done))"
            r"(\"[^\"]*\"|'[^']*'|<[^<>]*>|\S+)",
            lambda match, value=value: f"{match[1]}{value}",  # type: ignore[misc]
            script,
        )
    # With one parameter there is but one thing that a placeholder can stand for.
    for value in parameters.values() if len(parameters) == 1 else ():
        script = re.sub(r"<[a-zA-Z][\w -]*>|\bYYYY-MM-DD\b", value, script)
    return script


def _program(script: str) -> str:
    """The program a command runs, if it is one that can be executed, or Airflow's, which can be read."""
    if _LOOP.search(script):
        inside = [word for word in re.findall(r"[\w./-]+", script) if word in PROGRAMS]
        return inside[0] if inside else ""
    words = [word for word in script.split() if not re.match(r"(?:export$|[A-Za-z_]\w*=)", word)]
    first = words[0] if words else ""
    if first in PROGRAMS or first == "airflow":
        return first
    return first if first.startswith("./") and first.endswith((".sh", ".py")) else ""
