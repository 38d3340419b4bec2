"""Tables and partitions of the Glue catalog, as jobs read and update them."""

import boto3

FORMATS = {
    "parquet": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "json": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.openx.data.jsonserde.JsonSerDe",
    ),
    "csv": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    ),
}


def client():
    return boto3.client("glue")


def table(database, name):
    return client().get_table(DatabaseName=database, Name=name)["Table"]


def partitions(database, name):
    pages = client().get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
    return [partition for page in pages for partition in page["Partitions"]]


def form_of(found):
    """The format of a table: what its classification says, else its serde."""
    said = found.get("Parameters", {}).get("classification")
    library = found["StorageDescriptor"].get("SerdeInfo", {}).get("SerializationLibrary", "")
    guessed = "parquet" if "arquet" in library else "json" if "Json" in library else "csv"
    return said or guessed


def format_options_of(found):
    parameters = found["StorageDescriptor"].get("SerdeInfo", {}).get("Parameters", {})
    header = found.get("Parameters", {}).get("skip.header.line.count") == "1"
    return {"withHeader": header, "separator": parameters.get("field.delim", ",")}


def update(database, name, frame, uri, form, keys, behaviour, options):
    """Make the table if there is none, else add to it what is new; then the partitions that the frame has."""
    glue, form = client(), form.removeprefix("glue")
    kinds = dict(frame.dtypes)
    columns = [{"Name": column.lower(), "Type": kind} for column, kind in kinds.items() if column not in keys]
    try:
        found = table(database, name)
    except glue.exceptions.EntityNotFoundException:
        storage = described(uri, form, columns)
        glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": form, "EXTERNAL": "TRUE"},
                "PartitionKeys": [{"Name": key, "Type": kinds[key]} for key in keys],
                "StorageDescriptor": storage,
            },
        )
    else:
        if behaviour == "UPDATE_IN_DATABASE":
            add_columns(glue, database, found, columns)
    if keys:
        columns = table(database, name)["StorageDescriptor"]["Columns"]
        rows = frame.select([frame[key].cast("string") for key in keys]).distinct().collect()
        add_partitions(glue, database, name, [tuple(row) for row in rows], described(uri, form, columns), keys)


def described(uri, form, columns):
    reads, writes, library = FORMATS[form]
    return {
        "Columns": columns,
        "Location": f"{uri.rstrip('/')}/",
        "InputFormat": reads,
        "OutputFormat": writes,
        "SerdeInfo": {"SerializationLibrary": library, "Parameters": {"serialization.format": "1"}},
    }


def add_columns(glue, database, found, columns):
    storage = found["StorageDescriptor"]
    known = {column["Name"] for column in storage["Columns"]}
    new = [column for column in columns if column["Name"] not in known]
    if new:
        allowed = ("Name", "TableType", "Parameters", "PartitionKeys", "Description", "Owner", "Retention")
        changed = {name: value for name, value in found.items() if name in allowed}
        changed["StorageDescriptor"] = {**storage, "Columns": [*storage["Columns"], *new]}
        glue.update_table(DatabaseName=database, TableInput=changed)


def add_partitions(glue, database, name, rows, storage, keys):
    known = {tuple(partition["Values"]) for partition in partitions(database, name)}
    for values in rows:
        texts = tuple("__HIVE_DEFAULT_PARTITION__" if value is None else value for value in values)
        if texts not in known:
            inside = "/".join(f"{key}={value}" for key, value in zip(keys, texts, strict=True))
            place = {**storage, "Location": f"{storage['Location']}{inside}/"}
            glue.create_partition(
                DatabaseName=database,
                TableName=name,
                PartitionInput={"Values": list(texts), "StorageDescriptor": place},
            )
