from datetime import datetime, timedelta

from fivetran_connector_sdk import Connector
from fivetran_connector_sdk import Operations as op

from tills import TillsClient, flatten

TABLE = "orders"
OVERLAP = timedelta(minutes=20)


def schema(configuration):
    return [{
        "table": TABLE,
        "primary_key": ["order_id"],
        "columns": {
            "order_id": "STRING", "shop_id": "STRING", "status": "STRING", "note": "STRING",
            "total": {"type": "DECIMAL", "precision": 12, "scale": 2}, "updated_at": "UTC_DATETIME",
        },
    }]


def update(configuration, state):
    client = TillsClient(configuration["base_url"], configuration["api_key"])
    cursor = state.get("cursor")
    since = None
    if cursor:
        since = (datetime.fromisoformat(cursor) - OVERLAP).isoformat().replace("+00:00", "Z")
    for orders in client.changes(since):
        for order in orders:
            cursor = order["updated_at"]
            if "deleted" in order and order["deleted"]:
                op.delete(TABLE, {"order_id": order["order_id"]})
                continue
            row = flatten(order)
            row["total"] = str(row["total"])
            op.upsert(TABLE, row)
        if cursor:
            op.checkpoint({"cursor": cursor})


connector = Connector(update=update, schema=schema)
# canary: 3bfb8542-be3f-4bef-b5ba-cffd85a0a233
