"""Put on a submission's ``PYTHONPATH`` while something is done to it: wraps modules when they are imported."""

import importlib.util
import os
import sys

# Module -> what wraps it, and the variable that asks for it.
HOOKS = {
    "duckdb": ("duckdb_statements", "STATEMENT_LOG"),
    "emulated_snowflake.account": ("snowflake_statements", "SNOWFLAKE_STATEMENT_LOG"),
    "snowflake.connector": ("snowflake_address", "SNOWFLAKE_HOST"),
    "snowflake.connector.cursor": ("snowflake_account", "SNOWFLAKE_ACCOUNT_LOG"),
    "py4j.java_gateway": ("spark_writes", "OTHER_WRITER"),
}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        hook, variable = HOOKS.pop(name, ("", ""))
        if variable not in os.environ:
            return None
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                importlib.import_module(hook).install()

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder)
