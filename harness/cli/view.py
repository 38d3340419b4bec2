"""Serve the report of runs to this machine's browser, live while a run is going."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import click

from harness.errors import UsageError

PORT = 8642


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: one that is free.")
@click.option("--open/--no-open", "opens", default=True, show_default=True, help="Open it in the browser.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Compare every run with this one.")
def command(runs: tuple[Path, ...], port: int, opens: bool, baseline: Path | None) -> None:
    """Serve the report of RUNS (run directories, or folders of them; without any: all below ./runs) on 127.0.0.1.

    The pages follow a run that is going. Nothing is written, and no other machine can reach it. Ctrl-C ends it.
    """
    from results.report.serving import LiveSite, Server
    from results.run_directory import RunDirectory

    folders = runs or (Path("runs"),)
    if missing := [folder for folder in runs if not folder.is_dir()]:
        RunDirectory.open(missing[0])  # says what is wrong with it
    if baseline:
        RunDirectory.open(baseline)
    try:
        server = Server(LiveSite(folders, baseline), port)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        raise UsageError(
            f"port {port} can't be used: {error.strerror}", "choose another: --port 0 takes a free one"
        ) from None
    with server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"{server.url}  (Ctrl-C ends it)")
        if opens:
            import webbrowser

            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.2)
