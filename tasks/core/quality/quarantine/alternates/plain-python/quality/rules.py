import csv
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

MONEY = re.compile(r"\d+(\.\d\d?)?", re.ASCII)
MOST = Decimal("9999999999.99")
WHOLE = re.compile(r"0*[1-9]\d*", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
STATUS = {"placed", "paid", "shipped", "cancelled"}


def moment(text):
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", text, re.ASCII):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def matching(pattern, convert, most):
    def parse(text):
        if not pattern.fullmatch(text):
            raise ValueError(text)
        if (value := convert(text)) > most:
            raise ValueError(text)
        return value

    return parse


def status(text):
    if text not in STATUS:
        raise ValueError(text)
    return text


PARSERS = {
    "order_id": str,
    "user_id": str,
    "ordered_at": moment,
    "updated_at": moment,
    "quantity": matching(WHOLE, int, 2**31 - 1),
    "unit_price": matching(MONEY, Decimal, MOST),
    "total_amount": matching(MONEY, Decimal, MOST),
    "status": status,
}


@dataclass
class Judged:
    lines: list
    accepted: dict = field(default_factory=dict)  # order_id -> (line, row)
    merged: int = 0
    flags: list = field(default_factory=list)


class Judge:
    def __init__(self, users):
        with open(users, encoding="utf-8", newline="") as file:
            self.users = {row["user_id"] for row in csv.DictReader(file)} - {"", None}

    def judge(self, lines):
        result = Judged(lines)
        for line in lines:
            if line.values is None:
                continue
            row = self.convert(line)
            if line.reasons:
                continue
            key = row["order_id"]
            if key in result.accepted:
                result.merged += 1
                if result.accepted[key][1]["updated_at"] >= row["updated_at"]:
                    continue
            result.accepted[key] = (line, row)
        for line, row in result.accepted.values():
            if row["email"] and not EMAIL.fullmatch(row["email"]):
                result.flags.append((line.number, row["order_id"], "odd_email"))
            if abs(row["total_amount"] - row["quantity"] * row["unit_price"]) > Decimal("0.01"):
                result.flags.append((line.number, row["order_id"], "odd_total"))
            if row["updated_at"] < row["ordered_at"]:
                result.flags.append((line.number, row["order_id"], "odd_times"))
        return result

    def convert(self, line):
        row = {"email": line.values["email"], "note": line.values["note"]}
        for column, parse in PARSERS.items():
            value = line.values[column]
            if value is None:
                line.reasons.append("missing_" + column)
                continue
            try:
                row[column] = parse(value)
            except ValueError:
                line.reasons.append("invalid_" + column)
        if row.get("user_id") and row["user_id"] not in self.users:
            line.reasons.append("unknown_user")
        return row
# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
