"""Addresses that people type: which are valid, which are safe, and that nothing unusual gets into a header
through them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook import settings, urls
from rollbook.errors import BadSetting
from rollbook.store.accounts import application_checks

WEB = (
    "https://a.example",
    "http://a.example:8400/x?y=1",
    "https://xn--r8jz45g.jp/cb",
    "http://[::1]:3000/",
    "HTTPS://A.example",
)
NONE = (
    *("", "a.example", "//a.example", "https://", "https:///x", "https://a.example:x", "https://a.example:0"),
    *(
        "http://[::1",
        "http://例え.jp/cb",
        "https://a example/",
        "https://a.example;b/",
        "https://a.example'/",
        "https://a\n.example",
    ),
)


@pytest.mark.parametrize("address", WEB)
def test_a_web_address_has_a_host(address: str) -> None:
    assert urls.parts(address)


@pytest.mark.parametrize("address", NONE)
def test_all_else_is_none(address: str) -> None:
    assert urls.parts(address) is None
    assert urls.parts("ftp://a.example") is None
    with pytest.raises(BadSetting, match="redirect uri"):
        application_checks.check_redirects((address,))
    if address:
        with pytest.raises(BadSetting, match="public_url: expected an address"):
            settings.read({}, public_url=address)


@given(st.text() | st.builds("".join, st.tuples(st.sampled_from(("https://", "http://", "app:")), st.text())))
def test_whatever_is_typed_is_refused_or_can_stand_in_a_header(address: str) -> None:
    try:
        application_checks.check_redirects((address,))
    except BadSetting:
        return
    assert address.isascii()
    assert address.isprintable()
    assert ";" not in address.partition("://")[2].partition("/")[0].partition("?")[0]


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:3000/x", True),
        ("http://[::1]/x", True),
        ("http://a.example", False),
        ("http://localhost.a.example", False),
        ("a.example", False),
    ],
)
def test_only_what_nobody_reads_on_the_way_is_safe(address: str, is_safe: bool) -> None:
    assert urls.is_safe(address) == is_safe


@pytest.mark.parametrize("address", ["app:/back", "com.example.app://back", "https://a.example/b"])
def test_a_live_application_returns_to_https_or_to_a_program(address: str) -> None:
    application_checks.check_redirects((address,), is_live=True)


@pytest.mark.parametrize("address", ["http://a.example/b", "http://localhost:3000/b", "HTTP://localhost/b"])
def test_a_live_application_returns_to_no_plain_http(address: str) -> None:
    application_checks.check_redirects((address,))
    with pytest.raises(BadSetting, match="needs https"):
        application_checks.check_redirects((address,), is_live=True)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "https://a.example/#x"]
)
def test_what_runs_in_the_browser_or_has_a_fragment_is_no_way_back(address: str) -> None:
    with pytest.raises(BadSetting, match="redirect uri"):
        application_checks.check_redirects((address,))
