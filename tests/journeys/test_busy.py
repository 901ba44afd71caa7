"""Signing in while another program writes, as a sync does: the sign-in waits, and other requests do not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx

from rollbook.store.engine.database import open_database
from tests.sso import Browser, World, answer

SETTLED_SECONDS = 0.3


def test_a_sign_in_waits_for_a_writer_and_keeps_nobody_waiting(
    sso_world: World, sso_server: str, person: Browser
) -> None:
    reader = sso_world.reader
    bearer = {"authorization": f"Bearer {person.token(reader, 'amy')}"}
    code = answer(person.ask(reader))["code"]
    with closing(open_database(sso_world.settings.database)) as other, ThreadPoolExecutor() as pool:
        with other.write() as transaction:
            transaction.run("INSERT INTO facts (name, value) VALUES ('test', 'being written')")
            exchanging = pool.submit(person.exchange, reader, code)
            asking = pool.submit(person.ask, reader)
            time.sleep(SETTLED_SECONDS)  # both requests have reached the point where they wait
            me = httpx.get(f"{sso_server}/v3.0/me", headers=bearer, timeout=10)
            assert (exchanging.done(), asking.done()) == ((not other.is_local,) * 2)
        exchanged, asked = exchanging.result(), asking.result()
    assert me.json()["data"]["id"] == sso_world.ids["amy"]
    assert exchanged.json().keys() == {"access_token", "token_type", "id_token"}
    assert person.exchange(reader, answer(asked)["code"]).status_code == 200
