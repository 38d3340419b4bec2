"""Who has been erased: the list that erase.py writes and the pipeline obeys. It holds numbers, nothing else."""


def make_list(cursor):
    cursor.execute(
        "create table if not exists ops.erased (user_id int primary key, erased_at timestamptz not null default now())"
    )


def erased(cursor):
    make_list(cursor)
    cursor.execute("select user_id from ops.erased")
    return {number for (number,) in cursor.fetchall()}


def without_erased(kind, record, gone):
    """A record as it may be loaded; None if nothing of it may."""
    if kind == "users":
        return None if record["user_id"] in gone else record
    if kind == "orders":
        return record | dict(user_id=None, ship_to=None, note=None) if record["user_id"] in gone else record
    payload = record["payload"]
    if payload["actor"]["user_id"] in gone:
        return None
    if payload["recipient"] and payload["recipient"]["user_id"] in gone:
        return record | {"payload": payload | {"recipient": None}}
    return record
# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
