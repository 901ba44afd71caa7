"""The SFTP server: one account for each district, which sees only the files of its drop folder.

`sftp_logins` says who may enter, `sftp_files` what an account may do. There is no shell and no forwarding.
"""

from __future__ import annotations

import logging

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rollbook.errors import BadSetting
from rollbook.jobs.sftp_files import DropFolder
from rollbook.jobs.sftp_logins import LOGIN_SECONDS, Door, Login
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer


async def listen(database: Database, sealer: Sealer, host: str, port: int) -> asyncssh.SSHAcceptor:
    """Begin to serve. Errors: BadSetting if the server cannot listen on the address."""
    door = Door(database)
    asyncssh.set_log_level(logging.ERROR)
    try:
        return await asyncssh.create_server(
            lambda: Login(door),
            host,
            port,
            server_host_keys=[host_key(sealer)],
            sftp_factory=DropFolder,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=60,
            keepalive_count_max=3,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_scp=False,
            compression_algs=None,
            server_version="Rollbook",
        )
    except OSError as error:
        raise BadSetting(
            f"port {port} on {host} cannot be used: {error.strerror}; choose another one with --port"
        ) from None


def host_key(sealer: Sealer) -> asyncssh.SSHKey:
    """The key by which clients know the server.

    It follows from the server's key, so all machines have the same one.
    """
    drawn = Ed25519PrivateKey.from_private_bytes(sealer.derive("sftp host key"))
    return asyncssh.import_private_key(
        drawn.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    )
