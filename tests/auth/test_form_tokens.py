"""The token of a form: it fits one browser, and each one looks different."""

from __future__ import annotations

import pytest

from rollbook.auth.cookies import Jar

JAR = Jar(b"key", is_secure=False)


def test_each_token_of_a_browser_looks_different_and_fits_it_alone() -> None:
    tokens = {JAR.form_token("browser") for _ in range(20)}
    assert len(tokens) == 20
    assert len({token[:16] for token in tokens}) == 20
    assert all(JAR.is_ours("browser", token) for token in tokens)
    assert not any(JAR.is_ours("another", token) for token in tokens)
    assert not any(JAR.for_console().is_ours("browser", token) for token in tokens)


@pytest.mark.parametrize("token", ["", "x", "é", "00", "0" * 64, "0" * 128, "0" * 130])
def test_another_text_fits_no_browser(token: str) -> None:
    assert not JAR.is_ours("browser", token)
    assert not JAR.is_ours("", token)


def test_a_token_with_more_or_less_than_the_browsers_fits_no_browser() -> None:
    token = JAR.form_token("browser")
    for other in (token[:-2], f"{token}00"):
        assert not JAR.is_ours("browser", other)
    assert not JAR.is_ours("", token)
