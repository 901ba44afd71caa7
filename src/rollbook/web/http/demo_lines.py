"""What a demo's pages and its command both show: lines for a terminal, and the page that stands for an application."""

from __future__ import annotations

# In a demo: a page that stands for a developer's application that does not exist yet.
ARRIVED = "/demo/arrived"


def curl_lines(base_url: str, token: str, basic: str | None = None) -> tuple[str, ...]:
    """Three lines to paste into a terminal, with double quotes, which mean the same in every shell."""
    base = base_url.rstrip("/")
    bearer = f'curl -H "Authorization: Bearer {token}" "{base}/v3.0'
    tokens = f'curl -H "Authorization: Basic {basic}" "{base}/oauth/tokens?owner_type=district"'
    return (
        f'{bearer}/users?role=teacher&limit=3"',
        f'{bearer}/sections?limit=1"',
        tokens if basic else f'{bearer}/users?count=true"',
    )
