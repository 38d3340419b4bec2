"""Which statements mean here what they mean on Snowflake. Any other is refused, so that nothing is silently misread."""

from snowflake.connector.errors import NotSupportedError, ProgrammingError
from sqlglot import exp

DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable)
# Each ends the open transaction and is one of its own.
DDL = (exp.Create, exp.Drop, exp.Alter, exp.Comment)
STATEMENTS = (
    *DML,
    *DDL,
    *(exp.Select, exp.SetOperation, exp.Subquery, exp.Use, exp.Set, exp.Describe, exp.Show, exp.Put, exp.ListStage),
    *(exp.Transaction, exp.Commit, exp.Rollback),
)
KINDS = {"TABLE", "VIEW", "SCHEMA", "SEQUENCE", "STAGE", "FILE FORMAT"}
# Functions that the parser has no class for, but the emulation has a meaning.
FUNCTIONS = {
    *("HAVERSINE", "IDENTIFIER", "RESULT_SCAN", "SHA2_BINARY", "SHA2_HEX", "TO_DATE", "TO_TIMESTAMP"),
    *("TO_TIMESTAMP_NTZ", "TRY_PARSE_JSON", "EQUAL_NULL", "LAST_QUERY_ID"),
}
TRIED = ("TRY_TO_TIMESTAMP", "TRY_TO_TIMESTAMP_NTZ")
FUNCTIONS.update(TRIED)
TIMESTAMPS = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ)
# Parameters of a session that change nothing here, or have this value anyway.
PARAMETERS = {
    "QUERY_TAG": None,
    "CLIENT_SESSION_KEEP_ALIVE": None,
    "STATEMENT_TIMEOUT_IN_SECONDS": None,
    "LOCK_TIMEOUT": None,
    "AUTOCOMMIT": None,
    "TIMEZONE": "UTC",
    "ERROR_ON_NONDETERMINISTIC_MERGE": "TRUE",
    "ERROR_ON_NONDETERMINISTIC_UPDATE": "FALSE",
    "TRANSACTION_ABORT_ON_ERROR": "FALSE",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "FALSE",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
}
# What Snowflake doesn't know, though DuckDB does -> how it is spoken of.
FOREIGN = {
    exp.OnConflict: "ON CONFLICT",
    exp.Returning: "RETURNING",
    exp.CheckColumnConstraint: "CHECK constraints",
    exp.Check: "CHECK constraints",
    exp.Pragma: "PRAGMA",
}
# What Snowflake knows and is read wrongly here, or not at all.
ABSENT = {
    exp.HistoricalData: "time travel (AT, BEFORE)",
    exp.Changes: "CHANGES",
    exp.CollateColumnConstraint: "COLLATE",
    exp.Collate: "COLLATE",
    exp.DynamicProperty: "dynamic tables",
    exp.MaterializedProperty: "materialized views",
    exp.ExternalProperty: "external tables",
    exp.MaskingPolicyColumnConstraint: "masking policies",
    exp.MatchRecognize: "MATCH_RECOGNIZE",
    exp.Connect: "CONNECT BY",
}
OFFSET_TYPES = (exp.DataType.Type.TIMESTAMPTZ,)


def absent(what):
    """To be raised: the statement may be right, but can't be tried here."""
    return NotSupportedError(msg=f"{what}: not emulated in this account, though Snowflake itself may accept it")


def wrong(what, errno=1003, sqlstate="42000"):
    """To be raised: Snowflake would refuse the statement, too."""
    return ProgrammingError(msg=f"SQL compilation error:\n{what}", errno=errno, sqlstate=sqlstate)


def admit(statement):
    """Raise if the statement isn't one whose meaning is the same here."""
    if not isinstance(statement, STATEMENTS):
        said = statement.sql(dialect="snowflake")
        raise absent(" ".join(said.split()[:4]))
    if isinstance(statement, exp.Create | exp.Drop):
        admit_object(statement)
    if isinstance(statement, exp.Alter):
        admit_alter(statement)
    if isinstance(statement, exp.Merge):
        admit_merge(statement)
    if isinstance(statement, exp.Insert) and (statement.args.get("alternative") or statement.args.get("by_name")):
        raise wrong("INSERT OR … and INSERT BY NAME are unknown")
    if isinstance(statement, exp.Set):
        admit_variable(statement)
    if isinstance(statement, exp.Copy) and statement.this.find(exp.Var, exp.Literal):
        raise absent("COPY INTO a location (unload)")
    for node in statement.walk():
        admit_part(node)


def admit_object(statement):
    kind = str(statement.args.get("kind") or "").upper()
    if kind not in KINDS:
        raise absent(f"{statement.key.upper()} {kind}")
    properties = statement.args.get("properties")
    for given in properties.expressions if properties else ():
        if changes_no_row(given):
            continue
        if kind in ("TABLE", "VIEW") and not isinstance(
            given, exp.TemporaryProperty | exp.SecureProperty | exp.SchemaCommentProperty
            | exp.Cluster | exp.ClusterProperty | exp.CopyGrantsProperty
        ):  # fmt: skip
            raise absent(f"{kind} with {given.sql(dialect='snowflake')[:60]}")


def changes_no_row(given):
    """A table's property of which nothing is seen here: it is left out."""
    is_retention = type(given) is exp.Property and given.name.upper() == "DATA_RETENTION_TIME_IN_DAYS"
    return is_retention or isinstance(given, exp.TransientProperty)


def is_of_session(statement):
    return isinstance(statement, exp.Alter) and str(statement.args.get("kind")).upper() == "SESSION"


def admit_alter(statement):
    if is_of_session(statement):
        for item in statement.find_all(exp.SetItem):
            if isinstance(item.this, exp.EQ):
                admit_parameter(item.this.this.name, item.this.expression.name or item.this.expression.sql())
    elif str(statement.args.get("kind")).upper() not in KINDS:
        raise absent(f"ALTER {statement.args.get('kind')}")
    for action in statement.args.get("actions") or ():
        limited = isinstance(action, exp.ColumnDef) and text_length(action.args.get("kind"))
        if isinstance(action, exp.SwapTable | exp.Command) or limited:  # the length of a column that is added later
            raise absent(f"ALTER … {action.sql(dialect='snowflake')[:60]}")


def admit_parameter(name, value):
    """A parameter of the session, and the value that a program gives it."""
    name = name.upper()
    if name not in PARAMETERS or PARAMETERS[name] not in (None, str(value).upper()):
        raise absent(f"the session parameter {name} = {value}")


def admit_merge(statement):
    for when in statement.args["whens"].expressions:
        if when.args.get("source"):
            raise wrong("WHEN NOT MATCHED BY SOURCE is unknown")
        then = when.args["then"]
        if isinstance(then, exp.Insert) and isinstance(then.this, exp.Star):
            raise wrong("MERGE needs the columns to insert")
        if isinstance(then, exp.Update) and not then.expressions:
            raise wrong("MERGE needs the columns to update")
    if not isinstance(statement.this, exp.Table):
        raise absent("MERGE into something that is no table")


def admit_variable(statement):
    for item in statement.expressions:
        given = item.this.expression if isinstance(item.this, exp.EQ) else None
        if not isinstance(given, exp.Literal | exp.Boolean | exp.Neg):
            raise absent("SET of a variable to anything but a literal")


def admit_part(node):
    kind = type(node)
    if kind in FOREIGN:
        raise wrong(f"unexpected {FOREIGN[kind]}")
    if kind in ABSENT:
        raise absent(ABSENT[kind])
    if kind is exp.Join and type(node.this) is exp.Subquery and uses_an_alias(node.this.this):
        raise absent("an alias in QUALIFY, WHERE, GROUP BY or HAVING of a joined subquery (put it into a CTE)")
    if kind is exp.Distinct and node.args.get("on"):
        raise wrong("unexpected DISTINCT ON")
    if kind is exp.Anonymous and (
        node.name.upper() not in FUNCTIONS or (len(node.expressions) > 1 and node.name.upper() in TRIED)
    ):
        raise absent(f"the function {node.name}")
    if kind is exp.DataType and node.this in OFFSET_TYPES:
        raise absent("TIMESTAMP_TZ, which would lose its offset: use TIMESTAMP_NTZ or TIMESTAMP_LTZ")
    if kind is exp.Identifier and node.quoted and node.name != node.name.upper() and not is_alias(node):
        raise absent(f'the case of the quoted name "{node.name}", which is not {node.name.upper()} on Snowflake')
    if kind is exp.Table and isinstance(node.this, exp.Literal | exp.Func) and not is_known(node.this):
        told = absent if isinstance(node.this, exp.Anonymous) else wrong
        raise told(f"{node.this.sql(dialect='snowflake')[:60]} for a table")


def uses_an_alias(select):
    """DuckDB would let it see the columns of the tables to its left, and prefer those to its own aliases."""
    named = {item.alias.upper() for item in select.selects if isinstance(item, exp.Alias)}
    parts = [select.args.get(part) for part in ("qualify", "where", "group", "having")]
    columns = [column for part in parts if part for column in part.find_all(exp.Column) if not column.table]
    plain = {item.this.name.upper() for item in select.selects if isinstance(item.unalias(), exp.Column)}
    return any(column.name.upper() in named - plain for column in columns)


def is_alias(node):
    return isinstance(node.parent, exp.Alias)


def is_known(function):
    return isinstance(function, exp.Anonymous) and function.name.upper() in ("IDENTIFIER", "RESULT_SCAN")


def as_snowflake_keeps_it(statement):
    """A table as Snowflake makes it: keys are noted, not enforced; the length of a text is."""
    for node in list(statement.find_all(exp.TryCast)):
        # The emulation would cast to a timestamp without trying.
        if node.to.this in TIMESTAMPS:
            node.replace(tried(exp.cast(node.this.copy(), node.to.copy())))
    for node in list(statement.find_all(exp.Anonymous)):
        if node.name.upper() in TRIED:
            node.replace(tried(exp.cast(node.expressions[0].copy(), "timestamp")))
    if not isinstance(statement, exp.Create | exp.Alter):
        return statement
    for given in list(statement.find_all(exp.TransientProperty, exp.Property)):
        if changes_no_row(given):
            given.pop()
    for column in list(statement.find_all(exp.ColumnDef)):
        constraints = [item for item in column.args.get("constraints") or () if not is_key(item)]
        key = any(isinstance(item.args.get("kind"), exp.PrimaryKeyColumnConstraint) for item in column.constraints)
        keys = {name.name.upper() for listed in statement.find_all(exp.PrimaryKey) for name in listed.expressions}
        if key or column.name.upper() in keys:
            constraints.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        length = text_length(column.args.get("kind"))
        if length and isinstance(statement, exp.Create):
            limit = exp.LTE(this=exp.Length(this=exp.column(column.this.copy())), expression=length.copy())
            constraints.append(exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=limit)))
        column.set("constraints", constraints)
    for schema in statement.find_all(exp.Schema):
        schema.set("expressions", [item for item in schema.expressions if not is_key(item)])
    return statement


def tried(expression):
    return exp.Anonymous(this="TRY", expressions=[expression])


def is_key(item):
    keys = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
    if isinstance(item, exp.ColumnConstraint):
        return isinstance(item.args.get("kind"), keys)
    if isinstance(item, exp.Constraint):
        return any(is_key(part) for part in item.expressions)
    return isinstance(item, (*keys, exp.PrimaryKey, exp.ForeignKey))


def text_length(kind):
    if isinstance(kind, exp.DataType) and kind.this in exp.DataType.TEXT_TYPES and kind.expressions:
        return kind.expressions[0].this
    return None


def changes_nothing(statement):
    """Keys are only noted, and a session's parameters are those it has."""
    if is_of_session(statement):
        return not any(item.this.this.name.upper() == "AUTOCOMMIT" for item in statement.find_all(exp.SetItem))
    actions = statement.args.get("actions") if isinstance(statement, exp.Alter) else None
    return bool(actions) and all(
        isinstance(action, exp.AddConstraint) and all(map(is_key, action.expressions)) for action in actions
    )
