"""`rollbook token`, `badge`, `provider`, `key` and `audit`: people's ways in, and the trail they leave."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from rollbook.auth import oidc
from rollbook.auth.entry import enter
from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.errors import Refused, Unknown
from rollbook.settings import base_url
from rollbook.store import applications, audit, credentials, districts, logins, people
from rollbook.store.keys import Sealer, key_path
from rollbook.store.logins import Grant, Session
from rollbook.web import badges


@click.command()
@click.argument("application")
@click.argument("user")
@click.option("--district", help="Name or id of the district; needed when there is more than one.")
@database_option
@json_option
def token(application: str, user: str, district: str | None, database: str | None, as_json: bool) -> None:
    """Mint a user token for a person, as if they had signed in to an APPLICATION (name or client id).

    USER is an id, a SIS id, a username or an email. For tests and sandboxes: the token opens what the person's own would.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        found = applications.find(store, application)
        owner = districts.find(store, district) if district else districts.list_all(store)[0]
        with store.write() as connection:
            person = people.find(connection, people.whole(connection, owner.number), user)
            session = Session("", owner.number, person.id, person.roles[0], "operator", logins.now(), logins.now())
            decided = enter(connection, found, session)
            if decided.outcome != "allowed":
                raise Refused(f"{person.name} may not enter {found.name}: {decided.outcome}")
            grant = Grant(found.number, owner.number, person.id, decided.role, decided.authorized_by, "", session.created)
            minted = logins.mint(connection, grant, seconds=settings.user_token_seconds)
    if as_json:
        click.echo(orjson.dumps({"access_token": minted, "user": person.id, "role": decided.role}))
        return
    click.echo(f"user token  {minted}\nfor         {person.name} ({decided.role})")


@click.group()
def badge() -> None:
    """Badges: a printed code that signs a person in."""


@badge.command("print")
@click.argument("district")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--school", default="", help="Only people of this school, by its name or id.")
@click.option("--role", default="student", show_default=True, help="Only people of this role.")
@click.option("--user", "users", multiple=True, help="Only these people, by id, SIS id, username or email; may be repeated.")
@database_option
def print_badges(district: str, file: Path, school: str, role: str, users: tuple[str, ...], database: str | None) -> None:
    """Write a page with badges of a DISTRICT's people to FILE, to be printed. Each gets a new code; older ones end."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        owner = districts.find(store, district)
        with store.write() as connection:
            access = people.whole(connection, owner.number)
            chosen = (
                [people.find(connection, access, user) for user in users]
                if users
                else people.everybody(connection, access, role=role, school=_school(people.schools(connection, access), school))
            )
            given = [(person, credentials.give_badge(connection, owner.number, person.id)) for person in chosen]
    file.write_text(badges.page(owner.name, base_url(settings), given), encoding="utf-8")
    click.echo(
        f"{len(given):,} badges in {file}. Whoever has one can sign in with it: keep the file safe, and delete it once printed."
    )


@badge.command()
@click.argument("district")
@click.argument("user")
@database_option
def revoke(district: str, user: str, database: str | None) -> None:
    """Revoke the badge of a person (id, SIS id, username or email)."""
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district)
        with store.write() as connection:
            person = people.find(connection, people.whole(connection, owner.number), user)
            had_one = credentials.take_badge(connection, owner.number, person.id)
    click.echo(f"the badge of {person.name} is revoked" if had_one else f"{person.name} has no badge")


def _school(known: list[tuple[str, str]], asked: str) -> str:
    found = [id_ for id_, name in known if asked in (id_, name)]
    if asked and not found:
        raise Unknown(f"no school has the name or id {asked!r}")
    return found[0] if asked else ""


@click.group()
def provider() -> None:
    """A district's own sign-in service, such as Google or Entra, which speaks OpenID Connect."""


@provider.command("set")
@click.argument("district")
@click.option("--name", required=True, help="What its button says.")
@click.option("--issuer", required=True, help="Its issuer, such as https://accounts.google.com.")
@click.option("--client-id", required=True, help="The client id it knows this server by.")
@click.option("--client-secret", prompt=True, hide_input=True, help="The client secret; asked for when it is not given.")
@database_option
def set_provider(district: str, name: str, issuer: str, client_id: str, client_secret: str, database: str | None) -> None:
    """Let people of a DISTRICT sign in with its own service; they are known by their email."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        owner = districts.find(store, district)
        with store.write() as connection:
            credentials.set_provider(
                connection,
                Sealer(key_path(settings)),
                owner.number,
                name=name,
                issuer=issuer.rstrip("/"),
                client_id=client_id,
                secret=client_secret,
            )
    click.echo(f"register this redirect address with {name}: {base_url(settings)}/oauth/callback")


@provider.command()
@click.argument("district")
@database_option
def remove(district: str, database: str | None) -> None:
    """Take a DISTRICT's own sign-in service away."""
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district)
        with store.write() as connection:
            credentials.drop_provider(connection, owner.number)


@click.group()
def key() -> None:
    """The keys that sign id tokens."""


@key.command()
@click.option(
    "--overlap-hours", type=click.IntRange(1), default=168, show_default=True, help="How long the old key is published."
)
@database_option
def rotate(overlap_hours: int, database: str | None) -> None:
    """Sign with a new key from now on; tokens that the old one signed can be verified for a while."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        made = oidc.rotate(store, Sealer(key_path(settings)), overlap_seconds=overlap_hours * 3600)
    click.echo(f"signing with {made}")


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many rows.")
@database_option
@json_option
def show_audit(limit: int, database: str | None, as_json: bool) -> None:
    """Show who signed in, and what was done with tokens, secrets and keys; newest first."""
    with opened(read_settings(database=database)) as store, store.read() as connection:
        found = audit.latest(connection, limit)
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return
    for entry in found:
        detail = " ".join(f"{name}={value}" for name, value in entry.detail.items())
        click.echo(f"{entry.created}  {entry.action:28} {entry.user_id:24} {entry.address:15} {detail}".rstrip())
