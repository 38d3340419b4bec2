"""What a submission is made of: the modules it imports, the words of its code, the names it knows."""

from __future__ import annotations

import ast
import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from harness.submission import Submission
from harness.task import Task

# Text beyond this is data, or hostile.
MOST_CODE = 2_000_000


@cache
def technologies() -> Mapping[str, tuple[str, ...]]:
    """Name of a technology -> the words that name it, in lower case."""
    text = (resources.files("graders") / "technologies.toml").read_text(encoding="utf-8")
    return {name: tuple(words) for name, words in tomllib.loads(text).items()}


def named_technologies(text: str) -> list[str]:
    """The technologies that a text says are used; what it says isn't, is left out."""
    folded = _UNUSED.sub(" ", text.casefold())
    return [name for name, words in technologies().items() if any(_stands_in(word, folded) for word in words)]


_UNUSED = re.compile(r"\b(?:no|not|without|instead of|rather than|never|unlike|replaces|formerly|was)\s+[\w ,/-]{1,60}")


def technologies_in(task: Task, submission: Submission) -> frozenset[str]:
    """What is there to be used: the task's engines, what the ticket speaks of, what the submission's code speaks of."""
    given = " ".join([*task.manifest.engines, *task.manifest.technologies, task.instruction])
    text = f"{given} {code_of(submission)}".casefold()
    return frozenset(
        name for name, words in technologies().items() if any(_stands_in(word, text, "_") for word in words)
    )


def words_of(task: Task, submission: Submission) -> frozenset[str]:
    """Every word that stands in the ticket, the workspace or the submission's files, names of files included."""
    texts = [task.instruction, code_of(submission), code_of(task.workspace)]
    texts += [*submission.files, *task.workspace.files]
    return frozenset(word for text in texts for word in re.findall(r"\w+", text.casefold()))


def code_of(submission: Submission) -> str:
    """Imports and strings of Python, without comments and docstrings; the other files without their comments."""
    return "\n".join(_code(path, content) for path, content in submission.files.items())[:MOST_CODE]


def _code(path: str, content: bytes) -> str:
    if path == "DELIVERABLE.md" or path.endswith((".md", ".csv")) or b"\0" in content[:2000]:
        return ""
    text = content.decode("utf-8", errors="replace")
    if path.endswith(".py"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a stranger's code
                return "\n".join(_words_of_python(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
    return re.sub(
        r"(?m)(?:^|(?<=\s))(?:--|#)(?!\}).*$", " ", re.sub(r"/\*.{0,9999}?\*/|\{#.{0,9999}?#\}", " ", text, flags=re.S)
    )


def _words_of_python(tree: ast.Module) -> Iterator[str]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""


def _stands_in(word: str, text: str, *joints: str) -> bool:
    """Whether a word stands in a text, whole; in code a version or ``_`` may follow it (``postgres_default``)."""
    after = rf"(?![^\W\d{''.join(joints)}])"
    return bool(re.search(rf"(?<![^\W_]){re.escape(word)}{after}", text))
