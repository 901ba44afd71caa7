"""What an application may ask for: scopes, roles, fields and redirect addresses that can be used."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rollbook import urls
from rollbook.contract.clever import view_spec
from rollbook.contract.clever.tiers import TIER
from rollbook.domain.access import SCOPES, SECURE_SYNC, SENSITIVE
from rollbook.errors import BadSetting

# The key under which an application lists the fields that it does not want.
REFUSED = "refused"
# How long a reason may be.
WHY_MAX = 300
# Schemes of a redirect address that run in the browser and do not lead to the application.
_UNSAFE_SCHEMES = ("javascript", "data", "vbscript", "file", "blob", "about")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


def check_tier(tier: str) -> None:
    if tier not in TIER:
        raise BadSetting(f"tier: expected one of {', '.join(TIER)}, got {tier!r}")


def check(
    scopes: tuple[str, ...],
    user_types: tuple[str, ...],
    redirect_uris: tuple[str, ...],
    tier: str,
    *,
    is_live: bool,
) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise BadSetting(f"scopes: {unknown[0]!r} is not a scope; expected some of {', '.join(SCOPES)}")
    # Only a Secure Sync application reads whole records: it would see the fields that a smaller tier cuts.
    smaller = [scope for scope in scopes if scope not in (*SECURE_SYNC, *SENSITIVE)]
    if tier == "secure_sync" and smaller:
        raise BadSetting(f"scopes: {smaller[0]!r} is of a smaller tier than Secure Sync")
    others = [name for name in user_types if name not in TIER[tier].user_types]
    if others:
        raise BadSetting(
            f"user types: expected some of {', '.join(TIER[tier].user_types)}, got {others[0]!r}"
        )
    check_redirects(redirect_uris, is_live=is_live)


def check_fields(fields: Mapping[str, list[str]]) -> None:
    for name in (name for listed in fields.values() for name in listed):
        if name not in view_spec.ASKABLE:
            raise BadSetting(f"field: expected some of {', '.join(view_spec.ASKABLE)}; got {name!r}")
    if torn := set(fields.get(REFUSED, ())).intersection(
        (*fields.get("required", ()), *fields.get("optional", ()))
    ):
        raise BadSetting(f"field: {min(torn)} is asked for and refused")


def check_why(why: Mapping[str, str]) -> None:
    for name, text in why.items():
        if name not in SCOPES and name not in view_spec.ASKABLE:
            raise BadSetting(f"why: {name!r} is not a scope and not a field")
        if len(text) > WHY_MAX or not text.isprintable():
            raise BadSetting(f"why: expected one line of at most {WHY_MAX} characters for {name}")


def check_redirects(uris: tuple[str, ...], *, is_live: bool = False) -> None:
    """Check redirect addresses. Errors: BadSetting for an address that logins cannot return to."""
    for uri in uris:
        _check_redirect(uri, is_live=is_live)


def _check_redirect(uri: str, *, is_live: bool) -> None:
    """A redirect address is absolute, without a fragment (RFC 6749, 3.1.2), and https if live."""
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
