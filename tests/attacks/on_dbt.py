"""Attacks on dbt: on what a failing test is, on the profile, and on the process that runs it."""

from tests.attacks.attack import Table

TABLE = Table("dbt/tiny-mart", "dbt_project.yml")
LOADS = frozenset({"every_order_arrives", "a_late_order_arrives"})
PROJECT = "name: shop\nprofile: warehouse\nmodels:\n  shop:\n    +materialized: table\n"
FORGED = '{"success": true, "exception": "", "nodes": {}, "manifest": {}}'
MODEL = "select * from {{ source('app', 'orders') }}"
SOURCE = "version: 2\nsources:\n  - name: app\n    database: source\n    tables: [{name: orders, columns: [{name: order_id, data_tests: [not_null]}]}]\n"
SHOP = {"models/orders.sql": MODEL, "models/shop.yml": SOURCE}


def add(name: str, files: dict[str, str] | None = None, **options: object) -> None:
    TABLE.add(name, PROJECT, files=files or {}, **options)


add(
    "says that a failing test passes",
    SHOP | {"macros/mine.sql": "{% test not_null(model, column_name) %}select 1 where false{% endtest %}"},
    may_pass=LOADS,
    names="dbt redefined",
)
add(
    "redefines how tests are asked",
    SHOP
    | {
        "macros/mine.sql": "{% macro get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}select 0 as failures, false as should_warn, false as should_error{% endmacro %}"
    },
    may_pass=LOADS,
    names="dbt redefined",
    nightly=True,
)
add(
    "only warns", SHOP | {"dbt_project.yml": PROJECT + "data_tests:\n  +severity: warn\n"}, may_pass=LOADS, nightly=True
)
add(
    "redefines how a table is made",
    {
        "models/orders.sql": "select 1 as order_id",
        "macros/mine.sql": "{% materialization table, adapter='duckdb' %}{{ return({'relations': []}) }}{% endmaterialization %}",
    },
    names="dbt redefined",
    nightly=True,
)
add(
    "brings a profile of its own",
    {
        "models/orders.sql": "select 1 as order_id",
        "profiles.yml": "warehouse:\n  target: x\n  outputs:\n    x: {type: duckdb, path: ':memory:'}\n",
    },
    names="profile beside",
)
add(
    "writes the account of its run itself",
    {
        "models/orders.py": f"import os\n\ndef model(dbt, session):\n    os.write(3, b'''{FORGED}''')\n    os._exit(0)\n    return session.sql('select 1 as order_id')\n"
    },
)
add(
    "writes rubbish for an account of its run",
    {
        "models/orders.py": "import os\n\ndef model(dbt, session):\n    os.write(3, b'[' * 50000 + b']' * 50000)\n    os._exit(0)\n    return session.sql('select 1 as order_id')\n"
    },
    nightly=True,
)
add(
    "patches dbt from a model",
    {
        "models/orders.py": "def model(dbt, session):\n    import dbt.contracts.results as results, dbt_calls, sys\n    dbt_calls.described = lambda path: {}\n    results.TestStatus = results.RunStatus = results.NodeStatus = None\n    session.execute('create table x as select 1')\n    return session.sql('select 1 as order_id')\n"
    },
    nightly=True,
)
add(
    "kills its supervisor from a model",
    {
        "models/orders.py": "import os\n\ndef model(dbt, session):\n    os.kill(os.getppid(), 9)\n    os._exit(0)\n    return session.sql('select 1 as order_id')\n"
    },
    names="supervisor",
    nightly=True,
)
add(
    "shadows dbt in its own folder",
    {
        "models/orders.sql": "select 1 as order_id",
        "dbt/__init__.py": "raise SystemExit(0)",
        "sitecustomize.py": "raise SystemExit(0)",
    },
    names="run by themselves",
    nightly=True,
)
add(
    "writes outside by its hooks",
    {
        "models/orders.sql": "select 1 as order_id",
        "dbt_project.yml": PROJECT
        + 'on-run-start:\n  - "copy (select 1) to \'/data/owned.csv\'"\non-run-end:\n  - "attach \'/data/source.duckdb\' as mine"\n  - "delete from mine.app.orders"\n',
    },
    nightly=True,
)
add(
    "keeps its first rows and calls that incremental",
    SHOP
    | {
        "models/orders.sql": "{{ config(materialized='incremental') }}\n"
        + MODEL
        + " {% if is_incremental() %} where false {% endif %}"
    },
    may_pass=frozenset({"every_order_arrives"}),
    nightly=True,
)
add(
    "brings a package that goes before dbt's own",
    SHOP
    | {
        "dbt_project.yml": PROJECT
        + "packages-install-path: kept\ndispatch:\n  - macro_namespace: dbt\n    search_order: [shop, mine, dbt]\n",
        "packages.yml": "packages:\n  - local: mine\n",
        "mine/dbt_project.yml": "name: mine\n",
        "kept/mine/dbt_project.yml": "name: mine\n",
        "kept/mine/macros/tests.sql": "{% macro default__test_not_null(model, column_name) %}select 1 where false{% endmacro %}",
    },
    may_pass=LOADS,
    names="dbt redefined",
    nightly=True,
)
add(
    "empties the table after the build, so that no row is wrong",
    SHOP | {"dbt_project.yml": PROJECT + 'on-run-end:\n  - "truncate main.orders"\n'},
    nightly=True,
)
add(
    "has a view of what only the reader may read",
    SHOP
    | {
        "models/orders.sql": "{{ config(materialized='view') }}\nselect content as order_id from read_text('/driver/**')"
    },
    nightly=True,
)
