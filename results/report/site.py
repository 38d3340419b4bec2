"""The pages and data files of a report by their paths, and how they get onto a disk."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

from results.durable import writing
from results.errors import RunDirectoryError
from results.report import pages
from results.report.drawing import draw
from results.report.reading import Source

MARK = ".bench-report"  # in a folder that a report was written to, and that may be replaced by the next
ASSETS = ("report.css", "report.js", "icon.svg")
NOT_TO_SCRAPE = b"User-agent: *\nDisallow: /\n"


@dataclass(frozen=True, eq=False)
class Site:
    """``files``: what makes the content of each file, by its path. Nothing is made before it is asked for.

    ``live``: the pages ask their server for news.
    """

    source: Source
    live: bool = False

    @cached_property
    def files(self) -> Mapping[str, Callable[[], bytes]]:
        made: dict[str, Callable[[], bytes]] = {f"assets/{name}": _asset(name) for name in ASSETS}
        made["robots.txt"] = lambda: NOT_TO_SCRAPE
        for module in page_modules():
            made |= {file.path: self._maker(file) for file in module.files(self.source)}
        return made

    def _maker(self, file: pages.File) -> Callable[[], bytes]:
        def page() -> bytes:
            values = file.values()
            shared: dict[str, Any] = {"source": self.source, "navigation": navigation(), "live": self.live}
            return draw(file.template, file.path, **shared, **values).encode("utf-8", errors="replace")

        return page if file.template else lambda: file.values()["content"].encode("utf-8", errors="replace")


def page_modules() -> list[ModuleType]:
    """The kinds of pages: each module of ``pages``, in the order of the navigation."""
    names = [module.name for module in pkgutil.iter_modules(pages.__path__)]
    modules = [importlib.import_module(f"{pages.__name__}.{name}") for name in names]
    return sorted(modules, key=lambda module: (module.PLACE, module.__name__))


def navigation() -> list[tuple[str, str]]:
    """Label and path of each kind of page that has an entry."""
    return [module.ENTRY for module in page_modules() if module.ENTRY]


def write_site(site: Site, folder: Path) -> int:
    """Write all files of a report; the folder has the old report or the new one, never half of one.

    Returns the number of files.

    Raises:
        RunDirectoryError: something that isn't a report is in the folder.
        RunWriteError: it can't be written; what was there before is untouched.
    """
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunDirectoryError(f"{folder} holds something that is no report", "choose another folder: -o FOLDER")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            draft.chmod(0o755)
            for path, content in _contents(site):
                target = draft / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            (draft / MARK).touch()
            _replace(folder, draft)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return len(site.files)


def _contents(site: Site) -> Iterator[tuple[str, bytes]]:
    for path, make in site.files.items():
        yield path, make()


def _replace(folder: Path, draft: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    old = draft.with_name(f"{draft.name}.old")
    folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old)


def _asset(name: str) -> Callable[[], bytes]:
    return lambda: files("results.report").joinpath("assets", name).read_bytes()
