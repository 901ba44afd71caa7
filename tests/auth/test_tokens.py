"""Who is asking: headers are read exactly, and tokens are remembered only while they are valid; on both
databases."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from cryptography.fernet import Fernet

from rollbook import sync
from rollbook.auth.tokens import Tokens, basic, bearer
from rollbook.demo import published
from rollbook.domain.access import SECURE_SYNC
from rollbook.errors import BadSetting, Unauthorized
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.keys import BOUND, Sealer
from tests.journeys.hub import Hub


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc ", " Bearer abc"])
def test_a_bearer_header_holds_a_token(header: str) -> None:
    assert bearer(header) == "abc"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc", "Bearer:abc", "Token abc"]
)
def test_no_other_header_has_a_token(header: str) -> None:
    with pytest.raises(Unauthorized, match=r"^Unrecognized token string$"):
        bearer(header)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (f"Basic {encoded('id:secret')}", ("id", "secret")),
        (f"basic  {encoded('id:secret')} ", ("id", "secret")),
        (f"Basic {encoded('id:se:cret')}", ("id", "se:cret")),
        (f"Basic {encoded('id:')}", ("id", "")),
        (f"Basic {encoded(':secret')}", ("", "secret")),
        # RFC 6749, 2.3.1: both are form-encoded first.
        (f"Basic {encoded('i%3Ad:s%20+t')}", ("i:d", "s  t")),
        (f"Basic {encoded('idsecret')}", None),
        (f"Bearer {encoded('id:secret')}", None),
        ("Basic", None),
        ("Basic ", None),
        ("Basic not-base64!", None),
        ("Basic YTp", None),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), None),
        ("", None),
    ],
)
def test_a_basic_header_holds_an_id_and_a_secret(header: str, credentials: tuple[str, str] | None) -> None:
    assert basic(header) == credentials


def test_the_published_pair_is_a_good_basic_header() -> None:
    client_id, secret = basic(f"Basic {published.BASIC}") or ("", "")
    assert (client_id, secret) == ("095b82cbbd8c68714d1c", "4b338489ceb4bec362461a7c96e3aa609efff049")


def resolved(tokens: Tokens, database: Database, token: str) -> str | None:
    """The client id of a token; None if it is unknown."""
    try:
        with database.read() as transaction:
            return tokens.resolve(transaction, f"Bearer {token}").client_id
    except Unauthorized:
        return None


def test_a_token_resolves_to_what_its_application_may_see(hub: Hub) -> None:
    token = hub.connect("read:ell_status", name="Reader")
    with hub.database.read() as transaction:
        access = Tokens(in_demo=False).resolve(transaction, f"Bearer {token}")
    assert (access.district_id, access.holder) == (hub.district.id, "district")
    assert access.client_id == applications.find(hub.database, "Reader").client_id
    assert access.scopes == tuple(sorted((*SECURE_SYNC, "read:ell_status")))


def test_a_token_is_good_from_its_connection_until_its_end(hub: Hub, database_address: str) -> None:
    tokens = Tokens(in_demo=False)
    application, _ = applications.create(hub.database, NewApplication("Reader"))
    assert resolved(tokens, hub.database, "x" * 40) is None
    # Another process connects, and later takes the connection back.
    with closing(open_database(database_address)) as elsewhere:
        view = sync.view_of(elsewhere, hub.district, application.asks, hub.settings)
        token = connections.connect(elsewhere, Sealer(hub.folder / "key"), application, hub.district, view)
        assert [resolved(tokens, hub.database, token) for _ in range(3)] == [application.client_id] * 3
        connections.disconnect(elsewhere, application, hub.district)
        assert resolved(tokens, hub.database, token) is None


def test_no_more_is_remembered_than_there_is_room_for(
    small_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollbook.auth.tokens.REMEMBERED_MAX", 2)
    given, tokens = [small_hub.connect(name=name) for name in "ABC"], Tokens(in_demo=False)
    assert None not in [resolved(tokens, small_hub.database, token) for token in given]
    assert len(tokens._remembered) <= 2


def test_a_token_is_remembered_once_however_its_header_is_spelled(small_hub: Hub) -> None:
    token, tokens = small_hub.connect(), Tokens(in_demo=False)
    assert None not in [
        resolved(tokens, small_hub.database, f"{' ' * number}{token}") for number in range(50)
    ]
    assert list(tokens._remembered) == [f"Bearer {token}"]


# --- connections ----------------------------------------------------------------------------------------------------------


def test_connecting_again_gives_the_same_token(hub: Hub) -> None:
    token = hub.connect(name="Reader")
    application = applications.find(hub.database, "Reader")
    assert hub.reconnect(application) == token
    assert hub.reconnect(application) == token
    assert len(token) == 40
    assert set(token) <= set("0123456789abcdef")


def test_each_district_and_each_application_has_a_token_of_its_own(hub: Hub) -> None:
    other = hub.beside("Shelbyville")
    first, second = hub.connect(name="A"), hub.connect(name="B")
    third = other.reconnect(applications.find(hub.database, "A"))
    assert len({first, second, third}) == 3


def test_neither_tokens_nor_secrets_can_be_read_in_the_database(small_hub: Hub) -> None:
    application, secret = applications.create(small_hub.database, NewApplication("Reader"))
    token = small_hub.reconnect(application)
    key = (small_hub.folder / "key").read_bytes()
    small_hub.database.close()
    stored = b"".join(path.read_bytes() for path in small_hub.folder.glob("rollbook.db*"))
    assert application.client_id.encode() in stored
    for hidden in (token, secret):
        assert hidden.encode() not in stored
        assert bytes.fromhex(hidden) not in stored
        assert base64.b64encode(hidden.encode()) not in stored
    assert key not in stored


def test_neither_tokens_nor_secrets_can_be_read_in_the_tables(hub: Hub) -> None:
    application, secret = applications.create(hub.database, NewApplication("Reader"))
    token = hub.reconnect(application)
    with hub.database.read() as transaction:
        tables = ("applications", "application_secrets", "connections", "audit")
        stored = json.dumps([transaction.rows(f"SELECT * FROM {table}") for table in tables])
    assert application.client_id in stored
    assert secret not in stored
    assert token not in stored


# --- the server's key -----------------------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = Sealer(path).seal("token", "a test")
    assert path.stat().st_mode & 0o777 == 0o600
    key = path.read_bytes()
    assert Sealer(path).open(sealed, "a test") == "token"
    assert Sealer(path).seal("token", "a test") != sealed
    assert path.read_bytes() == key
    assert b"token" not in sealed.encode()


def test_what_is_sealed_for_one_place_opens_in_no_other(tmp_path: Path) -> None:
    own = Sealer(tmp_path / "key")
    sealed = own.seal("token", "district token of 1 in 1")
    assert own.open(sealed, "district token of 1 in 1") == "token"
    for other in ("district token of 1 in 2", "said in the console"):
        with pytest.raises(BadSetting):
            own.open(sealed, other)
        with pytest.raises(BadSetting):
            own.open(sealed.removeprefix(BOUND), other)


def test_a_stored_value_of_an_earlier_version_is_read_and_one_in_a_cookie_is_not(tmp_path: Path) -> None:
    own = Sealer(tmp_path / "key")
    own.hold().seal("token", "a test")
    old = Fernet((tmp_path / "key").read_bytes()).encrypt(b"token").decode()
    assert own.open(old, "a test") == "token"
    with pytest.raises(BadSetting):
        own.open(old, "a test", seconds=60)
    with pytest.raises(BadSetting):
        own.open(BOUND + old, "a test")


def test_another_key_does_not_open_a_sealed_token(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path / "key").seal("token", "a test")
    Sealer(tmp_path / "other").seal("x", "a test")
    with pytest.raises(
        BadSetting, match=r"key_file: .*other is not the key with which the stored tokens were sealed"
    ):
        Sealer(tmp_path / "other").open(sealed, "a test")


def test_a_lost_key_is_said_and_not_replaced(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path / "key").seal("token", "a test")
    with pytest.raises(BadSetting, match=r"key_file: .*lost is not there"):
        Sealer(tmp_path / "lost").open(sealed, "a test")
    assert not (tmp_path / "lost").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\x00\xff" * 22, b"x" * 44])
def test_a_file_that_holds_no_key_is_said_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(BadSetting, match=r"key_file: .*key holds no key"):
        Sealer(path).seal("token", "a test")
    assert path.read_bytes() == content


def test_a_folder_or_an_unwritable_place_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "key", tmp_path / "none" / "key"):
        with pytest.raises(BadSetting, match=r"^key_file: "):
            Sealer(path).seal("token", "a test")


class Counting:
    """A connection that counts the commits of others from a number of its own, as SQLite's do."""

    def __init__(self, transaction: Transaction, version: int) -> None:
        self._connection = transaction
        self._version = version

    def version(self) -> int:
        return self._version

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_each_thread_forgets_by_its_own_reader(small_hub: Hub) -> None:
    token, tokens = small_hub.connect(name="Reader"), Tokens(in_demo=False)

    def is_known() -> bool:
        with small_hub.database.read() as transaction:
            try:
                tokens.resolve(cast("Transaction", Counting(transaction, 4)), f"Bearer {token}")
            except Unauthorized:
                return False
        return True

    assert is_known()
    connections.disconnect(
        small_hub.database, applications.find(small_hub.database, "Reader"), small_hub.district
    )
    with ThreadPoolExecutor(1) as other:
        assert not other.submit(is_known).result()
