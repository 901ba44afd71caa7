"""All settings, as documented rows in one frozen class, read once and passed down.

A setting is read from the environment: `ROLLBOOK_` and its name in capitals. An option of the command line
takes precedence. `rollbook settings` prints the values in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rollbook import urls
from rollbook.errors import BadSetting

PREFIX = "ROLLBOOK_"
# Names in the environment that are not settings: the token of `rollbook clone`, and messages of a server to
# its worker processes.
OTHERS = (
    "CLONE_TOKEN",
    "LIMITS_FILE",
    "PULLS_FILE",
    "COUNTS_FOLDER",
    "DEMO_TOKEN",
    "DEMO_BASIC",
    "DEMO_DISTRICT",
)
# From 0 to 1: how similar a wrong name must be to a setting's name to suggest that setting.
LIKENESS = 0.75


def row(
    default: object,
    text: str,
    *,
    least: int | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    is_address: bool = False,
    is_networks: bool = False,
    is_password: bool = False,
) -> Any:
    """One setting: its default, its help text, and the values that it accepts."""
    taken = {"least": least, "choices": choices, "is_address": is_address, "is_networks": is_networks}
    masks = {"secret": secret, "is_password": is_password}
    return field(default=default, metadata={"help": text, **masks, **taken})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. Sizes are in bytes; times are in seconds unless the name says days."""

    database: str = row(
        "rollbook.db", "Where everything is kept: a file path, or a postgresql:// URL.", secret=True
    )
    read_database: str = row(
        "",
        "A streaming replica of the PostgreSQL database, as a postgresql:// URL. The Data API reads pages from it while it is"
        " up to date. Empty: none.",
        secret=True,
    )
    partitions: int = row(
        0,
        "Partitions of the large tables by a hash of the view, for PostgreSQL; the next program that opens the database"
        " makes them. 0: the tables stay as they are.",
        least=0,
    )
    host: str = row(
        "127.0.0.1", "Address the server listens on; 0.0.0.0 for all of IPv4, :: for all of IPv4 and IPv6."
    )
    port: int = row(8400, "Port the server listens on.", least=1)
    workers: int = row(1, "Server processes.", least=1)
    server_names: str = row(
        "",
        "Names under which the server answers, separated by commas. IP addresses, localhost and the names of its own"
        " addresses always work. *: every name. Empty: every name; for a demo, only names that no public DNS has.",
    )
    key_file: str = row(
        "", "File that holds the server's key; empty: beside the database file, or ./rollbook.key."
    )
    key_lost: str = row(
        "",
        "Set to yes, once, when the key file is lost for good: a new one is made. Then renew the district tokens, and"
        " passwords come with the next sync.",
        choices=("", "yes"),
    )
    trusted_proxies: str = row(
        "", "Addresses of proxies, separated by commas, whose X-Forwarded-For is trusted; empty: none."
    )
    public_url: str = row(
        "", "Address under which clients reach the server; empty: the listening address.", is_address=True
    )
    issuer: str = row(
        "", "Issuer of id tokens and base of the login addresses; empty: the public address.", is_address=True
    )
    api_base: str = row(
        "", "Base of the API's address in the discovery document; empty: the issuer.", is_address=True
    )
    signin_networks: str = row(
        "",
        "Inner networks in which the endpoints of districts' sign-in services may be, separated by commas, such as 10.1.0.0/16;"
        " empty: at the service's own host alone.",
        is_networks=True,
    )
    code_seconds: int = row(60, "How long an authorization code can be exchanged.", least=1)
    user_token_seconds: int = row(86_400, "How long a user token is valid.", least=1)
    session_idle_seconds: int = row(
        7_200, "A browser is signed out after it was idle for this long.", least=60
    )
    session_seconds: int = row(43_200, "A browser is signed out after this long in any case.", least=60)
    login_failures: int = row(
        10, "Failed sign-ins to one account from one address before this pair must wait.", least=1
    )
    login_failures_address: int = row(
        200,
        "Failed sign-ins from one address, to any account, before attempts from it take turns.",
        least=1,
    )
    login_wait_seconds: int = row(900, "How long failed sign-ins count.", least=1)
    rate_limit: int = row(1200, "Requests per token and window; 0 switches the limit off.", least=0)
    rate_window_seconds: int = row(60, "Length of a rate limit window, opened by its first request.", least=1)
    head_bytes_max: int = row(32 * 1024, "Size of a request's path and headers.", least=1024)
    headers_max: int = row(100, "Headers of a request.", least=10)
    body_bytes_max: int = row(1024 * 1024, "Size of a request's body.", least=1024)
    upload_bytes_max: int = row(
        2 * 1024 * 1024 * 1024,
        "Largest size in bytes of an upload in the console, all files together.",
        least=1024,
    )
    upload_seconds: int = row(1800, "Longest time in seconds of an upload in the console.", least=1)
    upload_folder: str = row("", "Folder for uploads of the console; empty: beside the database.")
    head_seconds: int = row(
        10, "How long a client may take for a request's path and headers, from the connection on.", least=1
    )
    body_seconds: int = row(30, "How long a client may take for a request's body.", least=1)
    idle_seconds: int = row(75, "How long a connection stays open without a request.", least=1)
    unread_seconds: int = row(
        60,
        "How long a client may leave an answer unread; the time restarts with each 16 KB that it reads.",
        least=1,
    )
    unread_bytes_max: int = row(
        256 * 1024 * 1024,
        "Size of all answers that clients have not read yet, and of requests sent ahead of them, per worker.",
        least=1,
    )
    connections_max: int = row(
        1000,
        (
            "Open connections per worker; a new one takes the place of those that keep the "
            "server waiting longest."
        ),
        least=1,
    )
    connections_address_max: int = row(
        500,
        "Open connections of one address per worker; a whole school or a proxy may share one address.",
        least=1,
    )
    stop_seconds: int = row(10, "How long a stopping server waits for requests in progress.", least=1)
    drain_seconds: int = row(
        0,
        "Seconds for which a server still answers after SIGTERM. /ready answers 503, so a balancer takes the server out.",
        least=0,
    )
    wrong_token: str = row(
        "html", "Answer to a wrong kind of token or an unknown path.", choices=("html", "json")
    )
    page_cache_bytes: int = row(
        32 * 1024 * 1024, "Memory for answers kept ready, per worker; 0 switches it off.", least=0
    )
    request_log_rows_max: int = row(
        10_000, "Requests that the request log keeps, the newest of all workers; 0 switches it off.", least=0
    )
    request_log_bytes_max: int = row(8 * 1024 * 1024, "Size of the request log.", least=64 * 1024)
    request_log_hours: int = row(24, "How long the request log keeps a request.", least=1)
    log_format: str = row(
        "text",
        "Lines that the server logs to stderr; json: one JSON object a line, one for each request.",
        choices=("text", "json"),
    )
    metrics_networks: str = row(
        "127.0.0.1, ::1",
        "Networks and addresses, separated by commas, that may read /metrics.",
        is_networks=True,
    )
    history_days: int = row(100, "How long superseded versions of records are kept.", least=1)
    event_days: int = row(30, "How long events are kept.", least=1)
    identity_days: int = row(300, "How long the id of a vanished SIS key is kept for its return.", least=1)
    sync_memory: str = row(
        "512MB",
        "Memory that a sync's engine may use before it spills to disk; the process takes up to 500 MB more.",
    )
    job_processes: int = row(1, "Jobs that one worker runs at a time, each in a process of its own.", least=1)
    mail_host: str = row("", "Mail server (SMTP) that sends mail to people of the console; empty: no mail.")
    mail_port: int = row(
        587, "Port of the mail server: usually 587 for starttls, 465 for tls, 25 for none.", least=1
    )
    mail_tls: str = row(
        "starttls",
        "How the connection to the mail server is encrypted; none only for a server of this machine or this network.",
        choices=("starttls", "tls", "none"),
    )
    mail_user: str = row("", "User of the mail server; empty: it needs none.")
    mail_password: str = row("", "Password of that user.", is_password=True)
    mail_sender: str = row("", "Address from which mail is sent, such as rollbook@example.org.")
    webhook_networks: str = row(
        "any",
        "Where webhooks may be. any: everywhere; public: at no private or local address.",
        choices=("any", "public"),
    )
    temporary: str = row("", "Folder for a sync's temporary files; empty: the system's.")


def listening_address(settings: Settings) -> str:
    """The address on which the server listens, as a URL; an IPv6 address stands in brackets (RFC 3986,
    3.2.2)."""
    return (
        f"http://[{settings.host}]:{settings.port}"
        if ":" in settings.host
        else f"http://{settings.host}:{settings.port}"
    )


def base_url(settings: Settings) -> str:
    """The URL at which people and applications reach the server, without a trailing slash; also the default
    issuer."""
    return (settings.issuer or settings.public_url or listening_address(settings)).rstrip("/")


def api_base_url(settings: Settings) -> str:
    return (settings.api_base or base_url(settings)).rstrip("/")


def key_path(settings: Settings) -> Path:
    """The file of the server's key; `store.engine.keys` reads and makes it."""
    if settings.key_file:
        return Path(settings.key_file)
    if "://" in settings.database:
        return Path("rollbook.key")
    return Path(settings.database + ".key")


def names() -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(Settings))


def read(environment: Mapping[str, str], **options: object) -> Settings:
    """Read the settings: an option that is not None, else the environment, else the default.

    Errors: BadSetting names the setting and what was expected.
    """
    values: dict[str, object] = {}
    for entry in fields(Settings):
        given = options.get(entry.name)
        if given is None:
            given = environment.get(PREFIX + entry.name.upper())
        if given is not None:
            values[entry.name] = _checked(entry.name, entry.type, given, entry.metadata)
    return Settings(**values)  # type: ignore[arg-type]


def unknown(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings but are not, each with the setting that may be meant, or blank."""
    own = [name.upper() for name in names()]
    given = sorted(name.removeprefix(PREFIX) for name in environment if name.startswith(PREFIX))
    meant = {name: get_close_matches(name, own, 1, LIKENESS) for name in given if name not in (*own, *OTHERS)}
    return {PREFIX + name: PREFIX + close[0] if close else "" for name, close in meant.items()}


def _checked(name: str, type_: object, given: object, metadata: Mapping[str, Any]) -> object:
    convert: Callable[[object], object] = _whole if type_ == "int" else str
    try:
        value = convert(given)
    except ValueError:
        raise BadSetting(f"{name}: expected a whole number, got {given!r}") from None
    least, choices = metadata["least"], metadata["choices"]
    if least is not None and isinstance(value, int) and value < least:
        raise BadSetting(f"{name}: expected at least {least}, got {value}")
    if choices and value not in choices:
        raise BadSetting(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    if metadata["is_address"] and value and (urls.parts(str(value)) is None or {"?", "#"} & set(str(value))):
        raise BadSetting(f"{name}: expected an address such as https://roll.example.org, got {value!r}")
    if metadata["is_networks"]:
        try:
            urls.networks(str(value))
        except ValueError:
            raise BadSetting(
                f"{name}: expected networks such as 10.1.0.0/16, separated by commas, got {value!r}"
            ) from None
    return value


def _whole(given: object) -> int:
    return int(str(given))


def masked(settings: Settings) -> dict[str, object]:
    """The settings as names and values, with passwords masked, also those in database addresses."""
    return {entry.name: _mask(getattr(settings, entry.name), entry.metadata) for entry in fields(Settings)}


def _mask(value: object, metadata: Mapping[str, Any]) -> object:
    text = str(value)
    if metadata["is_password"]:
        return "***" if text else ""
    head, at, tail = text.rpartition("@")
    if not (metadata["secret"] and at and "://" in head):
        return value
    scheme, _, credentials = head.partition("://")
    return f"{scheme}://{credentials.partition(':')[0]}:***@{tail}"
