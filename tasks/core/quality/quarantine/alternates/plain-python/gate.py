#!/usr/bin/env python3
import argparse
import os
from datetime import date
from pathlib import Path

from quality import store
from quality.parse import parse
from quality.rules import Judge

if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--batch", required=True)
    day = date.fromisoformat(arguments.parse_args().batch)
    data = Path(os.environ["DATA"])
    lines = parse(data / "incoming" / f"orders_{day}.csv")
    judged = Judge(data / "reference" / "users.csv").judge(lines)
    store.save(os.environ["WAREHOUSE"], day, judged)
# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
