"""Sign-ins that are refused before anything is sent, and passwords whose stored hash is another one's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollbook.auth import oauth, passwords, relying_party
from rollbook.auth.relying_party import Pending
from rollbook.auth.services import Services
from rollbook.errors import SignInStopped
from rollbook.store.accounts.credentials import Credential, Provider

KEYS = ("inner", "outer")
SERVICE = Provider(
    1, "District Login", "https://login.example", "rollbook", "", trusts_email=False, domain=""
)


def test_an_application_without_an_address_gets_no_answer() -> None:
    with pytest.raises(SignInStopped, match="has not registered an address to return to"):
        oauth.redirect_of([], "")


def test_a_person_who_turns_back_at_their_service_is_not_signed_in() -> None:
    pending = Pending(state="s", nonce="n", verifier="v", district=1, ask="")
    with pytest.raises(SignInStopped, match="District Login did not sign you in"):
        relying_party.finish(
            Services(), SERVICE, "secret", pending, "https://here.example/back", {"state": "s", "error": "no"}
        )


@pytest.mark.parametrize("stored", [passwords.strong("another digest"), "no hash"], ids=["another", "none"])
def test_a_password_whose_stored_hash_is_of_another_digest_fits_nobody(stored: str) -> None:
    known = Credential("5f", "student", "emmy", "", "", None)
    fresh = replace(known, verifier=passwords.verifier(KEYS, known, "open sesame"))
    assert [person.user_id for person, _ in passwords.fitting(KEYS, [fresh], "open sesame")] == ["5f"]
    assert passwords.fitting(KEYS, [replace(fresh, password=stored)], "open sesame") == []
    assert passwords.fitting(KEYS, [fresh], "sesame") == []


def test_the_password_of_an_operator_fits_its_own_hash_alone() -> None:
    stored = passwords.strong("digest")
    assert [passwords.fits(stored, "digest"), passwords.fits(stored, "other")] == [True, False]
    assert not passwords.fits("", "digest")
