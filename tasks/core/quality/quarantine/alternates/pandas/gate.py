import os
import sys

import duckdb
import numpy as np
import pandas as pd

COLS = ["order_id", "user_id", "email", "ordered_at", "updated_at", "quantity", "unit_price", "total_amount", "status", "note"]
REQUIRED = [c for c in COLS if c not in ("email", "note")]


def split_line(line):
    import csv

    try:
        (fields,) = csv.reader([line.decode()], strict=True)
        return fields
    except (ValueError, csv.Error):
        return None


batch = sys.argv[sys.argv.index("--batch") + 1]
raw = open(f"{os.environ['DATA']}/incoming/orders_{batch}.csv", "rb").read().splitlines()
header = split_line(raw[0])
lines = pd.DataFrame({"line": np.arange(2, len(raw) + 1), "bytes": pd.Series(raw[1:], dtype=object)})
lines["record"] = lines["bytes"].map(lambda b: b.decode("utf-8", "replace")).astype(object)
fields = lines["bytes"].map(split_line)
unreadable = fields.map(lambda f: f is None or len(f) != len(header)).astype(bool)

df = pd.DataFrame(fields[~unreadable].tolist(), columns=header, index=lines.index[~unreadable], dtype=object)[COLS]
df = df.where(df.apply(lambda s: s.str.strip() != "") if len(df) else df.notna(), None)
df.insert(0, "line", lines["line"])

faults = [lines.loc[unreadable, ["line"]].assign(reason="unreadable")]


def fault(mask, reason):
    faults.append(df.loc[mask.astype(bool), ["line"]].assign(reason=reason))


for c in REQUIRED:
    fault(df[c].isna(), f"missing_{c}")
moment = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"
times = {}
for c in ["ordered_at", "updated_at"]:
    times[c] = pd.to_datetime(df[c], format="%Y-%m-%dT%H:%M:%S", errors="coerce")
    fault(df[c].notna() & (times[c].isna() | ~df[c].astype("string").str.fullmatch(moment).fillna(False)), f"invalid_{c}")
numbers = {}
money = r"[0-9]+(\.[0-9]{1,2})?"
for c, form, most in [("quantity", r"[0-9]+", 2**31 - 1), ("unit_price", money, 9999999999.99), ("total_amount", money, 9999999999.99)]:
    right = df[c].astype("string").str.fullmatch(form).fillna(False)
    numbers[c] = pd.to_numeric(df[c].where(right), errors="coerce")
    right &= numbers[c].between(1 if c == "quantity" else 0, most)
    fault(df[c].notna() & ~right, f"invalid_{c}")
fault(df["status"].notna() & ~df["status"].isin(["placed", "paid", "shipped", "cancelled"]), "invalid_status")
users = pd.read_csv(f"{os.environ['DATA']}/reference/users.csv", dtype=str)["user_id"].dropna()
fault(df["user_id"].notna() & ~df["user_id"].isin(users), "unknown_user")

faults = pd.concat(faults).merge(lines[["line", "record"]], on="line")
good = df[~df["line"].isin(faults["line"])].copy()
for c in times:
    good[c] = times[c]
for c in numbers:
    good[c] = numbers[c]
accepted = good.sort_values(["updated_at", "line"]).drop_duplicates("order_id", keep="last")

odd = {
    "odd_email": accepted["email"].notna() & ~accepted["email"].astype("string").str.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+").fillna(False),
    "odd_total": ((accepted["total_amount"] - accepted["quantity"] * accepted["unit_price"]).abs().round(4) > 0.01),
    "odd_times": accepted["updated_at"] < accepted["ordered_at"],
}
review = pd.concat([accepted.loc[m.astype(bool), ["line", "order_id"]].assign(flag=f) for f, m in odd.items()])
alerts = []
if lines.empty:
    alerts.append((batch, "empty", "no orders in the file"))
if len(accepted) and accepted["updated_at"].max() < pd.Timestamp(batch):
    alerts.append((batch, "stale", str(accepted["updated_at"].max())))
counts = [len(lines), len(accepted), len(good) - len(accepted), faults["line"].nunique()]

con = duckdb.connect(os.environ["WAREHOUSE"])
con.execute("BEGIN")
con.execute("""
CREATE TABLE IF NOT EXISTS orders (order_id VARCHAR, user_id VARCHAR, email VARCHAR, ordered_at TIMESTAMP, updated_at TIMESTAMP,
    quantity INTEGER, unit_price DECIMAL(12,2), total_amount DECIMAL(12,2), status VARCHAR, note VARCHAR, batch VARCHAR);
CREATE TABLE IF NOT EXISTS quarantine (batch DATE, line INTEGER, reason VARCHAR, record VARCHAR);
CREATE TABLE IF NOT EXISTS review (batch DATE, line INTEGER, order_id VARCHAR, flag VARCHAR);
CREATE TABLE IF NOT EXISTS alerts (batch DATE, kind VARCHAR, message VARCHAR);
CREATE TABLE IF NOT EXISTS batches (batch DATE, records INTEGER, accepted INTEGER, merged INTEGER, rejected INTEGER);
""")
for t in ["quarantine", "review", "alerts", "batches"]:
    con.execute(f"DELETE FROM {t} WHERE batch = CAST(? AS DATE)", [batch])
con.register("faults_df", faults)
con.execute(f"INSERT INTO quarantine SELECT '{batch}', line, reason, record FROM faults_df")
con.register("review_df", review)
con.execute(f"INSERT INTO review SELECT '{batch}', line, order_id, flag FROM review_df")
for alert in alerts:
    con.execute("INSERT INTO alerts VALUES (?, ?, ?)", alert)
con.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", [batch, *counts])
accepted = accepted[COLS].assign(batch=batch)
con.execute("DELETE FROM orders USING accepted a WHERE orders.order_id = a.order_id AND orders.updated_at < a.updated_at")
con.execute("INSERT INTO orders SELECT * FROM accepted a WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.order_id = a.order_id)")
con.execute("COMMIT")
con.close()
# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
