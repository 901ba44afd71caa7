"""Unmodified clients of the Clever API sign people in at a running server; only the base addresses are
changed."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import django
import pytest
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings as django_settings
from django.core.management import call_command
from httpx import Client
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.sso import Browser, World

django_settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:allauth?mode=memory&cache=shared"}
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.clever",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    ROOT_URLCONF="tests.journeys.allauth_urls",
    SOCIALACCOUNT_LOGIN_ON_GET=True,
    ACCOUNT_EMAIL_VERIFICATION="none",
    LOGIN_REDIRECT_URL="/done",
    USE_TZ=True,
)
django.setup()

with warnings.catch_warnings():
    # Django must be set up before its models are imported; these packages may import deprecated modules.
    warnings.simplefilter("ignore")
    from allauth.socialaccount.models import SocialAccount
    from allauth.socialaccount.providers.clever.views import CleverOAuth2Adapter
    from django.test import Client as DjangoClient
    from social_core.backends.clever import CleverOAuth2
    from social_core.storage import BaseStorage, NonceMixin
    from social_core.strategy import BaseStrategy

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _sockets_left_open_by_clients() -> Iterator[None]:
    """Collect here what these packages leave open, not in a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def test_django_allauth_logs_a_teacher_in(
    sso_world: World, sso_server: str, person: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CleverOAuth2Adapter, "access_token_url", f"{sso_server}/oauth/tokens")
    monkeypatch.setattr(CleverOAuth2Adapter, "authorize_url", f"{sso_server}/oauth/authorize")
    monkeypatch.setattr(CleverOAuth2Adapter, "identity_url", f"{sso_server}/v3.0/me")
    monkeypatch.setattr(CleverOAuth2Adapter, "user_details_url", f"{sso_server}/v3.0/users")
    club = sso_world.club(f"allauth {sso_server}", "http://site.example/accounts/clever/login/callback/")
    app = {"client_id": club.client_id, "secret": club.secret}
    monkeypatch.setattr(django_settings, "SOCIALACCOUNT_PROVIDERS", {"clever": {"APP": app}}, raising=False)
    call_command("migrate", verbosity=0)
    # Both databases have the same people: the site must not remember those of the other one.
    call_command("flush", verbosity=0, interactive=False)
    site = DjangoClient(headers={"host": "site.example"})

    begun = site.get("/accounts/clever/login/")
    arrived = person.log_in(begun.headers["location"], "lund")
    parts = urlsplit(arrived)
    done = site.get(f"{parts.path}?{parts.query}")

    assert (done.status_code, done.headers["location"]) == (302, "/done")
    account = SocialAccount.objects.get(uid=sso_world.ids["lund"])
    assert (account.user.first_name, account.user.last_name, account.user.email) == (
        "Lars",
        "Lund",
        "lund@example.org",
    )
    assert account.user.username == "lundl"


class _Nonces(NonceMixin):
    """Values for one use, kept in memory."""

    kept: ClassVar[set[tuple[str, int, str]]] = set()

    @classmethod
    def use(cls, server_url: str, timestamp: int, salt: str) -> bool:
        cls.kept.add((server_url, timestamp, salt))
        return True

    @classmethod
    def consume(cls, server_url: str, timestamp: int, salt: str) -> bool:
        known = (server_url, timestamp, salt) in cls.kept
        cls.kept.discard((server_url, timestamp, salt))
        return known


class _Storage(BaseStorage):
    nonce = _Nonces


class _Strategy(BaseStrategy[str]):
    """What a framework gives to python-social-auth: settings, a session, a request."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__(_Storage)
        self.settings = settings
        self.session: dict[str, Any] = {}
        self.data: dict[str, str] = {}

    def get_setting(self, name: str) -> Any:
        return self.settings[name]

    def request_data(self, merge: bool = True) -> Any:
        return self.data

    def session_get(self, name: str, default: Any = None) -> Any:
        return self.session.get(name, default)

    def session_set(self, name: str, value: Any) -> None:
        self.session[name] = value

    def session_pop(self, name: str) -> Any:
        return self.session.pop(name, None)

    def build_absolute_uri(self, path: str | None = None) -> str:
        return f"http://site.example{path or ''}"

    def request_host(self) -> str:
        return "site.example"

    def redirect(self, url: str) -> str:
        return url


def test_python_social_auth_logs_a_student_in(
    sso_world: World, sso_server: str, person: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CleverOAuth2, "AUTHORIZATION_URL", f"{sso_server}/oauth/authorize")
    monkeypatch.setattr(CleverOAuth2, "ACCESS_TOKEN_URL", f"{sso_server}/oauth/tokens")
    club = sso_world.club(f"social {sso_server}", "http://site.example/complete/clever/")
    strategy = _Strategy({"SOCIAL_AUTH_CLEVER_KEY": club.client_id, "SOCIAL_AUTH_CLEVER_SECRET": club.secret})
    backend: Any = CleverOAuth2(strategy, redirect_uri="/complete/clever/")
    asked = backend.get_json
    # The two data addresses are inside a method, so they are redirected here.
    monkeypatch.setattr(
        backend,
        "get_json",
        lambda url, **more: asked(url.replace("https://api.clever.com", sso_server), **more),
    )

    arrived = person.log_in(backend.auth_url(), "amy")
    backend.data = strategy.data = dict(parse_qsl(urlsplit(arrived).query))
    backend.validate_state()
    token = backend.request_access_token(
        backend.access_token_url(),
        data=backend.auth_complete_params(strategy.data["state"]),
        headers=backend.auth_headers(),
        auth=backend.auth_complete_credentials(),
        method=backend.ACCESS_TOKEN_METHOD,
    )
    record = backend.user_data(token["access_token"])

    assert backend.get_user_id({}, record) == sso_world.ids["amy"]
    assert backend.get_user_details(record) == {
        "username": "amya",
        "email": "amy@example.org",
        "fullname": None,
        "first_name": "Amy",
        "last_name": "Adams",
        "user_type": "student",
    }


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_logs_in_by_discovery_with_a_challenge_and_verifies_the_id_token(
    sso_world: World, sso_server: str, person: Browser, method: str
) -> None:
    club = sso_world.club(f"authlib {method} {sso_server}", "http://site.example/authlib")
    known = Client().get(f"{sso_server}/.well-known/openid-configuration").json()
    client = OAuth2Session(
        club.client_id,
        club.secret,
        scope="openid email profile",
        redirect_uri="http://site.example/authlib",
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
    )
    verifier = "v" * 43
    address, state = client.create_authorization_url(
        known["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
    )

    arrived = person.log_in(address, "gil")
    token = client.fetch_token(
        known["token_endpoint"], authorization_response=arrived, state=state, code_verifier=verifier
    )
    keys = KeySet.import_key_set(Client().get(known["jwks_uri"]).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
    userinfo = client.get(known["userinfo_endpoint"]).json()

    assert (claims["iss"], claims["aud"], claims["nonce"]) == (known["issuer"], club.client_id, "n-1")
    assert claims["sub"] == userinfo["sub"] == sso_world.ids["gil"]
    assert claims["user_type"] == "district_admin"
