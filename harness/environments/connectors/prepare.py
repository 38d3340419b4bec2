"""Completes the connectors' kits where they are installed: ``prepare.py FOLDER`` (run once, when it is built).

pipreqs    is asked by ``fivetran debug`` what a project imports, and asks PyPI in turn: with no network that takes a
           quarter of a minute a run, and ends in a warning. Here it finds nothing to say.
"""

from __future__ import annotations

import sys
from pathlib import Path

QUIET = "#!/bin/sh\n# There is no package index to ask: what stands in requirements.txt is taken as it is.\nexit 0\n"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).parent / "pipreqs"
    program.unlink()  # what is installed may be another environment's, too
    program.write_text(QUIET)
    program.chmod(0o755)


if __name__ == "__main__" and sys.argv[1:] != ["--try"]:  # which asks whether this machine has what it takes
    main(Path(sys.argv[1]))
