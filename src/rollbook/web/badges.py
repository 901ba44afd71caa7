"""The page of badges to print: for each person a name, a QR code that opens the sign-in page, and the letters to type instead."""

from __future__ import annotations

import segno
from markupsafe import Markup

from rollbook.store.people import Person
from rollbook.web.pages import STATIC, environment

_GROUP = 4


def page(district: str, base: str, given: list[tuple[Person, str]]) -> str:
    """The page as HTML that needs no other file."""
    shown = [(person.name, _where(person), _square(f"{base}/badge/{code}"), _grouped(code)) for person, code in given]
    style = Markup((STATIC / "badges.css").read_text("utf-8"))  # noqa: S704 - our own file
    return environment().get_template("badges.html").render(district=district, base=base, badges=shown, style=style)


def _where(person: Person) -> str:
    grade = person.record["roles"].get("student", {}).get("grade", "")
    return f"Grade {grade}" if grade else person.roles[0].replace("_", " ")


def _square(address: str) -> Markup:
    """A QR code (ISO/IEC 18004) as SVG; level M survives a scratched or creased badge."""
    svg = segno.make(address, error="m", micro=False).svg_inline(scale=3, border=4, omitsize=True)
    return Markup(svg)  # noqa: S704 - made of an address of ours


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
