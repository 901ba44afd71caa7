"""The address of a page of the Explorer, for links from other pages."""

from __future__ import annotations

from rollbook.contract.clever import versions

HOME = "/explorer"


def address(path: str, *asked: str, version: str = versions.DEFAULT) -> str:
    """The page for a path below the version's; `asked` are parts of its query, without blank ones.

    A version other than the default one is named in the query.
    """
    number = version.lower().removeprefix("v")
    parts = [*asked, f"version={number}" if f"v{number}" != versions.DEFAULT else ""]
    query = "&".join(filter(None, parts))
    return f"{HOME}{path}{'?' if query else ''}{query}"
