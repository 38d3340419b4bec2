"""Reads and writes at a Snowflake account for the grader. Values are encoded as ``trusted_reader`` does."""

from __future__ import annotations

import contextlib

from trusted_reader import failure, result

LOGIN_TIME = 60  # seconds


def warm() -> None:
    with contextlib.suppress(ImportError):
        import snowflake.connector  # noqa: F401


@contextlib.contextmanager
def connected(login: dict):
    """``login``: the connector's own words."""
    import snowflake.connector

    settings = {"session_parameters": {"TIMEZONE": "UTC"}, "login_timeout": LOGIN_TIME}
    with contextlib.closing(snowflake.connector.connect(**login, **settings)) as link:
        yield link


def told(login: dict, act) -> dict:
    """What ``act`` returns of a cursor; ``unreachable`` if there is none to be had, ``error`` if it fails."""
    with contextlib.ExitStack() as stack:
        try:
            cursor = stack.enter_context(connected(login)).cursor()
        except Exception as error:
            return {"unreachable": failure(error)["error"]}
        try:
            return act(cursor)
        except Exception as error:
            return failure(error)


def snowflake_query(login: dict, sql: str) -> dict:
    return told(login, lambda cursor: result(cursor.execute(sql)))


def snowflake_execute(login: dict, statements: list[str]) -> dict:
    """Statements of the grader's own, in autocommit. The database that the login names needn't exist."""

    def execute(cursor) -> dict:
        for statement in statements:
            cursor.execute(statement)
        return {}

    return told(login, execute)


def snowflake_abort(login: dict, sessions: list[str]) -> dict:
    """Roll back what is open in these sessions."""

    def abort(cursor) -> dict:
        # Known by name: the order of its columns isn't documented to stay.
        cursor.execute("SHOW TRANSACTIONS")
        names = [column[0] for column in cursor.description]
        running = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for transaction in running:
            if str(transaction["session"]) in sessions:
                cursor.execute(f"SELECT SYSTEM$ABORT_TRANSACTION({int(transaction['id'])})")
        return {}

    return told(login, abort)
