"""Any JSON given as a share is one that the engine can evaluate, or it is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rollbook.domain import shares
from rollbook.domain.reading_rules import Rules
from rollbook.errors import BadSetting
from rollbook.roster.intake.clever import checks, normalize
from rollbook.roster.intake.csv import files
from rollbook.roster.views import identities, narrowing, projection
from tests import world

TEXTS = some.text(max_size=8) | some.sampled_from(
    ("", "'", '"', "\\", "$", "*", "/", "~1", "x.y", "\n", "\0", "\ud800", "é", ";")
)
SCALARS = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | TEXTS
ANY = some.recursive(
    SCALARS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = some.sampled_from(
    sorted({name for kind in shares.FIELDS.values() for name in kind} | {"school"})
) | TEXTS.map("ext.{}".format)
CONDITIONS = some.tuples(NAMES | ANY, some.sampled_from(shares.OPERATORS) | ANY).flatmap(
    lambda start: some.lists(TEXTS | ANY, max_size=3).map(lambda values: [*start, *values])
)
RULES = some.fixed_dictionaries(
    {"kind": some.sampled_from(list(shares.KINDS)) | ANY},
    optional={
        "where": some.lists(CONDITIONS, max_size=3) | ANY,
        "with": some.lists(some.sampled_from(("sections", "students", "schools")), max_size=2) | ANY,
    },
)
SHARES = some.fixed_dictionaries(
    {},
    optional={"schools": some.lists(TEXTS, max_size=3) | ANY, "rules": some.lists(RULES, max_size=3) | ANY},
)


def _sound(kind: str) -> Any:
    names = some.sampled_from(sorted(shares.FIELDS[kind]))
    own = some.from_regex(r"ext\.[^.\s\x00]{1,5}", fullmatch=True)
    field = names if kind == "admin" else names | some.just("school") | own
    condition = some.tuples(
        field, some.sampled_from(shares.OPERATORS), TEXTS.filter(_is_text), TEXTS.filter(_is_text)
    )
    words = some.sampled_from(shares.KINDS[kind][1] or ("",))
    along = some.lists(
        words | TEXTS.filter(_is_text) if kind == "staff" else words,
        max_size=2 if shares.KINDS[kind][1] else 0,
    )
    return some.fixed_dictionaries(
        {"kind": some.just(kind), "where": some.lists(condition.map(list), max_size=2), "with": along}
    )


def _is_text(text: str) -> bool:
    return "\0" not in text and "\ud800" not in text and bool(text.strip("; \n") or not text)


SOUND = some.fixed_dictionaries(
    {"rules": some.lists(some.sampled_from(list(shares.KINDS)).flatmap(_sound), min_size=1, max_size=2)}
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The small world, loaded as a sync loads it before it makes views."""
    folder = world.write(tmp_path_factory.mktemp("shares"))
    with closing(files.open_all(folder, memory_limit="256MB")) as tables:
        checks.check(tables, Rules())
        normalize.roster(tables, Rules())
        identities.load(tables.connection, {})
        identities.assign(
            tables.connection,
            prefix="6" * 16,
            now="2026-01-01T00:00:00.000Z",
            forget_before="2020-01-01T00:00:00.000Z",
        )
        projection.begin(tables.connection)
        yield tables.connection


@given(SHARES | ANY)
def test_any_json_is_a_share_or_is_refused_in_words(given_: object) -> None:
    with suppress(BadSetting):
        share = shares.parse(given_)
        assert shares.parse(shares.as_json(share)) == share


def test_lists_without_end_are_refused_in_words() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(BadSetting, match="got lists within lists"):
        shares.parse({"rules": deep})


@settings(max_examples=60)
@given(share=SOUND)
def test_a_share_that_is_read_can_be_evaluated(engine: duckdb.DuckDBPyConnection, share: object) -> None:
    narrowing.narrow(engine, shares.parse(share))
    assert engine.execute("SELECT count(*) FROM shared").fetchone()


def test_thousands_of_values_can_be_evaluated(engine: duckdb.DuckDBPyConnection) -> None:
    values = [f"v{number}" for number in range(shares.VALUES_MAX - 2)]
    for operator in shares.OPERATORS:
        rule = {"kind": "section", "where": [["sis_id", operator, *values], ["school", operator, *values]]}
        narrowing.narrow(engine, shares.parse({"rules": [rule]}))


def test_own_fields_of_any_name_are_found(engine: duckdb.DuckDBPyConnection) -> None:
    for name in ("'", '"', "*", "/", "~1", "$", "é", "\\", "[0]"):
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE own AS SELECT 1 AS id, json_object(?, '7')::VARCHAR AS ext", [name]
        )
        for value, count in (("7", 1), ("8", 0)):
            share = shares.parse(
                {"rules": [{"kind": "student", "where": [[f"ext.{name}", "equals any of", value]]}]}
            )
            assert share
            found = engine.execute(
                f"SELECT count(*) FROM own t WHERE {narrowing.where(share.rules[0])}"
            ).fetchone()
            assert found == (count,), name
