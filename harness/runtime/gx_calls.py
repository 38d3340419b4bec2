"""Great Expectations, imported once, then forked for every validation. Runs as the worker.

A suite is JSON, so nothing of a submission's is executed here but what its expectations say.
"""

from __future__ import annotations

import gc
import json
import os
import warnings

# What suites were called before 1.0, and what it is called now.
LEGACY = {
    "expectation_suite_name": "name",
    "expectation_type": "type",
    "evaluation_parameters": "expectation_parameters",
}


def warm() -> None:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # or it would look for a network
    warnings.simplefilter("ignore")
    import pandas
    import tqdm

    tqdm.tqdm.monitor_interval = 0  # its thread wouldn't be there in a fork
    # One of the common kinds: what every validation would have to import and compile again.
    suite = {
        "name": "example",
        "expectations": [
            {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "name"}},
            {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "name", "regex": "."}},
            {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": {"$PARAMETER": "least"}}},
        ],
    }
    assert held(suite, pandas.DataFrame({"name": ["a", "b"]}), {"least": 1})["success"]
    gc.collect()
    gc.freeze()


def validate(suite: str, data: str, types: dict, moments: list, parameters: dict) -> dict:
    """A suite's file against a CSV file: columns of ``types`` are read as these, of ``moments`` as points in time, all
    others as text; an empty field is missing."""
    import pandas

    try:
        with open(suite, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        return {"error": f"the suite can't be read: {error}"}
    if problem := misread(content):
        return {"error": problem}
    frame = pandas.read_csv(data, dtype=str, keep_default_na=False, na_values=[""])
    for column in frame.columns.intersection(list(types)):
        frame[column] = frame[column].astype(types[column])
    for column in frame.columns.intersection(moments):
        frame[column] = pandas.to_datetime(frame[column], format="ISO8601")
    return held(content, frame, parameters)


def misread(suite: object) -> str:
    """Why a suite isn't taken as it stands: what would be dropped, or run as something else."""
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list):
        return "the suite is no JSON object with a list `expectations`"
    parts = [suite, *suite["expectations"]]
    if not all(isinstance(part, dict) for part in parts):
        return "an expectation of the suite is no JSON object"
    old = [name for name in LEGACY if any(name in part for part in parts)]
    if old:
        now = ", ".join(f"`{name}` is now `{LEGACY[name]}`" for name in old)
        return f"the suite is written for a Great Expectations before 1.0, which isn't run any more: {now}"
    return ""


def held(suite: dict, frame: object, parameters: dict) -> dict:
    import great_expectations as gx
    from great_expectations.expectations.registry import _registered_expectations

    unknown = sorted({str(one.get("type")) for one in suite["expectations"]} - set(_registered_expectations))
    if unknown:
        return {"error": f"there is no expectation {', '.join(unknown)[:500]}"}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    try:
        made = gx.ExpectationSuite(
            name=str(suite.get("name") or "suite"),
            expectations=[
                {key: value for key, value in one.items() if key in ("type", "kwargs", "meta", "severity", "notes")}
                for one in suite["expectations"]
            ],
        )
        asset = context.data_sources.add_pandas("data").add_dataframe_asset("data")
        batch = asset.add_batch_definition_whole_dataframe("data").get_batch({"dataframe": frame})
        found = batch.validate(made, expectation_parameters=parameters, result_format="BASIC")
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:2000]}
    return {"success": bool(found.success), "expectations": [account(one) for one in found.results]}


def account(result: object) -> dict:
    """What one expectation came to; ``raised`` says why it couldn't be looked at."""
    raised = result.exception_info or {}
    raised = raised if "raised_exception" in raised else next(iter(raised.values()), {})
    kwargs = {key: value for key, value in result.expectation_config.kwargs.items() if key != "batch_id"}
    return {
        "type": result.expectation_config.type,
        "kwargs": json.loads(json.dumps(kwargs, default=str)),
        "success": bool(result.success),
        "unexpected": int((result.result or {}).get("unexpected_count") or 0),
        "raised": str(raised.get("exception_message") or "")[:500] if raised.get("raised_exception") else "",
    }
