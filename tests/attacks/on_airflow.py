"""Attacks on Airflow: on the warm process that DAGs are forked from, and on what it says of them."""

from tests.attacks.attack import Table

TABLE = Table("airflow/tiny-load", "dags/load.py")
SUCCESS = '{"runs": [{"logical_date": "x", "state": "success", "tasks": {}}]}'
add = TABLE.add

add("writes the account of its run itself", f"import os\nos.write(3, b'''{SUCCESS}''')\nos._exit(0)\n")
add(
    "writes rubbish for an account",
    'import os\nos.write(3, b\'{"runs": [7, {"state": []}], "dags": 3, "errors": null}\')\nos._exit(0)\n',
    nightly=True,
)
add(
    "kills what it was forked from",
    "import os\nos.kill(os.getppid(), 9)\nos._exit(0)\n",
    names="supervisor",
    nightly=True,
)
add(
    "looks into what it was forked from",
    """
    import ctypes, glob, os
    parent = os.getppid()
    libc = ctypes.CDLL(None)
    print(libc.ptrace(16, parent, 0, 0))
    for path in glob.glob(f"/proc/{parent}/fd/*") + [f"/proc/{parent}/mem"]:
        try:
            os.write(os.open(path, os.O_RDWR), b"\\0\\0\\0\\2\\0\\0\\0\\0{}")
        except OSError:
            pass
    os._exit(0)
    """,
    nightly=True,
)
add(
    "patches what runs it",
    """
    import airflow_calls, gc, json, psycopg2, sys
    airflow_calls.play = lambda *_: {"state": "success", "tasks": {}}
    airflow_calls.description = lambda dag: {}
    psycopg2.connect = None
    for thing in gc.get_objects():
        if type(thing).__name__ == "Resident":
            thing.serve = lambda: None
    from airflow.sdk import DAG
    import datetime
    DAG("load", schedule=None, start_date=datetime.datetime(2026, 1, 1))
    """,
    nightly=True,
)
add(
    "shadows what it is run with",
    "raise SystemExit(0)\n",
    files={
        "dags/psycopg2.py": "raise SystemExit(0)\n",
        "dags/airflow_local_settings.py": "raise SystemExit(0)\n",
        "sitecustomize.py": "raise SystemExit(0)\n",
        "plugins/x.py": "raise SystemExit(0)\n",
    },
    names="run by themselves",
    nightly=True,
)
add(
    "claims retries and does nothing",
    "import datetime\nfrom airflow.sdk import dag, task\n@dag(schedule='@daily', start_date=datetime.datetime(2026, 1, 1), default_args={'retries': 9})\ndef load():\n    @task\n    def nothing():\n        pass\n    nothing()\nload()\n",
    nightly=True,
)
add(
    "leaves a process behind that waits for the next run",
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\n",
    nightly=True,
)
