"""Applications, their secrets, their connections to districts, and what a district token resolves to."""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict, Unpack

from rollbook import urls
from rollbook.contract.clever.tiers import TIER
from rollbook.domain.access import SCOPES, SECURE_SYNC, SENSITIVE, Access
from rollbook.errors import BadSetting, Conflict, Unknown
from rollbook.roster.views import narrowing
from rollbook.store.accounts import audit
from rollbook.store.district import views
from rollbook.store.district.districts import District, now, reserve_ids, timestamp
from rollbook.store.district.views import Spec, View
from rollbook.store.engine.database import Connection, Database, Row
from rollbook.store.engine.keys import Sealer, digest

# Under which name an application lists what it does not want.
REFUSED = "refused"
# How the trail calls what says what an application sees, and how much of it is looked at.
_CONNECTED, _EDITED, _HELD = "connected", "share changed", "share changed, held by a freeze"
_PAST_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Application:
    """A vendor's program. Its secret is only known to its vendor.

    `redirect_uris`: where logins may return to, the first by default. `user_types`: the roles that may sign
    in to it. `has_oidc`: logins come with an id token. `names_issuer`: they return with `iss` (RFC 9207).
    Both are one switch, as a client that was told of no issuer refuses either; applications of before that
    was so keep what they had. `fields`: what it asks for, as `{"required": [...], "optional": [...]}`; of a
    role that it lists nothing of, all. What it does not want in any case is listed as `refused`.
    """

    number: int
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    created: str
    tier: str
    user_types: tuple[str, ...]
    has_oidc: bool
    has_events: bool
    is_live: bool
    fields: Mapping[str, list[str]]
    names_issuer: bool
    is_demo: bool

    @property
    def asks(self) -> Spec:
        """What it would see of a district that shares everything and opens nothing sensitive."""
        asked = [field for need in ("required", "optional") for field in self.fields.get(need, ())]
        return Spec.of(self.scopes, asked, self.fields.get(REFUSED, ()))

    @property
    def requires(self) -> tuple[str, ...]:
        """Fields that a district cannot withhold from it."""
        return tuple(self.fields.get("required", ()))


@dataclass(frozen=True, slots=True)
class Token:
    """A district token as `/oauth/tokens` lists it."""

    id: str
    created: str
    district_id: str
    access_token: str
    scopes: tuple[str, ...]


_COLUMNS = (
    "number, client_id, name, redirect_uris, scopes, created, tier, user_types, has_oidc, has_events, is_live, fields,"
    " names_issuer, is_demo"
)
# Schemes of a redirect address that run in the browser instead of leading to the application.
_UNSAFE_SCHEMES = ("javascript", "data", "vbscript", "file", "blob", "about")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
# In the name and before the client id of an application that was removed.
REMOVED = " (removed "


def create(
    database: Database,
    name: str,
    *,
    redirect_uris: tuple[str, ...] = (),
    scopes: tuple[str, ...] = (),
    tier: str = "secure_sync",
    user_types: tuple[str, ...] = (),
    has_oidc: bool = False,
    fields: Mapping[str, list[str]] | None = None,
    client_id: str | None = None,
    secret: str | None = None,
    is_demo: bool = False,
) -> tuple[Application, str]:
    """Create an application; returns it with its client secret, which is shown this once and kept only as a
    hash.

    Scopes and user types are those of the tier unless given; `client_id` and `secret` are drawn at random
    unless given. Errors: Conflict for a name in use, BadSetting for a value that cannot be used.
    """
    _check_tier(tier)
    scopes, user_types = scopes or TIER[tier].scopes, user_types or TIER[tier].user_types
    _check(scopes, user_types, redirect_uris, tier, is_live=False)
    _check_fields(fields or {})
    client_id, secret = client_id or secrets.token_hex(10), secret or secrets.token_hex(20)
    with database.write() as connection:
        if not name.strip() or connection.row(
            "SELECT 1 FROM applications WHERE name = ? OR client_id = ?", (name, client_id)
        ):
            raise Conflict(
                f"an application named {name!r} exists already"
                if name.strip()
                else "an application needs a name"
            )
        made = connection.row(
            "INSERT INTO applications"
            " (client_id, name, redirect_uris, scopes, created, tier, user_types, has_oidc, names_issuer, fields, is_demo)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                client_id,
                name,
                json.dumps(redirect_uris),
                " ".join(sorted(scopes)),
                timestamp(),
                tier,
                " ".join(user_types),
                int(has_oidc),
                int(has_oidc),
                json.dumps(dict(fields or {})),
                int(is_demo),
            ),
        )
        _add_secret(connection, made[0] if made else 0, secret)
        audit.record(connection, "application created", application=made[0] if made else 0, tier=tier)
    return find(database, client_id), secret


def _check_tier(tier: str) -> None:
    if tier not in TIER:
        raise BadSetting(f"tier: expected one of {', '.join(TIER)}, got {tier!r}")


def _check(
    scopes: tuple[str, ...],
    user_types: tuple[str, ...],
    redirect_uris: tuple[str, ...],
    tier: str,
    *,
    is_live: bool,
) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise BadSetting(f"scopes: {unknown[0]!r} is no scope; expected some of {', '.join(SCOPES)}")
    # Only a Secure Sync application reads records whole: what a smaller tier cuts would be open to it.
    smaller = [scope for scope in scopes if scope not in (*SECURE_SYNC, *SENSITIVE)]
    if tier == "secure_sync" and smaller:
        raise BadSetting(f"scopes: {smaller[0]!r} is of a smaller tier than Secure Sync")
    others = [name for name in user_types if name not in TIER[tier].user_types]
    if others:
        raise BadSetting(
            f"user types: expected some of {', '.join(TIER[tier].user_types)}, got {others[0]!r}"
        )
    check_redirects(redirect_uris, is_live=is_live)


def _check_fields(fields: Mapping[str, list[str]]) -> None:
    for field in (field for listed in fields.values() for field in listed):
        if field not in narrowing.ASKABLE:
            raise BadSetting(f"field: expected some of {', '.join(narrowing.ASKABLE)}; got {field!r}")
    if torn := set(fields.get(REFUSED, ())).intersection(
        (*fields.get("required", ()), *fields.get("optional", ()))
    ):
        raise BadSetting(f"field: {min(torn)} is asked for and refused")


def check_redirects(uris: tuple[str, ...], *, is_live: bool = False) -> None:
    """Errors: BadSetting for an address that logins cannot return to."""
    for uri in uris:
        _check_redirect(uri, is_live=is_live)


def _check_redirect(uri: str, *, is_live: bool) -> None:
    """A redirect address is absolute and has no fragment (RFC 6749, 3.1.2); a live application's is no plain
    http."""
    scheme, colon, _ = uri.partition(":")
    is_web = scheme.lower() in ("http", "https")
    is_usable = (
        urls.parts(uri) is not None if is_web else bool(_SCHEME.fullmatch(scheme)) and urls.is_plain(uri)
    )
    if not (colon and is_usable) or "#" in uri or scheme.lower() in _UNSAFE_SCHEMES:
        raise BadSetting(
            f"redirect uri: expected an absolute address in plain letters and without a fragment, got {uri!r}"
        )
    if is_live and scheme.lower() == "http":
        raise BadSetting(f"redirect uri: a live application needs https, got {uri!r}")


class Change(TypedDict, total=False):
    """What of an application is to change; None keeps what there is."""

    redirect_uris: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    user_types: tuple[str, ...] | None
    has_oidc: bool | None
    has_events: bool | None
    is_live: bool | None
    fields: Mapping[str, list[str]] | None


def changed(application: Application, **given: Unpack[Change]) -> Application:
    """The application as it is to be; nothing is written. Errors: BadSetting for a value that cannot be
    used."""
    kept = {name: value for name, value in given.items() if value is not None}
    if "has_oidc" in kept:
        kept["names_issuer"] = kept["has_oidc"]
    wanted: Application = replace(application, **kept)  # type: ignore[arg-type]
    _check(wanted.scopes, wanted.user_types, wanted.redirect_uris, wanted.tier, is_live=wanted.is_live)
    _check_fields(wanted.fields)
    return replace(wanted, scopes=tuple(sorted(wanted.scopes)))


def change(database: Database, application: Application, **given: Unpack[Change]) -> Application:
    """Change what is given and keep the rest. Errors: BadSetting for a value that cannot be used."""
    wanted = changed(application, **given)
    with database.write() as connection:
        connection.run(
            "UPDATE applications SET redirect_uris = ?, scopes = ?, user_types = ?, has_oidc = ?, has_events = ?, is_live = ?,"
            " names_issuer = ?, fields = ? WHERE number = ?",
            (
                json.dumps(wanted.redirect_uris),
                " ".join(wanted.scopes),
                " ".join(wanted.user_types),
                int(wanted.has_oidc),
                int(wanted.has_events),
                int(wanted.is_live),
                int(wanted.names_issuer),
                json.dumps(dict(wanted.fields)),
                wanted.number,
            ),
        )
        told = {name: value for name, value in asdict(wanted).items() if value != getattr(application, name)}
        audit.record(connection, "application changed", application=wanted.number, **told)
    return find(database, wanted.client_id)


def rotate_secret(database: Database, application: Application, *, overlap_seconds: int) -> str:
    """Give an application a new secret; the old ones work on for the overlap, so that nobody is cut off
    meanwhile."""
    secret, moment = secrets.token_hex(20), int(time.time())
    ends = moment + overlap_seconds
    with database.write() as connection:
        connection.run(
            "DELETE FROM application_secrets WHERE application = ? AND expires < ?",
            (application.number, moment),
        )
        connection.run(
            (
                "UPDATE application_secrets SET expires = ? WHERE application = ? AND (expires "
                "IS NULL OR expires > ?)"
            ),
            (ends, application.number, ends),
        )
        _add_secret(connection, application.number, secret)
        audit.record(
            connection, "secret rotated", application=application.number, overlap_seconds=overlap_seconds
        )
    return secret


def _add_secret(connection: Connection, application: int, secret: str) -> None:
    connection.run(
        "INSERT INTO application_secrets (application, hash, created) VALUES (?, ?, ?)",
        (application, digest(secret), timestamp()),
    )


def find(database: Database, name_or_client_id: str) -> Application:
    """The application of that client id or name. Errors: Unknown."""
    with database.read() as connection:
        found = connection.row(
            f"SELECT {_COLUMNS} FROM applications WHERE client_id = ? OR name = ?",
            (name_or_client_id, name_or_client_id),
        )
    if found is None:
        raise Unknown(f"no application has the name or client id {name_or_client_id!r}")
    return _application(found)


def by_client_id(connection: Connection, client_id: str, *, in_demo: bool) -> Application | None:
    """The application of that client id; a demo's application is known in a demo only."""
    found = connection.row(
        f"SELECT {_COLUMNS} FROM applications WHERE client_id = ? AND (is_demo = 0 OR ? = 1)",
        (client_id, int(in_demo)),
    )
    return _application(found) if found else None


def by_number(connection: Connection, number: int) -> Application:
    """The application of the store's own number. Errors: Unknown."""
    found = connection.row(f"SELECT {_COLUMNS} FROM applications WHERE number = ?", (number,))
    if found is None:
        raise Unknown("the application is no longer there")
    return _application(found)


def list_offered(connection: Connection, district: int, *, in_demo: bool) -> list[Application]:
    """The applications that a district (by its number) is connected with, or a teacher of it has let in, by
    name."""
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM applications WHERE (number IN (SELECT application FROM connections WHERE district = ?)"
        " OR number IN (SELECT application FROM grants WHERE district = ?)) AND (is_demo = 0 OR ? = 1) ORDER BY name",
        (district, district, int(in_demo)),
    )
    return [_application(row) for row in rows]


def _application(row: Row) -> Application:
    number, client_id, name, uris, scopes, created, tier, types, oidc, events, live, fields, issuer, demo = (
        row
    )
    return Application(
        number,
        client_id,
        name,
        tuple(json.loads(uris)),
        tuple(scopes.split()),
        created,
        tier,
        tuple(types.split()),
        bool(oidc),
        bool(events),
        bool(live),
        json.loads(fields),
        bool(issuer),
        bool(demo),
    )


def connect(
    database: Database,
    sealer: Sealer,
    application: Application,
    district: District,
    view: View,
    *,
    token: str | None = None,
    is_demo: bool = False,
) -> str:
    """Connect an application to a district, to see the view, and return the district token; a connection
    keeps its token."""
    with database.write() as connection:
        found = connection.row(
            "SELECT token_sealed FROM connections WHERE application = ? AND district = ?",
            (application.number, district.number),
        )
        if found:
            audit.record(
                connection, "district token shown", district=district.number, application=application.number
            )
            return sealer.open(found[0])
        token, moment = token or secrets.token_hex(20), timestamp(now(connection))
        connection.run(
            "INSERT INTO connections (id, application, district, view, token_hash, token_sealed, created, is_demo, since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT head FROM districts WHERE number = ?))",
            (
                reserve_ids(connection).id(0),
                application.number,
                district.number,
                view.number,
                digest(token),
                sealer.seal(token),
                moment,
                int(is_demo),
                district.number,
            ),
        )
        audit.record(
            connection,
            _CONNECTED,
            district=district.number,
            application=application.number,
            **_in_trail(view.spec),
        )
    return token


def renew_token(database: Database, sealer: Sealer, application: Application, district: District) -> str:
    """Give a connection a new district token and return it; the one before ends at once. Errors: Unknown when
    not connected."""
    number, _ = connection_of(database, application, district)
    token = secrets.token_hex(20)
    with database.write() as connection:
        connection.run(
            "UPDATE connections SET token_hash = ?, token_sealed = ?, is_demo = 0 WHERE number = ?",
            (digest(token), sealer.seal(token), number),
        )
        audit.record(
            connection, "district token renewed", district=district.number, application=application.number
        )
    return token


def disconnect(database: Database, application: Application, district: District) -> None:
    """End a connection: its district token, its people's tokens and codes, what teachers allowed, and the
    view it alone had.

    Errors: Unknown when not connected, and neither has a teacher let it in.
    """
    pair = (application.number, district.number)
    tables = ("codes", "user_tokens", "grants", "connections")
    with database.write() as connection:
        found = [
            connection.row(f"SELECT 1 FROM {table} WHERE application = ? AND district = ? LIMIT 1", pair)
            for table in tables
        ]
        if not any(found):
            raise Unknown(f"{application.name!r} is not connected to {district.name!r}")
        for table in tables:
            connection.run(f"DELETE FROM {table} WHERE application = ? AND district = ?", pair)
        views.drop_unseen(connection, district.number)
        audit.record(connection, "disconnected", district=district.number, application=application.number)
    with database.write() as connection:  # once more, for what was being issued meanwhile
        for table in tables[:2]:
            connection.run(f"DELETE FROM {table} WHERE application = ? AND district = ?", pair)


def remove(database: Database, application: Application) -> None:
    """Remove an application with its secrets. Errors: Conflict while it is connected to a district."""
    with database.write() as connection:
        tables = ("connections", "grants", "user_tokens", "codes")
        if any(
            connection.row(f"SELECT 1 FROM {table} WHERE application = ?", (application.number,))
            for table in tables
        ):
            raise Conflict(
                f"{application.name!r} is still in use; `rollbook disconnect` it from its districts first"
            )
        connection.run("DELETE FROM application_secrets WHERE application = ?", (application.number,))
        # The row stays, under a name and an id that nobody asks for: the trail goes on telling of it, and of
        # no other.
        connection.run(
            (
                "UPDATE applications SET name = ?, client_id = ?, redirect_uris = '[]', scopes "
                "= '' WHERE number = ?"
            ),
            (
                f"{application.name}{REMOVED}{application.client_id})",
                f"{REMOVED}{application.client_id}",
                application.number,
            ),
        )
        audit.record(connection, "application removed", application=application.number)


def list_all(database: Database) -> list[tuple[Application, list[str]]]:
    """Every application with the names of the districts it is connected to, by name."""
    with database.read() as connection:
        found = [_application(row) for row in connection.rows(_LISTED, (f"{REMOVED}%",))]
        pairs = connection.rows(
            "SELECT c.application, d.name FROM connections c JOIN districts d ON d.number "
            "= c.district ORDER BY d.name"
        )
    return [(one, [name for number, name in pairs if number == one.number]) for one in found]


_LISTED = f"SELECT {_COLUMNS} FROM applications WHERE client_id NOT LIKE ? ORDER BY name"


def note_share(
    connection: Connection, application: Application, district: District, spec: Spec, *, is_held: bool
) -> None:
    """Write into the trail what an application sees of a district from now on, or will once its view is
    thawed."""
    audit.record(
        connection,
        _HELD if is_held else _EDITED,
        district=district.number,
        application=application.number,
        **_in_trail(spec),
    )


@dataclass(frozen=True, slots=True)
class PastShare:
    """What an application saw of a district from a moment on, or would have seen, had its view not been
    frozen (`is_held`)."""

    created: str
    told: Mapping[str, Any]
    is_held: bool

    def again(self, now: Spec) -> Spec:
        """The district's side of it, for what the application asks today. Errors: BadSetting for what is no
        share any more."""
        share = None if self.told["share"] == "everything" else narrowing.parse(self.told["share"])
        withheld, sensitive = (tuple(self.told[name]) for name in ("withheld", "sensitive"))
        return replace(
            now, share=share, withheld=withheld, sensitive=sensitive, keeps_ids=bool(self.told["keeps_ids"])
        )


def past_shares(database: Database, application: Application, district: District) -> list[PastShare]:
    """All shares of a connection since it began, oldest first; the last one is today's. Errors: Unknown when
    not connected."""
    connection_of(database, application, district)
    found: list[PastShare] = []
    with database.read() as connection:
        trail = audit.latest(
            connection,
            _PAST_MAX,
            district=district.number,
            application=application.number,
            actions=(_CONNECTED, _EDITED, _HELD),
        )
    for entry in trail:
        found.insert(0, PastShare(entry.created, entry.detail, entry.action == _HELD))
        if entry.action == _CONNECTED:
            break
    return found


def _in_trail(spec: Spec) -> dict[str, Any]:
    return {
        "share": narrowing.as_json(spec.share) or "everything",
        "scopes": spec.scopes,
        "withheld": spec.withheld,
        "sensitive": spec.sensitive,
        "unasked": spec.unasked,
        "keeps_ids": spec.keeps_ids,
    }


def connection_of(database: Database, application: Application, district: District) -> tuple[int, int]:
    """The number of an application's connection to a district, and of the view it sees. Errors: Unknown when
    not connected."""
    with database.read() as connection:
        found = connection.row(
            "SELECT number, view FROM connections WHERE application = ? AND district = ?",
            (application.number, district.number),
        )
    if found is None:
        raise Unknown(f"{application.name!r} is not connected to {district.name!r}")
    return found[0], found[1]


def districts_of(database: Database, application: Application) -> list[int]:
    """The districts (by their numbers) that an application is connected to, oldest connection first."""
    with database.read() as connection:
        rows = connection.rows(
            "SELECT district FROM connections WHERE application = ? ORDER BY number", (application.number,)
        )
    return [number for (number,) in rows]


def see(connection: Connection, number: int, view: View) -> None:
    """Let a connection (by its number) see a view."""
    connection.run("UPDATE connections SET view = ? WHERE number = ?", (view.number, number))


def views_of(database: Database, district: District) -> dict[str, int]:
    """The view (by its number) of each application that is connected to a district."""
    with database.read() as connection:
        rows = connection.rows(
            "SELECT a.name, c.view FROM connections c JOIN applications a ON a.number = c.application"
            " WHERE c.district = ? ORDER BY a.name",
            (district.number,),
        )
    return dict(rows)


def resolve(connection: Connection, token: str, *, in_demo: bool) -> Access | None:
    """What a bearer token may see; None when it is not known. Published test tokens are known in a demo
    only."""
    found = connection.row(
        "SELECT d.number, d.id, c.view, c.number, a.client_id, a.scopes, a.tier, v.edited, c.since, c.events_after, v.mark"
        " FROM connections c JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " JOIN views v ON v.number = c.view WHERE c.token_hash = ? AND (c.is_demo = 0 OR ? = 1)",
        (digest(token), int(in_demo)),
    )
    if found is None:
        return None
    district, district_id, view, number, client_id, scopes, tier, edited, since, events_after, mark = found
    return Access(
        district,
        district_id,
        view,
        number,
        client_id,
        tuple(scopes.split()),
        tier=tier,
        is_whole=TIER[tier].district_paths is None,
        shown_since=edited,
        connected_since=since,
        events_after=events_after,
        view_mark=mark,
    )


def authenticated(
    connection: Connection, client_id: str, secret: str, *, in_demo: bool
) -> Application | None:
    """The application with these credentials, compared in constant time; None when they do not fit."""
    columns = ", ".join(f"a.{name.strip()}" for name in _COLUMNS.split(","))
    rows = connection.rows(
        f"SELECT s.hash, {columns} FROM applications a JOIN application_secrets s ON s.application = a.number"
        " WHERE a.client_id = ? AND (a.is_demo = 0 OR ? = 1) AND (s.expires IS NULL OR s.expires > ?)",
        (client_id, int(in_demo), int(time.time())),
    )
    given = digest(secret)
    fitting = [row for stored, *row in rows if hmac.compare_digest(stored, given)]
    return _application(tuple(fitting[0])) if fitting else None


def list_tokens(
    connection: Connection, sealer: Sealer, application: int, district_id: str | None, *, in_demo: bool
) -> list[Token]:
    """The district tokens of an application, all or one district's, oldest first."""
    found = connection.rows(
        "SELECT c.id, c.created, d.id, c.token_sealed, a.scopes FROM connections c"
        " JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " WHERE c.application = ? AND (c.is_demo = 0 OR ? = 1) ORDER BY c.id",
        (application, int(in_demo)),
    )
    return [
        Token(id_, created, owner, sealer.open(sealed), tuple(scopes.split()))
        for id_, created, owner, sealed, scopes in found
        if district_id in (None, owner)
    ]
