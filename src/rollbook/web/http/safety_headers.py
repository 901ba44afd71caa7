"""The headers that isolate a page from other sites."""

from __future__ import annotations


def safety(form_action: str = "'none'") -> dict[str, str]:
    """Headers of every page: no inline script or style, no other host, no framing, no referrer.

    `form_action` says where forms may lead, with their redirects.
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
