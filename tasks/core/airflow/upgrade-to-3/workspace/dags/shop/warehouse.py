"""The warehouse, as the DAGs use it."""
from contextlib import closing

from airflow.providers.postgres.hooks.postgres import PostgresHook

CONN_ID = "warehouse"


def scalar(sql, parameters=None):
    """The one value of a query."""
    return PostgresHook(postgres_conn_id=CONN_ID).get_first(sql, parameters=parameters)[0]


def in_one_transaction(*statements):
    """Run (sql, parameters) pairs; all of them or none."""
    with closing(PostgresHook(postgres_conn_id=CONN_ID).get_conn()) as conn:
        with conn.cursor() as cur:
            for sql, parameters in statements:
                cur.execute(sql, parameters)
        conn.commit()
