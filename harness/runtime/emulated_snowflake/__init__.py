"""Puts the account that is emulated here into Snowflake's connector, when a program imports it."""

import importlib.util
import sys


def install_account(module):
    def connect(**options):
        from emulated_snowflake import account

        return account.connect(**options)

    module.connect = module.Connect = connect


def install_pandas(module):
    def write_pandas(conn, df, table_name, *arguments, **options):
        from emulated_snowflake import account

        return account.write_pandas(conn, df, table_name, *arguments, **options)

    module.write_pandas = write_pandas


INSTALLERS = {"snowflake.connector": install_account, "snowflake.connector.pandas_tools": install_pandas}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        install = INSTALLERS.pop(name, None)
        spec = importlib.util.find_spec(name) if install else None
        if spec is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            install(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder)
