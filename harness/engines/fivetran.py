"""Fivetran's Connector SDK: a sync is a ``fivetran debug`` that finds the destination and the last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from harness.engines import QueriedEngine
from harness.engines._reading import read
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box, Completed
from harness.submission import SubmissionError, SubmissionLimits
from harness.tables import Table

CALLS, READER = "connector_calls", "trusted_reader"
CONFIGURATION = "configuration.json"
FOREVER = 4102444800  # seconds: a moment that doesn't come
# What the SDK knows of its user: that it need ask nobody for a newer version of itself, and has told its licence.
KNOWN = {
    ".fivetran/connector_sdk/_last_version_check": str(FOREVER),
    ".fivetran/connector_sdk_core/_config.json": json.dumps({"lastVersionCheck": FOREVER, "licenseNoticeShown": True}),
}
WAREHOUSE, STATE = "files/warehouse.db", "files/state.json"
KEPT = (WAREHOUSE, f"{WAREHOUSE}.wal", STATE)
LARGEST = 128 << 20  # bytes


class Fivetran(QueriedEngine):
    """The submission is a project with a ``connector.py``, configured by the grader's ``$DATA/configuration.json``."""

    LISTING: ClassVar[str] = "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
    name: ClassVar[str] = "fivetran"
    leaves: ClassVar[tuple[str, ...]] = (f"{WAREHOUSE}*", STATE)
    programs: ClassVar[tuple[str, ...]] = ("fivetran",)
    fidelity: ClassVar[str] = (
        "Fivetran's Connector SDK 3.0, the real thing, as its local tester runs it: state and rows are kept at each "
        "checkpoint, in a DuckDB file; no Fivetran account, no scheduling, no check of requirements.txt."
    )
    # Not a sync, which takes a second: but a grade has dozens of them, and most wait for somebody.
    starts_slowly: ClassVar[bool] = True

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._home = f"{box.path('sockets')}/fivetran"

    def start(self) -> None:
        # Beside the sockets: the driver writes there, the submission only reads.
        self.box.put("sockets", {f"fivetran/{path}": text.encode() for path, text in KNOWN.items()})
        self.box.preload(READER, "driver")

    def variables(self) -> dict[str, str]:
        return {"HOME": self._home, "DO_NOT_TRACK": "1"}

    def configure(self, configuration: Mapping[str, str]) -> None:
        """What the connection is set up with."""
        self.box.put("data", {CONFIGURATION: json.dumps(configuration).encode()})

    def sync(self, project: Mapping[str, bytes], timeout: float = 120.0) -> Completed:
        """One sync of a connection: a fresh copy of the project, which finds again only what Fivetran keeps for it."""
        try:
            found = self.box.collect("work", SubmissionLimits(files=10_000, file_bytes=LARGEST, total_bytes=LARGEST))
        except SubmissionError as error:
            raise SubmissionFault(f"a sync left too much behind: {error}") from None
        self.box.clear("work")
        kept = {path: content for path, content in found.items() if path in KEPT}
        self.box.put("work", {**{path: content for path, content in project.items() if path not in KEPT}, **kept})
        self.box.preload(CALLS, program="fivetran")
        arguments = {
            "program": "fivetran",
            "arguments": ["debug", "--configuration", f"{self.box.path('data')}/{CONFIGURATION}"],
        }
        return self.box.call(CALLS, "run", arguments, timeout=timeout)

    def forget_state(self) -> None:
        """The connection is synced anew from its beginning; what the destination holds, stays."""
        self.box.run(["rm", "-rf", "--", f"{self.box.path('work')}/{STATE}"])

    def query(self, sql: str, name: str = "result") -> Table:
        """One query on the destination. A statement that fails (no such table) is the submission's fault."""
        path = f"{self.box.path('work')}/{WAREHOUSE}"
        return Table.decoded(name, read(self.box, READER, "duckdb_query", name, path=path, sql=sql))

    def table(self, name: str) -> Table:
        """All rows of a table of the destination, those marked as deleted among them."""
        return self.query(f'SELECT * FROM warehouse.tester."{name}"', name)


ENGINE = Fivetran
