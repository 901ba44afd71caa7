"""The keys that sign id tokens: the first caller makes one, and all signed tokens verify."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from rollbook.auth import oidc
from rollbook.auth.oidc import Signer
from rollbook.errors import Busy
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer

WORKERS = 2
EACH = 3


def test_parallel_first_callers_sign_only_with_the_published_key(database: Database, tmp_path: Path) -> None:
    """Threads of several workers at once, each with its own signer."""
    signers = [Signer(database, Sealer(tmp_path / "key")) for _ in range(WORKERS)]
    gate = Barrier(WORKERS * EACH)

    def sign(signer: Signer) -> str:
        gate.wait()
        signer.ensure_key()
        return _kid(signer.sign({"sub": "somebody"}))

    with ThreadPoolExecutor(WORKERS * EACH) as pool:
        used = set(pool.map(sign, signers * EACH))
    published = {key["kid"] for key in signers[0].certs()}
    assert used <= published
    if database.is_local:
        assert len(published) == 1
    for signer in signers:
        assert _kid(signer.sign({"sub": "somebody"})) in published


def test_no_key_is_made_where_nobody_may_wait_for_it(small_database: Database, tmp_path: Path) -> None:
    signer = Signer(small_database, Sealer(tmp_path / "key"))
    with pytest.raises(Busy), small_database.without_waiting():
        signer.ensure_key()
    assert not (tmp_path / "key").exists()


def _kid(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=="))["kid"])


def test_a_database_that_was_put_back_to_before_its_first_key_gets_a_new_one(
    small_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "_REMEMBERED_SECONDS", -1)
    signer = Signer(small_database, Sealer(tmp_path / "key"))
    signer.ensure_key()
    first = _kid(signer.sign({"sub": "somebody"}))
    with small_database.write() as transaction:
        transaction.run("DELETE FROM signing_keys")
    second = _kid(signer.sign({"sub": "somebody"}))
    assert (first != second, [key["kid"] for key in signer.certs()]) == (True, [second])


def test_a_key_that_is_still_the_newest_is_not_opened_again(
    small_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollbook.auth.oidc._REMEMBERED_SECONDS", -1)
    signer = Signer(small_database, Sealer(tmp_path / "key"))
    signer.sign({})
    opened = signer._key
    signer.sign({})
    assert opened is not None
    assert signer._key is opened
