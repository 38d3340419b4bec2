"""Databricks as far as it is open source: Spark with Delta Lake as the format of every table that names none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from harness.engines.spark import DEFAULTS, Spark

# What a job may try that only Databricks' own runtime has -> how its statement, function or variable looks.
# Open-source Spark ends with an error at each of them, but not one that says so.
OWN: Mapping[str, str] = {
    "COPY INTO": r"COPY\s+INTO\b",
    "Unity Catalog's grants": r"(?:GRANT|REVOKE|DENY|SHOW\s+GRANTS?)\b",
    "Unity Catalog's catalogs, volumes, shares and connections": (
        r"(?:CREATE|DROP|ALTER|USE|SHOW)\s+(?:EXTERNAL\s+|FOREIGN\s+)?(?:CATALOG|VOLUME|SHARE|RECIPIENT|CONNECTION)S?\b"
    ),
    "tags, masks and row filters": r"(?:UN)?SET\s+(?:TAGS?|MASK|ROW\s+FILTER)\b",
    "constraints in a table's definition": r"\bdoes\s+not\s+support\s+table\s+constraint|FOREIGN\s+KEY\b",
    "streaming tables and materialized views": r"STREAMING\s+TABLE\b|MATERIALIZED\s+VIEW\b",
    "DEEP CLONE": r"DEEP\s+CLONE\b",
    "UNDROP": r"UNDROP\s+TABLE\b",
    "CLUSTER BY AUTO": r"CLUSTER\s+BY\s+AUTO\b",
    "REPLACE USING and REPLACE ON": r"REPLACE\s+(?:USING|ON)\b",
    "Bloom filter indexes": r"BLOOMFILTER\s+INDEX\b",
    "the disk cache": r"CACHE\s+SELECT\b",
    "ANALYZE … COMPUTE DELTA STATISTICS": r"COMPUTE\s+DELTA\s+STATISTICS\b",
    "QUALIFY": r"QUALIFY\b",
    "versions behind an @": r"@v\d+\b",
    "read_files and Auto Loader": r"`?read_files`?\b|\bcloudFiles\b",
    "functions of accounts and groups": r"`(?:is_account_group_member|is_member)`",
    "AI functions": r"`(?:ai|vector)_\w+`",
    "dbutils": r"NameError: name 'dbutils'",
}

# How Spark says that it doesn't know something.
UNKNOWN = re.compile(r"PARSE_SYNTAX_ERROR|INVALID_STATEMENT|UNRESOLV|UNSUPPORTED|NOT_FOUND|Unsupported|NameError")


class Databricks(Spark):
    """Jobs are started as Spark's are; the submission's tables are folders below ``$LAKE``."""

    name: ClassVar[str] = "databricks"
    fidelity: ClassVar[str] = (
        "Spark 4.1 and Delta Lake 4.4, the open-source parts of Databricks, in local mode, Delta being the format of "
        "tables; no Unity Catalog (tables are named by their path), no Photon, no clusters or workspace. What only "
        "Databricks' runtime has (COPY INTO, Auto Loader, grants, dbutils, …) ends with an error that says so."
    )
    defaults: ClassVar[str] = DEFAULTS + "spark.sql.sources.default                    delta\n"

    def explained(self, error: str) -> str:
        own = databricks_own(error)
        return f"{error}\n{own}" if own else error


def databricks_own(error: str) -> str:
    """If Spark's error is about something that only Databricks' runtime has: a sentence that says so, else nothing."""
    for what, pattern in OWN.items() if UNKNOWN.search(error) else ():
        if re.search(pattern, error, re.IGNORECASE):
            return f"Only Databricks' own runtime has {what}: here is open-source Spark with Delta Lake."
    return ""


ENGINE = Databricks
