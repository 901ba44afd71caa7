"""The headers that keep a page to itself."""

from __future__ import annotations


def safety(form_action: str = "'none'") -> dict[str, str]:
    """Headers of every page: no inline script or style, no other host, no frame around it, no address passed
    on.

    `form_action` says where forms may lead, redirects included.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
