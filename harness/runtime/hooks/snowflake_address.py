"""Leads Snowflake's connector to an account that isn't where its name says.

``SNOWFLAKE_HOST``, ``SNOWFLAKE_PORT`` and ``SNOWFLAKE_PROTOCOL`` say where it is.
"""

from __future__ import annotations

import os
import sys


def install() -> None:
    """Called once a process, after ``import snowflake.connector``."""
    module = sys.modules["snowflake.connector"]
    usual = module.connect
    variables = {name: f"SNOWFLAKE_{name.upper()}" for name in ("host", "port", "protocol")}
    address = {name: os.environ[variable] for name, variable in variables.items() if variable in os.environ}

    def connect(*arguments, **options):
        return usual(*arguments, **{**address, **options})

    module.connect = module.Connect = connect
