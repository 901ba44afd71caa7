"""How pages are made: one set of templates, the addresses of static files, and the headers that keep a page
to itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

_HERE = Path(__file__).parent.parent
STATIC = _HERE / "static"


def safety(form_action: str = "'none'") -> dict[str, str]:
    """Headers of every page: no inline script or style, no other host, no frame around it, no address passed
    on.

    `form_action` says where forms may lead, redirects included.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def environment(**shared: object) -> Environment:
    """The templates, with what all of them may use."""
    pages = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.globals.update(asset=asset, **shared)
    return pages


def asset(name: str) -> str:
    """Address of a static file; it changes with the content, so that a browser may keep the file for a
    year."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
