"""`rollbook sftp`: the SFTP server, and the accounts of districts."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from rollbook.commands.options import PORT_MAX, database_option, read_settings, warn_of_readers
from rollbook.errors import BadSetting
from rollbook.jobs import sftp_server
from rollbook.operations import sftp_setup
from rollbook.settings import Settings
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.engine.opening import opened


@click.group()
def sftp() -> None:
    """Let districts upload their files by SFTP."""


@sftp.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, PORT_MAX), default=8422, show_default=True, help="Port to listen on."
)
@database_option
def serve(host: str, port: int, database: str | None) -> None:
    """Serve the drop folders of all districts that have an account, until Ctrl+C."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        warn_of_readers(settings)
        asyncio.run(_serve(store, settings, host, port))


async def _serve(store: Database, settings: Settings, host: str, port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    key = sealer(store, settings)
    listening = await sftp_server.listen(store, key, host, port)
    click.echo(f"Rollbook takes uploads at sftp://{host}:{port} (stop with Ctrl+C)")
    click.echo(f"Host key: {sftp_server.host_key(key).export_public_key().decode().strip()}")
    await ended.wait()
    listening.close()
    await listening.wait_closed()


@sftp.command()
@click.argument("district")
@click.option("--name", help="Name of the account: small letters, digits, - and _.")
@click.option(
    "--key",
    "keys",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File with a public key; else a password is drawn.",
)
@click.option("--remove", is_flag=True, help="Drop the account.")
@database_option
def account(
    district: str, name: str | None, keys: tuple[Path, ...], remove: bool, database: str | None
) -> None:
    """Give a DISTRICT (name or id) an account for its drop folder, in place of the one that it had."""
    with opened(read_settings(database=database)) as store:
        if remove:
            sftp_setup.close_account(store, district)
            click.echo("the account is dropped")
            return
        if not name:
            raise BadSetting("name: expected the name of the account, such as --name springfield")
        found = sftp_setup.open_account(store, district, name, tuple(map(_read, keys)))
    click.echo(f"account   {name}")
    click.echo(f"password  {found.password}   (shown once)" if found.password else f"keys      {len(keys)}")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise BadSetting(f"key: {path} cannot be read; expected a file such as id_ed25519.pub") from None
