"""The sweep of all logs finds what no log may tell, and nothing else."""

from __future__ import annotations

import logging

import pytest

import rollbook
from rollbook.demo import published
from tests import log_sweep


@pytest.mark.parametrize(
    "told",
    [
        "4b338489ceb4bec362461a7c96e3aa609efff048",
        "I6bqpt5_6w4DhGLeLugq47498X1miTVkiCFEhU92Ep0",
        "okoye@example.org",
        "Noether",
        "3/23/2009",
        "apple 1",
    ],
)
def test_it_finds_secrets_and_fields_of_people(told: str) -> None:
    assert told in log_sweep.secrets_in(f"GET /v3.0/users: {told!r} was refused")


@pytest.mark.parametrize(
    "line",
    [
        "job 7: sync 3 of Springfield is committed",
        "no answer to GET /v3.0/users/6a82a36021e6ddf800000000",
        f"client secret {published.APPLICATION.secret}",
        "a digest: " + "0a" * 32,
        "http://127.0.0.1:8400/console/welcome#I6bqpt5_6w4DhGLeLugq47498X1miTVkiCFEhU92Ep0",
    ],
)
def test_it_finds_nothing_in_what_may_be_told(line: str) -> None:
    assert log_sweep.secrets_in(line) == []


def test_a_record_of_any_logger_is_looked_at() -> None:
    logging.getLogger(rollbook.__name__).warning("no mail to %s", "a@home.example")
    assert log_sweep.taken() == ["'a@home.example' in 'no mail to a@home.example'"]


def test_the_text_of_an_exception_is_looked_at() -> None:
    text = "the row of Noether"
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger(rollbook.__name__).exception("no answer")
    assert log_sweep.taken() == ["'Noether' in 'ValueError: the row of Noether'"]
