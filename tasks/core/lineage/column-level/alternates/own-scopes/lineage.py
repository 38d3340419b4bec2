# Follows columns through the syntax tree by itself; no optimizer.
import csv
import io
import os
import sys
from pathlib import Path
from typing import NamedTuple

import sqlglot
from sqlglot import exp

root = Path(os.environ["DATA"], "project")


class Wrong(Exception):
    """What is wrong with which model."""


class Col(NamedTuple):
    roots: frozenset  # (source table, column)
    twin: tuple | None  # the (table, column) that it merely passes on


class Warehouse:
    def __init__(self):
        self.tables, self.being_read = {}, []
        for row in rows("sources.csv"):
            pair = (row["table_name"], row["column_name"])
            self.tables.setdefault(pair[0], {})[pair[1]] = Col(frozenset([pair]), None)
        self.loaded = list(self.tables)
        self.files = {path.stem.lower(): path for path in (root / "models").glob("*.sql")}

    def table(self, name):
        if name not in self.tables:
            if name not in self.files:
                raise Wrong(f"no table is called {name}")
            if name in self.being_read:
                raise Wrong("they read each other: " + ", ".join([*self.being_read, name]))
            self.being_read.append(name)
            try:
                query = sqlglot.parse_one(self.files[name].read_text(), dialect="duckdb")
                self.tables[name] = self.query(query, {})
            except (Wrong, sqlglot.ParseError, sqlglot.TokenError) as error:
                raise Wrong(f"model {name}: {error}") from error
            self.being_read.pop()
        return self.tables[name]

    def query(self, node, ctes):
        """Its columns in their order; also looks into the conditions, for what isn't there."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, ctes)
        if not isinstance(node, (exp.Select, exp.SetOperation)):
            raise Wrong("not a SELECT")
        ctes = dict(ctes)
        for cte in node.ctes:
            ctes[cte.alias.lower()] = self.query(cte.this, ctes)
        if isinstance(node, exp.SetOperation):
            left, right = self.query(node.left, ctes), self.query(node.right, ctes)
            both = zip(left.items(), right.values(), strict=True)
            return {name: Col(one.roots | other.roots, None) for (name, one), other in both}
        sources = {}
        from_ = node.find(exp.From)
        for item in [from_.this, *(join.this for join in node.args.get("joins") or [])]:
            alias = item.alias_or_name.lower()
            if isinstance(item, exp.Table):
                name = item.name.lower()
                if name in ctes:
                    sources[alias] = ctes[name]
                else:
                    table = self.table(name)
                    sources[alias] = {c: Col(col.roots, (name, c)) for c, col in table.items()}
            else:
                sources[alias] = self.query(item, ctes)
        found = {}
        for shown in node.expressions:
            if shown.is_star:
                star = shown.this if isinstance(shown, exp.Column) else shown
                left_out = {item.name.lower() for item in star.args.get("except_") or star.args.get("except") or []}
                for alias, columns in sources.items():
                    if not isinstance(shown, exp.Column) or shown.table.lower() == alias:
                        found |= {c: col for c, col in columns.items() if c not in left_out}
                continue
            bare = shown.unalias()
            cols = [self.column(c, sources) for c in self.columns(bare, node)]
            twin = cols[0].twin if isinstance(bare, exp.Column) else None
            found[shown.alias_or_name.lower()] = Col(frozenset().union(*(col.roots for col in cols)), twin)
        for part in ("where", "having", "qualify"):
            if node.args.get(part):
                for inner in node.args[part].find_all(exp.Subquery, exp.In):
                    nested = inner.args.get("query") if isinstance(inner, exp.In) else inner
                    if nested is not None:
                        self.query(nested, ctes)
        conditions = [node.args.get(part) for part in ("where", "group", "having", "qualify", "order")]
        conditions += [join.args.get("on") for join in node.args.get("joins") or []]
        for condition in filter(None, conditions):
            for c in condition.find_all(exp.Column):
                if c.parent_select is node and c.name.lower() not in found:
                    self.column(c, sources)
        return found

    def columns(self, expression, select):
        found = list(expression.find_all(exp.Column))
        for window in expression.find_all(exp.Window):
            # OVER name: what the window is stands in the query's WINDOW.
            for named in select.args.get("windows") or []:
                if window.alias.lower() == named.name.lower():
                    found += self.columns(named, select)
        return found

    def column(self, node, sources):
        name = node.name.lower()
        for alias, columns in sources.items():
            if name in columns and (not node.table or node.table.lower() == alias):
                return columns[name]
        raise Wrong(f"no column is called {node.sql()}")


def rows(name):
    with open(root / name, newline="") as file:
        return list(csv.DictReader(file))


def main():
    house = Warehouse()
    for name in house.files:
        house.table(name)
    written = {(row["table_name"], row["column_name"]): row["description"] for row in rows("descriptions.csv")}

    def description(pair):
        if pair in written:
            return written[pair]
        twin = house.tables[pair[0]][pair[1]].twin
        return description(twin) if twin else ""

    pairs = [(table, column) for table, columns in house.tables.items() for column in columns]
    output = {
        "lineage.csv": [
            ("source_table", "source_column", "table_name", "column_name"),
            *((*root, *pair) for pair in pairs if pair[0] not in house.loaded for root in house.tables[pair[0]][pair[1]].roots),
        ],
        "catalog.csv": [
            ("kind", "table_name", "column_name", "description", "has_description"),
            *(
                ("source" if pair[0] in house.loaded else "model", *pair, description(pair), bool(description(pair)))
                for pair in pairs
            ),
        ],
        "stale.csv": [
            ("table_name", "column_name", "description"),
            *((*pair, text) for pair, text in written.items() if pair not in set(pairs)),
        ],
    }
    texts = {}
    for name, lines in output.items():
        buffer = io.StringIO()
        csv.writer(buffer).writerows([lines[0], *sorted(lines[1:], key=str)])
        texts[name] = buffer.getvalue()
    for name, text in texts.items():
        Path(name + ".tmp").write_bytes(text.encode())
        Path(name + ".tmp").replace(name)


try:
    main()
except Wrong as wrong:
    print("the lineage stays as it was.", wrong, file=sys.stderr)
    sys.exit(1)

# canary: c1a4c7b2-6d6e-4a07-8f0d-54f6c1f5b0e3
