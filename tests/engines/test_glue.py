"""Glue jobs on Spark: frames with choices, bookmarks, the catalog, and what isn't here."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from harness.engines.glue import Glue, as_path
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.submission import Submission
from tests.engines.conftest import begin, quick_sandbox, task_with

pytestmark = pytest.mark.engines

# A job in two runs: prints what it sees, writes with the catalog kept up to date.
JOB = """
import json, sys
from awsglue.context import GlueContext
from awsglue.dynamicframe import DynamicFrame
from awsglue.job import Job
from awsglue.transforms import *
from awsglue.utils import GlueArgumentError, getResolvedOptions
from pyspark.context import SparkContext

args = getResolvedOptions(sys.argv, ["JOB_NAME", "day"])
glue = GlueContext(SparkContext.getOrCreate())
job = Job(glue)
job.init(args["JOB_NAME"], args)
raw = glue.create_dynamic_frame.from_options(
    "s3", {"paths": ["s3://raw/in"], "recurse": True}, "json", transformation_ctx="raw"
)
seen = {"rows": raw.count(), "errors": raw.errorsCount(), "types": dict(raw.toDF().dtypes), "args": sorted(args)}
specs = [("amount", "cast:decimal(12,2)"), ("code", "project:string"), ("nobody", "cast:int")]
resolved = ResolveChoice.apply(raw, specs=specs)
seen["resolved"] = dict(resolved.toDF().dtypes)
seen["columns"] = sorted(raw.resolveChoice(choice="make_cols").toDF().columns)
seen["kept"] = [row.id for row in Filter.apply(frame=raw, f=lambda record: record["code"] == 7).toDF().collect()]
seen["dropped"] = DropNullFields.apply(frame=resolved).toDF().columns
mapped = resolved.apply_mapping([
    ("id", "int", "id", "long"), ("amount", "decimal", "amount", "decimal(12,2)"),
    ("place.city", "string", "city", "string"),
    ("day", "string", "day", "string"), ("absent", "string", "absent", "string"),
] + ([("extra", "string", "extra", "string")] if args["day"] == "2" else []))
sink = glue.getSink("s3", path="s3://curated/t/", partitionKeys=["day"], enableUpdateCatalog=True)
sink.setCatalogInfo(catalogDatabase="shop", catalogTableName="t")
sink.setFormat("glueparquet")
sink.writeFrame(mapped)
if args["day"] == "2":
    again = glue.create_dynamic_frame.from_catalog("shop", "t", push_down_predicate="day > '2026-03-01'")
    rows = again.toDF().select("id", "day").collect()
    seen["from the catalog"] = sorted([str(value) for value in row] for row in rows)
    refused = {
        "mapping a choice": lambda: raw.apply_mapping([("amount", "string", "amount", "string")]),
        "relationalize": lambda: Relationalize.apply(raw),
        "jdbc": lambda: glue.create_dynamic_frame.from_options("mysql", {}),
        "orc": lambda: glue.create_dynamic_frame.from_options("s3", {"paths": ["s3://raw/in"], "recurse": True}, "orc"),
        "no such method": lambda: raw.spigot("s3://raw/x"),
        "an argument": lambda: getResolvedOptions(sys.argv, ["absent"]),
        "spark's own reader": lambda: glue.spark_session.read.json("s3://raw/in"),
    }
    for name, call in refused.items():
        try:
            call()
            seen[name] = "passed"
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {str(error)[:600]}"
job.commit()
print(json.dumps(seen))
"""
FIRST = [
    {"id": 1, "amount": 1, "code": 7, "day": "2026-03-01", "place": {"city": "Rīga"}, "void": None},
    {"id": 2, "amount": 2.5, "code": "x", "day": "2026-03-02", "place": {"city": "Oslo", "zip": 17}},
]
SECOND = [
    {"id": 3, "amount": "3.50", "code": 7, "day": "2026-03-02", "extra": "e"},
    {"id": 4, "amount": 4, "day": "2026-03-03"},
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    task = task_with(["spark", "glue"], "spark", memory=2048, disk=256, processes=512)
    with Lab(task, quick_sandbox(), Submission()) as opened:
        yield opened


def seen(lab: Lab, day: str) -> dict[str, Any]:
    done = lab.use(Glue).run("job.py", "t", "--day", day)
    assert done.ok, done.explain()
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_job_reads_what_is_new_and_keeps_the_catalog(lab: Lab) -> None:
    begin(lab, {"job.py": JOB})
    glue = lab.use(Glue)
    glue.create_bucket("raw")
    glue.create_bucket("curated")
    glue.create_database("shop")
    glue.put_objects("raw", {"in/a/1.json": lines(FIRST) + "{torn\n", "in/_hidden/x.json": "{}", "inside/2.json": "{}"})

    first = seen(lab, "1")
    assert (first["rows"], first["errors"]) == (2, 1)
    assert first["types"] == {
        "id": "int",
        "amount": "struct<double:double,int:int>",
        "code": "struct<int:int,string:string>",
        "day": "string",
        "place": "struct<city:string,zip:int>",
        "void": "string",
    }
    assert first["args"] == ["JOB_NAME", "day", "job_bookmark_option"]
    assert dict(first["resolved"])["amount"] == "decimal(12,2)"
    assert dict(first["resolved"])["code"] == "string"
    assert {"amount_double", "amount_int", "code_int", "code_string"} <= set(first["columns"])
    assert first["kept"] == [1]
    assert "void" not in first["dropped"]
    before = glue.objects("curated", "t/")

    glue.put_objects("raw", {"in/a/0.json": lines(SECOND)})
    second = seen(lab, "2")
    assert second["rows"] == 2
    assert second["from the catalog"] == [["2", "2026-03-02"], ["3", "2026-03-02"], ["4", "2026-03-03"]]
    told = {
        "mapping a choice": "amount is a choice of int, string: resolve it before mapping",
        "relationalize": "NotImplementedError: Relationalize is not available here",
        "jdbc": "only s3 is",
        "orc": "reading the format 'orc' is not available here",
        "no such method": "DynamicFrame.spigot is not available here",
        "an argument": "GlueArgumentError: the following arguments are required: --absent",
        "spark's own reader": 'No FileSystem for scheme "s3"',
    }
    for name, text in told.items():
        assert text in str(second[name]), (name, second[name])

    assert before.items() < glue.objects("curated", "t/").items()
    table = glue.catalogued("shop", "t")
    day = datetime.date(2026, 3, 1)
    found = sorted((row["id"], row["amount"], row["city"], (row["day"] - day).days, row["extra"]) for row in table)
    assert found == [
        (1, Decimal("1.00"), "Rīga", 0, None),
        (2, Decimal("2.50"), "Oslo", 1, None),
        (3, Decimal("3.50"), None, 1, "e"),
        (4, Decimal("4.00"), None, 2, None),
    ]
    columns = {
        column["Name"]: column["Type"] for column in glue.catalog_table("shop", "t")["StorageDescriptor"]["Columns"]
    }
    assert columns == {"id": "bigint", "amount": "decimal(12,2)", "city": "string", "extra": "string"}
    assert [partition["Values"] for partition in glue.catalog_partitions("shop", "t")] == [
        ["2026-03-01"],
        ["2026-03-02"],
        ["2026-03-03"],
    ]


def test_what_a_catalog_says_is_a_strangers_word(lab: Lab) -> None:
    glue = begin(lab).use(Glue)
    glue.create_database("shop")
    with pytest.raises(SubmissionFault, match="not found"):
        glue.catalogued("shop", "absent")
    for number, location in enumerate(("/etc/", "s3://nobody/x/", "")):
        glue.create_table("shop", {"Name": f"t{number}", "StorageDescriptor": {"Location": location}})
        with pytest.raises(SubmissionFault):
            glue.catalogued("shop", f"t{number}")
    glue.create_bucket("lake")
    glue.put_objects("lake", {"t/part-0.parquet": b"no parquet"})
    with pytest.raises(SubmissionFault, match="can't be read"):
        glue.parquet("t", glue.objects("lake"))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("t/day=2026-03-01/a.parquet", "t/day=2026-03-01/a.parquet"),
        ("../../etc/x", "x../x../etc/x"),
        ("day=a%2Fb/x", "day=a%2Fb/x"),
        ("//x", "x/x/x"),
        ("day=a b/x", "day=a%20b/x"),
    ],
)
def test_a_key_is_a_path_below_the_folder(key: str, path: str) -> None:
    assert as_path(key) == path
