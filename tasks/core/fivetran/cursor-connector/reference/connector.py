"""The tills' orders for Fivetran: one pass over the list of changes, checkpointed after each page."""

import time
from datetime import datetime, timedelta

import requests
from fivetran_connector_sdk import Connector
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

# An order may take so long until it is listed; a sync begins that much before the last order of the one before.
DELAY = timedelta(minutes=15)
TRIES = 4
TIMEOUT = 30  # seconds
LONGEST_WAIT = 10  # seconds


def schema(configuration):
    return [
        {
            "table": "orders",
            "primary_key": ["order_id"],
            "columns": {
                "order_id": "STRING",
                "shop_id": "STRING",
                "status": "STRING",
                "note": "STRING",
                "total": {"type": "DECIMAL", "precision": 12, "scale": 2},
                "updated_at": "UTC_DATETIME",
            },
        }
    ]


def update(configuration, state):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {configuration['api_key']}"
    url = f"{configuration['base_url']}/v2/orders"
    newest = state.get("newest")
    parameters = {"updated_since": before(newest)} if newest else {}
    while True:
        page = get(session, url, parameters)
        for order in page["orders"]:
            write(order)
            newest = max(newest or "", order["updated_at"])
        # Only behind the rows of the page: what a checkpoint covers is in the destination.
        op.checkpoint({"newest": newest} if newest else {})
        if not page["next_page_token"]:
            break
        parameters = {"page_token": page["next_page_token"]}


def write(order):
    if order.get("deleted"):
        op.delete("orders", {"order_id": order["order_id"]})
        return
    row = dict(order)
    if row.get("total") is not None:
        row["total"] = str(row["total"])
    op.upsert("orders", row)


def before(newest):
    moment = datetime.fromisoformat(newest) - DELAY
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def get(session, url, parameters):
    """One page; hiccups are waited for, anything else ends the sync with an error."""
    for attempt in range(1, TRIES + 1):
        answer = session.get(url, params=parameters, timeout=TIMEOUT)
        if answer.status_code not in (429, 500, 502, 503, 504) or attempt == TRIES:
            break
        wait = min(float(answer.headers.get("Retry-After", attempt)), LONGEST_WAIT)
        log.warning(f"the API answered {answer.status_code}; again in {wait:g} s")
        time.sleep(wait)
    answer.raise_for_status()
    return answer.json()


connector = Connector(update=update, schema=schema)
# canary: 3bfb8542-be3f-4bef-b5ba-cffd85a0a233
