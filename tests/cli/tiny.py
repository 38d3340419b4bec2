"""A suite whose tasks are graded in a blink: a shell script that greets whoever stands in a file."""

from __future__ import annotations

from pathlib import Path

from harness.task import Task, load_suite

DELIVERABLE = Path(__file__).parents[1] / "graders" / "deliverables" / "good.md"
MANIFEST = """
id = "text/{name}"
title = "Greet"
version = 1
environment = "core"
# The engine that starts nothing before it is used.
engines = ["dbt"]
kind = "build"
difficulty = "easy"
technologies = ["bash"]
responsibilities = ["responsibilities/data-quality-and-validation"]
sources = ["landing/orders"]
destinations = ["warehouse.fct_orders"]
canary = "0b5f6e2e-6a4e-4f0e-9a7e-2f1f5a3c9d10"
"""
INSTRUCTION = "Please make greet.sh of {name} say Hello to whoever stands in $DATA/who.txt.\n"
WORLD = """
from dataclasses import dataclass

@dataclass(frozen=True)
class World:
    who: str

def build(seed, scale=1.0):
    return World(f"Kim the {seed}th")

def furnish(world, lab):
    lab.deliver({"who.txt": world.who})
"""
CHECKS = """
from graders.check import check, scenario
from graders.perturbations import must_end_well, twice
from .world import furnish

def greet(lab):
    return must_end_well(lab.run("bash", "greet.sh"), "greeting")

@scenario
def greeted(lab, world):
    furnish(world, lab)
    return greet(lab).stdout

@check("correctness")
def the_right_one_is_greeted(greeted, world):
    assert world.who in greeted

@check("correctness", clauses=["constraints/never-lose-data"])
def the_greeting_is_hello(greeted):
    assert "Hello" in greeted, greeted

@check("quality", clauses=["constraints/always-validate-data-quality"])
def there_is_one_line(greeted):
    assert len(greeted.splitlines()) == 1

@check("quality")
def the_line_ends_well(greeted):
    assert greeted.endswith("!\\n")

@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def greeting_again_says_the_same(lab, world):
    lab.fresh()
    furnish(world, lab)
    assert greet(lab).stdout == greet(lab).stdout
"""
REFERENCE = 'echo "Hello $(cat "$DATA/who.txt")!"\n'
MUTANTS = {
    "rude": ("the_greeting_is_hello", "Hello", "Go"),
    "deaf": ("the_right_one_is_greeted", '$(cat \\"$DATA/who.txt\\")', "you"),
    "flat": ("the_line_ends_well", ")!", ")"),
    "long": ("there_is_one_line", "!", "!\\n!"),
    "moody": ("greeting_again_says_the_same", "Hello ", "Hello $RANDOM$RANDOM "),
}


def make_suite(folder: Path, *names: str) -> Path:
    for name in names or ("one",):
        files = {
            "task.toml": MANIFEST.format(name=name),
            "instruction.md": INSTRUCTION.format(name=name),
            "world.py": WORLD,
            "checks.py": CHECKS,
            "reference/greet.sh": REFERENCE,
            "reference/DELIVERABLE.md": DELIVERABLE.read_text(),
            "alternates/printf/greet.sh": 'printf "Hello %s!\\n" "$(cat "$DATA/who.txt")"\n',
            "mutants.toml": "".join(
                f'[{mutant}]\nbreaks = ["{check}"]\nfile = "greet.sh"\nfind = "{find}"\nreplace = "{replace}"\n'
                for mutant, (check, find, replace) in MUTANTS.items()
            ),
        }
        for path, text in files.items():
            target = folder / "text" / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return folder


def tasks_of(suite: Path) -> list[Task]:
    return load_suite(str(suite))
