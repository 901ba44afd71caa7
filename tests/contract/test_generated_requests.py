"""Schemathesis reads the served OpenAPI document and makes requests from it, right ones and wrong ones.

Each answer conforms to the document: its status, content type, headers and schema. None is a 500.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode

from rollbook.contract.clever.versions import VERSIONS
from tests.journeys.hub import Client, Hub
from tests.web.wire import serving

# How many requests of each operation.
EXAMPLES = {GenerationMode.POSITIVE: 2, GenerationMode.NEGATIVE: 1}
CONFORMS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
GENERATED = settings(
    derandomize=True,  # the same requests in every run
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


class Asking:
    """Sends generated requests to a server, with a token, and checks each answer."""

    def __init__(self, port: int, token: str, ids: dict[str, str]) -> None:
        self.base, self.ids = f"http://127.0.0.1:{port}", ids
        self.session, self.statuses = requests.Session(), Counter[int]()
        self.headers = {"Authorization": f"Bearer {token}"}

    def operations(self, version: str) -> list[Any]:
        document = self.session.get(f"{self.base}/openapi.json?version={version}").json()
        found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
        return [each.ok() for each in found]

    def all(self, operation: Any, mode: GenerationMode) -> None:
        """Requests of one operation; also for a record that exists, where the path names one."""

        @settings(GENERATED, max_examples=EXAMPLES[mode])
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            self._ask(case)
            of = next((kind for kind in self.ids if f"/{kind}/{{id}}" in operation.path), None)
            if of:
                case.path_parameters = {**case.path_parameters, "id": self.ids[of]}
                self._ask(case)

        with suppress(Unsatisfiable):  # a path without parameters has no wrong requests
            ask()

    def _ask(self, case: Any) -> None:
        answer = case.call(base_url=self.base, session=self.session, headers=self.headers)
        self.statuses[answer.status_code] += 1
        asked = CONFORMS
        if answer.status_code == 200 and "count" in answer.json():
            # The document has this answer beside the page's, as `x-count`, so that typed clients get pages.
            asked = [check for check in CONFORMS if check is not checks.response_schema_conformance]
            assert answer.json().keys() == {"count", "links"}
        case.validate_response(answer, checks=asked)


@pytest.mark.parametrize(
    ("town", "version"),
    [
        *((database, VERSIONS[0].number) for database in ("sqlite", "postgresql")),
        *(("sqlite", version.number) for version in VERSIONS[1:]),
    ],
    indirect=["town"],
)
def test_every_answer_to_a_generated_request_conforms(
    town: Hub, token: str, reader: Client, version: str
) -> None:
    kinds = ("districts", "schools", "terms", "courses", "resources", "users", "sections")
    ids = {kind: reader.records(f"/v3.0/{kind}")[0]["id"] for kind in kinds}
    with serving(town.app()) as wire:
        asking = Asking(wire.port, token, ids)
        with asking.session:
            operations = asking.operations(version)
            for operation in operations:
                for mode in GenerationMode:
                    asking.all(operation, mode)
    assert len(operations) > 40
    assert asking.statuses[200] > 50
    assert {400, 404} < asking.statuses.keys() < {200, 302, 303, 400, 401, 404, 405, 413, 414, 431}
