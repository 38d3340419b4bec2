from pathlib import Path

import pytest

from harness import persona
from harness.errors import UsageError


def test_without_an_option_the_bundled_data_engineer_is_taken() -> None:
    default = persona.load(None)
    assert default.name == "data-engineer"
    assert default.text.startswith("# Data Engineer")
    assert default == persona.load("data-engineer")


def test_none_is_the_bare_baseline() -> None:
    baseline = persona.load("none")
    assert (baseline.name, baseline.text) == ("none", "")


def test_a_file_is_the_prompt_unchanged(tmp_path: Path) -> None:
    text = "\ufeff  # Ünlike others \r\n\r\n```sql\nselect 1\r\n``` \n\n"
    path = tmp_path / "mine.v2.md"
    path.write_bytes(text.encode())
    mine = persona.load(str(path))
    assert (mine.name, mine.text) == ("mine.v2", text)


def test_the_digest_depends_on_the_text_and_on_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "other-name.md"
    copy.write_bytes(persona.load(None).text.encode())
    assert persona.load(str(copy)).digest == persona.load(None).digest
    copy.write_bytes(persona.load(None).text.encode() + b"\n")
    assert persona.load(str(copy)).digest != persona.load(None).digest


def test_an_unknown_persona_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known: data-engineer, none; or the path"):
        persona.load(str(tmp_path / "missing.md"))


def test_a_path_that_runs_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="can't be read"):
        persona.load(str(tmp_path / "file" / "persona.md"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        persona.load(str(tmp_path))


def test_a_null_byte_in_the_name_is_refused() -> None:
    with pytest.raises(UsageError):
        persona.load("a\0b")


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_an_empty_file_is_refused_and_the_baseline_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.md"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is empty\n.*--persona none"):
        persona.load(str(path))


def test_other_encodings_are_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.md"
    path.write_bytes("Rôle: data".encode("latin-1"))
    with pytest.raises(UsageError, match="byte 1 is 0xf4"):
        persona.load(str(path))


def test_too_big_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.md"
    path.write_bytes(b"x" * 1_000_001)
    with pytest.raises(UsageError, match="larger than 1,000,000 bytes"):
        persona.load(str(path))
    path.write_bytes(b"x" * 1_000_000)
    assert len(persona.load(str(path)).text) == 1_000_000


FACTS = """
data-engineer Manager Backend Architect Airflow dbt Spark Glue Fivetran Airbyte Snowflake BigQuery Redshift
Databricks Kafka Kinesis Flink Python SQL PySpark Scala etl_users_daily schedule= catchup=False
depends_on_past stg_users stg_orders int_user_orders dim_users fct_orders assert_positive_amounts
cents_to_dollars country_codes sync_all_columns unique_key Completeness Uniqueness Validity Consistency
Timeliness rejected merged flagged alert dim_products dim_date quantity surrogate effective_date
expiration_date is_current etl-consumer checkpointLocation catalog lineage migrat idempotent
validated late evolves SLA freshness trade-off diagram governed contracts
"""


def test_the_bundled_persona_carries_every_fact() -> None:
    text = persona.load(None).text.casefold()
    facts = FACTS.casefold().split()
    assert not [fact for fact in facts if fact not in text]
    assert "at least once" in text


def test_the_bundled_persona_is_in_its_own_words() -> None:
    theirs = Path(__file__).parent.parent.parent / "shared" / "persona" / "data-engineer.md"
    if not theirs.is_file():
        pytest.skip("the persona it was written after is not beside the checkout")
    ours = set(persona.load(None).text.splitlines())
    copied = {
        line for line in theirs.read_text().splitlines() if len(line.split()) > 5 and not line.startswith((" ", "#"))
    }
    assert not {line for line in copied & ours if line[0].isalpha() or line.startswith("- ")}
