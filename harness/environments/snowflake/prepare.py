"""Lets Snowflake's connector find the account that stands in for Snowflake: ``prepare.py FOLDER`` (run once, when the
environment is built). Every Python that is told of such an account then connects to it, whatever program it runs."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

# A line that starts with `import` is executed when Python starts; where the variable isn't set, it does nothing.
START = (
    "import os, sys; place = os.environ.get('SNOWFLAKE_EMULATION'); "
    "place and (sys.path.append(place), __import__('emulated_snowflake'))\n"
)

if __name__ == "__main__" and sys.argv[1:] != ["--try"]:  # which asks whether this machine has what it takes
    Path(sysconfig.get_paths()["purelib"], "snowflake_emulation.pth").write_text(START)
