"""Put on a submission's ``PYTHONPATH`` while its DuckDB statements are counted: wraps DuckDB when it is imported."""

import importlib.util
import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "duckdb":
            return None
        sys.meta_path.remove(Finder)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                import duckdb_statements

                duckdb_statements.install()

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder)
