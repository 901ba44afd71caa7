"""A client generated from the served OpenAPI document reads a whole demo district from a real server.

It knows only the document: operations, parameters, models. Its models are compared with the plain JSON.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from rollbook.domain.kinds import KIND
from tests.journeys import program
from tests.journeys.program import Server

BEARER = {"authorization": "Bearer TEST_TOKEN"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*(Z|\+00:00)")
SAMPLE = 12


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with program.serving("demo", folder=tmp_path_factory.mktemp("demo"), rate_limit=0) as server:
        yield server


@pytest.fixture(scope="module")
def generated(demo: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package that the generator makes from the served document."""
    target = tmp_path_factory.mktemp("generated") / "client"
    bin_folder = Path(sys.executable).parent
    generator = shutil.which("openapi-python-client", path=str(bin_folder))
    assert generator, "openapi-python-client is not installed"
    subprocess.run(
        [
            generator,
            "generate",
            "--url",
            f"{demo.base}/openapi.json",
            "--output-path",
            str(target),
            "--fail-on-warning",
        ],
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        check=True,
    )
    sys.path.insert(0, str(target))
    yield importlib.import_module("rollbook_client")
    sys.path.remove(str(target))


@pytest.fixture(scope="module")
def client(generated: ModuleType, demo: Server) -> Iterator[Any]:
    with generated.AuthenticatedClient(
        base_url=demo.base, token="TEST_TOKEN", raise_on_unexpected_status=True
    ) as opened:
        yield opened


def call(client: Any, row: Endpoint, **arguments: Any) -> Any:
    """Call the generated function of a row with the arguments that it takes."""
    return operation(row).sync(client=client, **arguments)


def operation(row: Endpoint) -> Any:
    """The module that the generator makes of a row."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", row.operation).lower()
    return importlib.import_module(f"rollbook_client.api.{row.source}.{name}")


def follow(client: Any, row: Endpoint, **arguments: Any) -> Iterator[Any]:
    """All pages of a list, along the `next` links."""
    while True:
        page = call(client, row, **arguments)
        yield page
        onwards = [link.uri for link in page.links if str(link.rel) == "next"]
        if not onwards:
            return
        asked = dict(parse_qsl(urlsplit(onwards[0]).query))
        arguments |= {"starting_after": asked["starting_after"]}


def plain(demo: Server, path: str) -> Any:
    answer = httpx.get(f"{demo.base}{path}", headers=BEARER)
    assert answer.status_code == 200
    return dated(answer.json()["data"])


def dated(value: Any) -> Any:
    """JSON with its times as values: a model writes them in another form than the wire."""
    if isinstance(value, dict):
        return {name: dated(child) for name, child in value.items()}
    if isinstance(value, list):
        return [dated(child) for child in value]
    return datetime.fromisoformat(value) if isinstance(value, str) and MOMENT.fullmatch(value) else value


def elements(pages: Iterable[Any]) -> list[Any]:
    return [dated(element.to_dict()) for page in pages for element in page.data]


lists = pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if row.shape == "list"], ids=lambda row: row.path
)
related = pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if row.shape == "many"], ids=lambda row: row.path
)
singles = pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if row.shape in ("get", "one")], ids=lambda row: row.path
)


@lists
def test_every_list_is_read_to_its_end_without_losing_anything(
    client: Any, demo: Server, row: Endpoint
) -> None:
    whole = plain(demo, f"/v3.0{row.path}?limit=10000")
    pages = list(follow(client, row, **({"limit": 500} if row.has_paging else {})))
    assert whole == elements(pages)
    assert whole
    assert len(pages) == (max(1, -(-len(whole) // 500)) if row.has_paging else 1)


@related
def test_every_related_list_is_read_through_its_own_function(
    client: Any, demo: Server, row: Endpoint
) -> None:
    sources = [element["data"]["id"] for element in plain(demo, f"/v3.0/{row.source}?limit=10000")]
    for id_ in sources[:: max(1, len(sources) // SAMPLE)]:
        whole = plain(demo, f"/v3.0{row.path}?limit=10000".replace("{id}", id_))
        assert whole == elements(follow(client, row, id=id_, limit=50))


@singles
def test_every_record_is_a_model_that_holds_all_of_it(client: Any, demo: Server, row: Endpoint) -> None:
    sources = [element["data"] for element in plain(demo, f"/v3.0/{row.source}?limit=10000")]
    if row.tail in ("course", "term"):
        sources = [section for section in sources if "course" in section and "term_id" in section]
    for source in sources[:: max(1, len(sources) // SAMPLE)]:
        answer = call(client, row, id=source["id"])
        path = f"/v3.0{row.path}".replace("{id}", source["id"])
        assert dated(answer.data.to_dict()) == plain(demo, path)
        assert str(answer.links[0].rel) == "self"


def test_filters_and_counts_have_their_arguments(client: Any, generated: ModuleType, demo: Server) -> None:
    users = next(row for row in ENDPOINTS if row.path == "/users")
    models = importlib.import_module("rollbook_client.models")
    students = list(follow(client, users, limit=1000, role=models.GetUsersRole.STUDENT))
    assert elements(students) == plain(demo, "/v3.0/users?role=student&limit=10000")
    # A count is read beside the operation, whose one good answer is a page.
    asked = client.get_httpx_client().get("/v3.0/users", params={"count": "true", "role": "student"})
    assert models.CountResponse.from_dict(asked.json()).count == sum(len(page.data) for page in students)


@lists
def test_a_list_has_one_type_of_good_answer(generated: ModuleType, row: Endpoint) -> None:
    models = importlib.import_module(f"{generated.__name__}.models")
    failures = {
        models.BadRequest,
        models.InternalError,
        models.TooLarge,
        models.Unauthorized,
        type(None),
        str,
        Any,
    }
    found = set(get_args(get_type_hints(operation(row).sync)["return"])) - failures
    assert [kind.__name__ for kind in found] == [f"{KIND[row.source].shape}sResponse"]


def test_an_error_is_a_model_as_well(client: Any, generated: ModuleType, demo: Server) -> None:
    user = next(row for row in ENDPOINTS if row.path == "/users/{id}")
    assert call(client, user, id="5f" * 12).message == "Resource not found"
    with generated.AuthenticatedClient(base_url=demo.base, token="nobody") as stranger:
        assert call(stranger, user, id="5f" * 12).code == 101
