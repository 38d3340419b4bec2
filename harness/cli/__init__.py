"""The ``bench`` program: finds its commands, turns every error into a message and an exit code.

Each module beside this one is a command: its name, its docstring's first line as the short help, and a
``click.Command`` called ``command``, which returns nothing or an exit code. A command is imported when it is
called; ``bench --help`` imports none, it reads their docstrings. See docs/cli.md.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness import discovery
from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, EXIT_USAGE, BenchError

EXIT_BROKEN_PIPE = 141
TRACEBACK = "BENCH_TRACEBACK"


class Commands(click.Group):
    """The commands of a package, found on disk and imported on call."""

    def __init__(self, package: str, folder: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.package = package
        self.folder = folder

    def list_commands(self, ctx: click.Context) -> list[str]:
        return discovery.names(self.package)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = discovery.load(self.package, cmd_name).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short_help(name)) for name in self.list_commands(ctx)])

    def _short_help(self, name: str) -> str:
        module = self.folder / name.replace("-", "_")
        path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        docstring = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        return docstring.partition("\n")[0].rstrip(".")


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"bench {version('data-engineer-bench')}")
        ctx.exit()


bench = Commands(
    package=__name__,
    folder=Path(__file__).parent,
    name="bench",
    help="Give data-engineering assignments to LLM agents, run what they deliver, and grade what it does.",
    epilog="Exit codes: 0 fine, 1 a gate failed, 2 usage, 3 infrastructure, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``bench`` and end the process with its exit code."""
    code = execute(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _broken_pipe()
    sys.exit(code)


def execute(arguments: Sequence[str] | None = None, program: click.Command = bench) -> int:
    """Run ``bench``; every way it can end has an exit code, and every error a message on stderr."""
    try:
        result = program.main(arguments, prog_name="bench", standalone_mode=False)
    except click.Abort:
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:  # the last line of defence
        return _failed(error)
    return result if isinstance(result, int) else EXIT_FINE


def _failed(error: Exception) -> int:
    from harness.models._keys import without_keys
    from results.errors import RunDirectoryError
    from results.text import printable

    def tell(text: str) -> None:
        click.echo(printable(without_keys(text)), err=True)

    if os.environ.get(TRACEBACK):
        import traceback

        tell("".join(traceback.format_exception(error)))
    if isinstance(error, BenchError | RunDirectoryError):
        tell(f"error: {error.problem}")
        if error.mend:
            tell(f"  {error.mend}")
        return error.exit_code
    tell(f"error: unexpected {type(error).__name__}: {error}")
    if not os.environ.get(TRACEBACK):
        click.echo(f"  a fault of bench itself; to see where: {TRACEBACK}=1 bench …", err=True)
    return EXIT_INFRASTRUCTURE


def _broken_pipe() -> int:
    # Whoever read our output has enough; the interpreter must not fail again when it flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE
