"""`rollbook token`, `badge`, `provider`, `key` and `audit`: how people get in, and the audit trail."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click
import orjson

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.errors import Refused
from rollbook.operations import people_access, service_tests, sign_in_setup
from rollbook.operations.sign_in_setup import BadgeChoice, BadgeSheet
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.district import districts
from rollbook.store.engine.opening import opened
from rollbook.web.http import badge_sheet


@click.command()
@click.argument("application")
@click.argument("user")
@click.option("--district", help="Name or id of the district; needed when there is more than one.")
@database_option
@json_option
def token(application: str, user: str, district: str | None, database: str | None, as_json: bool) -> None:
    """Mint a user token for a person, as if they had signed in to an APPLICATION (name or client id).

    USER is an id, a SIS id, a username or an email. For tests and sandboxes: the token opens whatever the
    person's own token would.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        minted = people_access.mint_token(store, settings, application, user, district)
    if as_json:
        click.echo(
            orjson.dumps({"access_token": minted.token, "user": minted.person.id, "role": minted.role})
        )
        return
    click.echo(f"user token  {minted.token}\nfor         {minted.person.name} ({minted.role})")


@click.command("sign-out")
@click.argument("district")
@click.argument("user")
@database_option
def sign_out(district: str, user: str, database: str | None) -> None:
    """Sign a person (id, SIS id, username or email) out everywhere: their sessions and tokens end at once."""
    with opened(read_settings(database=database)) as store:
        person, ended = people_access.sign_out(store, district, user)
    click.echo(f"{ended} sessions and tokens of {person.name} have ended")


@click.group()
def badge() -> None:
    """Badges: printed codes that sign people in."""


@badge.command("print")
@click.argument("district")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, readable=False))
@click.option("--school", default="", help="Only people of this school, by its SIS id, name or id.")
@click.option(
    "--role",
    type=click.Choice(LOGIN_ROLES),
    default="student",
    show_default=True,
    help="Only people of this role.",
)
@click.option(
    "--user",
    "users",
    multiple=True,
    help="Only these people, by id, SIS id, username or email; may be repeated.",
)
@database_option
def print_badges(
    district: str, file: Path, school: str, role: str, users: tuple[str, ...], database: str | None
) -> None:
    """Write a page of badges for a DISTRICT's people to FILE, for printing. Each person gets a new code;
    older codes end.

    The codes lead to the address in ROLLBOOK_PUBLIC_URL.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        choice = BadgeChoice(role, school, users)
        count = sign_in_setup.print_badges(store, settings, district, choice, partial(_write_sheet, file))
    click.echo(
        f"{count:,} badges in {file}. Each opens a person's account: keep the "
        "file safe, and delete it once printed."
    )
    _warn_of_address(settings)


def _write_sheet(file: Path, sheet: BadgeSheet) -> None:
    _write_private(file, badge_sheet.page(sheet.district, sheet.base, sheet.schools, sheet.badges))


def _write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read. Errors: Refused in one line."""
    try:
        file.unlink(missing_ok=True)
        with os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as opened_file:
            opened_file.write(text)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}; badges from before stay valid") from None


def _warn_of_address(settings: Settings) -> None:
    if not (settings.public_url or settings.issuer):
        click.echo(
            (
                f"They lead to {base_url(settings)}: set ROLLBOOK_PUBLIC_URL to the server's "
                "own address, and do this again."
            ),
            err=True,
        )


@badge.command()
@click.argument("district")
@click.argument("user")
@database_option
def revoke(district: str, user: str, database: str | None) -> None:
    """Revoke the badge of a person (id, SIS id, username or email)."""
    with opened(read_settings(database=database)) as store:
        person, had_one = sign_in_setup.revoke_badge(store, district, user)
    click.echo(f"the badge of {person.name} is revoked" if had_one else f"{person.name} has no badge")


@click.group()
def provider() -> None:
    """A district's own sign-in service, such as Google or Entra, over OpenID Connect."""


@provider.command("set")
@click.argument("district")
@click.option("--name", required=True, help="Text of its button on the login page.")
@click.option("--issuer", required=True, help="Its issuer address, such as https://accounts.google.com.")
@click.option("--client-id", required=True, help="The client id that it gave to this server.")
@click.option(
    "--client-secret",
    prompt=True,
    hide_input=True,
    help="The client secret; if it is missing, the command asks for it.",
)
@click.option(
    "--domain",
    default="",
    help="Accept only emails of this domain, such as springfield.example. Always set it for Google.",
)
@click.option(
    "--trust-email",
    is_flag=True,
    help="Accept emails that the service does not mark as verified; needed for Entra.",
)
@database_option
def set_provider(
    district: str,
    name: str,
    issuer: str,
    client_id: str,
    client_secret: str,
    domain: str,
    trust_email: bool,
    database: str | None,
) -> None:
    """Let people of a DISTRICT sign in with its own service, which identifies them by email."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        wanted = NewProvider(name, issuer, client_id, client_secret, trusts_email=trust_email, domain=domain)
        address = sign_in_setup.set_provider(store, settings, district, wanted)
    click.echo(f"register this redirect address with {name}: {address}")
    _warn_of_address(settings)


@provider.command("test")
@click.argument("district")
@database_option
@json_option
def test_provider(district: str, database: str | None, as_json: bool) -> None:
    """Ask the sign-in service of a DISTRICT what a sign-in asks it, and say what is wrong. Exit code 1 if something is."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        steps = service_tests.try_provider(store, settings, district)
    if as_json:
        show_json(steps)
    else:
        for step in steps:
            click.echo(f"{'ok' if step.is_good else 'WRONG':6} {step.name}: {step.says}")
    if not all(step.is_good for step in steps):
        raise SystemExit(1)


@provider.command()
@click.argument("district")
@database_option
def remove(district: str, database: str | None) -> None:
    """Remove a DISTRICT's own sign-in service."""
    with opened(read_settings(database=database)) as store:
        owner, had_one = sign_in_setup.remove_provider(store, district)
    click.echo(f"{owner.name} has no sign-in service of its own {'any more' if had_one else 'to take away'}")


@click.group()
def key() -> None:
    """The keys that sign id tokens."""


@key.command()
@click.option(
    "--overlap-hours",
    type=click.IntRange(0),
    default=168,
    show_default=True,
    help="Hours for which the old key stays published; 0 if others may have it.",
)
@database_option
def rotate(overlap_hours: int, database: str | None) -> None:
    """Sign with a new key from now on. For a while, tokens of the old key can still be verified."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        made = sign_in_setup.rotate_key(store, settings, overlap_seconds=overlap_hours * 3600)
    click.echo(f"signing with {made}")


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many rows.")
@click.option("--district", help="Only rows of this district, by its name or id.")
@click.option("--application", help="Only rows of this application, by its name or client id.")
@click.option("--user", default="", help="Only rows of this person, by their id.")
@database_option
@json_option
def show_audit(
    limit: int, district: str | None, application: str | None, user: str, database: str | None, as_json: bool
) -> None:
    """Show who signed in, and every act on tokens, secrets, shares and keys; newest first."""
    with opened(read_settings(database=database)) as store:
        owner = districts.find(store, district).number if district else None
        reader = applications.find(store, application).number if application else None
        with store.read() as transaction:
            found = audit.latest(transaction, limit, district=owner, application=reader, user_id=user)
    if as_json:
        show_json(found)
        return
    for entry in found:
        told = {
            "application": entry.application,
            "district": entry.district,
            "person": entry.user_id,
            "from": entry.address,
        }
        words = {**{name: value for name, value in told.items() if value}, **entry.detail}
        click.echo(
            f"{entry.created}  {entry.action:26} "
            + ", ".join(f"{name} {_word(value)}" for name, value in words.items())
        )


def _word(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
