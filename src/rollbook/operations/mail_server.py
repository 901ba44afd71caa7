"""Mail by SMTP (RFC 5321): one message to one person, within a deadline, with STARTTLS or TLS and a login if set."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from rollbook import outgoing
from rollbook.errors import BadSetting
from rollbook.operations.delivery_words import Letter, one_line
from rollbook.settings import Settings
from rollbook.store.operators.deliveries import Outcome
from rollbook.urls import LOCAL_HOSTS

# How long one step, and a whole delivery, may take.
STEP_SECONDS, MAIL_SECONDS = 10.0, 30.0
ADDRESS_MAX: Final = 254
# Mailboxes as people type them: visible ASCII, without the signs that have a meaning in headers and in SMTP.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def address(text: str, name: str = "address") -> str:
    """A mail address. Errors: BadSetting names the parameter."""
    text = text.strip()
    if len(text) > ADDRESS_MAX or not _ADDRESS.fullmatch(text):
        raise BadSetting(
            f"{name}: expected one mail address in plain letters, such as ana@example.org, got {one_line(text)[:100]!r}"
        )
    return text


def unready(settings: Settings) -> str:
    """What is missing for mail, as a sentence; blank if nothing is."""
    if not settings.mail_host:
        return "no mail server is set; set ROLLBOOK_MAIL_HOST and ROLLBOOK_MAIL_SENDER, and restart server and workers"
    if not _ADDRESS.fullmatch(settings.mail_sender):
        return "mail_sender: expected a mail address; set ROLLBOOK_MAIL_SENDER to one that the mail server sends for"
    if settings.mail_user and settings.mail_tls == "none" and settings.mail_host not in LOCAL_HOSTS:
        return (
            "the password of the mail server would be sent in clear; set ROLLBOOK_MAIL_TLS to starttls or tls"
        )
    return ""


class _Refusal(Exception):
    """The server refused a step; the session is over."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


def send(settings: Settings, to: str, letter: Letter, id_: str) -> Outcome:
    """Send one mail; all attempts of a delivery have the same id.

    If the answer after the mail's last line does not come, nobody knows whether it was taken: the outcome is unsure.
    """
    if wrong := unready(settings):
        return Outcome("waiting", wrong, is_server=True)
    message = _message(settings, to, letter, id_).as_bytes()
    is_under_way = False
    try:
        with _session(settings) as server:
            _envelope(server, settings, to)
            is_under_way = True
            code, text = server.data(message)
            is_under_way = False
            _expect(250, code, text, "the mail server refused the mail")
    except _Refusal as refusal:
        return refusal.outcome
    except smtplib.SMTPDataError as error:
        return _refused("the mail server refused the mail", error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        if is_under_way:
            return Outcome("unsure", f"the mail server did not answer after the mail: {_said(error)}")
        return Outcome("waiting", _reason(settings, error), is_server=True)
    return Outcome("sent")


def _message(settings: Settings, to: str, letter: Letter, id_: str) -> EmailMessage:
    """The mail as text and HTML. `EmailMessage` refuses a header with a line end, and `one_line` leaves none."""
    # 7 bits: not every server takes 8 (RFC 6152).
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["From"], message["To"] = settings.mail_sender, to
    message["Subject"] = one_line(letter.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{id_}@{settings.mail_sender.rpartition('@')[2]}>"
    # Asks for no automatic answer (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


class _Cuttable(smtplib.SMTP):
    """A session that another thread can cut, also in the middle of a TLS handshake.

    A handshake takes the connection out of its socket, so the session keeps a second handle of it."""

    handle: socket.socket | None = None
    is_over = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self.handle = made.dup()
        if self.is_over:  # the deadline passed while it connected
            self.cut()
        return made

    def cut(self) -> None:
        self.is_over = True
        if self.handle:
            with suppress(OSError):
                self.handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self.handle:
            self.handle.close()


class _CuttableTls(smtplib.SMTP_SSL, _Cuttable):
    """The same, with TLS from the first byte. `SMTP_SSL` asks the next class for the socket that it wraps."""


@contextmanager
def _session(settings: Settings) -> Iterator[smtplib.SMTP]:
    """A session with the server, which ends by the deadline: a server that answers letter by letter holds no job."""
    if settings.mail_tls == "tls":
        server: _Cuttable = _CuttableTls(timeout=STEP_SECONDS, context=outgoing.trusted())
    else:
        server = _Cuttable(timeout=STEP_SECONDS)
    # The name that the certificate must have. `smtplib` sets it only in its constructor, if that connects.
    server._host = settings.mail_host  # type: ignore[attr-defined]
    watch = threading.Timer(MAIL_SECONDS, server.cut)
    watch.daemon = True
    watch.start()
    try:
        code, said = server.connect(settings.mail_host, settings.mail_port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        if settings.mail_tls == "starttls":
            server.starttls(context=outgoing.trusted())
        if settings.mail_user:
            server.login(settings.mail_user, settings.mail_password)
        yield server
        with suppress(smtplib.SMTPException, OSError):  # the mail is taken already
            server.quit()
    finally:
        watch.cancel()
        server.close()


def _envelope(server: smtplib.SMTP, settings: Settings, to: str) -> None:
    server.ehlo_or_helo_if_needed()
    code, text = server.mail(settings.mail_sender)
    _expect(
        250,
        code,
        text,
        f"the mail server refused the sender {settings.mail_sender}; look at ROLLBOOK_MAIL_SENDER",
    )
    code, text = server.rcpt(to)
    if code not in (250, 251):
        raise _Refusal(_refused(f"the mail server refused the address {to}", code, text))


def _expect(wanted: int, code: int, text: bytes, what: str) -> None:
    if code != wanted:
        raise _Refusal(_refused(what, code, text, is_server="sender" in what))


def _refused(what: str, code: int, text: bytes | str, *, is_server: bool = False) -> Outcome:
    """A refusal: 4xx passes, 5xx stays (RFC 5321, 4.2.1). One of the sender concerns all mail, and waits for an operator."""
    said = one_line(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)[:200]
    return Outcome("waiting" if code < 500 or is_server else "failed", f"{what}: {code} {said}", is_server)


def _reason(settings: Settings, error: Exception) -> str:
    """Why the server cannot be used, and what to do."""
    where = f"the mail server {settings.mail_host}:{settings.mail_port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{where} refuses user or password; look at ROLLBOOK_MAIL_USER and ROLLBOOK_MAIL_PASSWORD"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        what = "STARTTLS" if "STARTTLS" in str(error) else "login"
        return f"{where} offers no {what}; look at ROLLBOOK_MAIL_TLS and ROLLBOOK_MAIL_USER"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where} has a certificate that is not trusted: {error.verify_message}; name its authority in SSL_CERT_FILE"
    if isinstance(error, ssl.SSLError):
        return f"{where} speaks no TLS there; look at ROLLBOOK_MAIL_TLS and ROLLBOOK_MAIL_PORT"
    return f"{where} cannot be reached: {_said(error)}; look at ROLLBOOK_MAIL_HOST and ROLLBOOK_MAIL_PORT"


def _said(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)[:200]
