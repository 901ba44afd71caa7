"""The paths beside the records, as rows: who is signed in (Identity), and how an application gets a token
(OAuth).

Their part of the OpenAPI document, the reference pages and the Explorer are made from these rows. Sources:
protocol.md 1 to 3. `rollbook.web.oauth` and `rollbook.web.data` answer the paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rollbook.contract.clever.fields import NONE, Field, G, N, V

# What a request must send: a person's token, any token, an application's id and secret, or nothing.
Credential = Literal["user token", "token", "client", "none"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, in the address (`query`) or in the body's form (`form`)."""

    name: str
    help: str
    place: Literal["query", "form"] = "query"
    is_required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignInOperation:
    """One operation.

    `answer` is the shape of a good answer, blank if the answer is a redirect or a page. `failures` are pairs
    of status and name of the answer in the OpenAPI document. `is_limited`: requests count against the rate
    limit. `is_versioned`: the path begins with the version.
    """

    path: str
    operation: str
    tag: str
    summary: str
    takes: Credential
    answer: str
    method: Literal["get", "post"] = "get"
    parameters: tuple[Parameter, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    is_limited: bool = False
    is_versioned: bool = False
    help: str = ""


# The headings of the operations.
TAGS: tuple[tuple[str, str], ...] = (
    ("Identity", "Who is signed in, for the holder of a user token."),
    ("OAuth", "How an application gets its tokens, and what a token is for."),
)

_OF_A_USER_TOKEN = (
    ("401", "Unauthorized"),
    ("404", "NoSuchEndpoint"),
    ("429", "TooManyRequests"),
    ("500", "InternalError"),
)
_AUTHORIZE = (
    Parameter("client_id", "The application's id.", is_required=True),
    Parameter("response_type", "What to send back.", values=("code",)),
    Parameter("redirect_uri", "Where to send it: a registered address. Without it, the first one."),
    Parameter("state", "Sent back unchanged; proves that the answer belongs to this request."),
    Parameter("district_id", "The district whose login page opens, without a list of districts."),
    Parameter("nonce", "Stands in the id token, for applications with OpenID Connect."),
    Parameter("code_challenge", "PKCE (RFC 7636): the challenge that the exchange must answer."),
    Parameter("code_challenge_method", "How the challenge was made.", values=("S256", "plain")),
    Parameter("prompt", "`login`: sign in again. `none`: show no page, and send an error instead."),
    Parameter("max_age", "Sign in again if the last sign-in is older than this many seconds."),
    Parameter("confirmed", "`false`: ask a student whether this is their account.", values=("true", "false")),
    Parameter(
        "return_unshared",
        "`true`: a person whom the district does not share comes back with an error.",
        values=("true", "false"),
    ),
)
_EXCHANGE = (
    Parameter("grant_type", "What is exchanged.", "form", is_required=True, values=("authorization_code",)),
    Parameter("code", "The code that the redirect brought. It is good once.", "form", is_required=True),
    Parameter(
        "redirect_uri", "The address that the code was sent to, to the letter.", "form", is_required=True
    ),
    Parameter("code_verifier", "PKCE (RFC 7636): the answer to the challenge.", "form"),
)
_LIST_TOKENS = (
    Parameter("owner_type", "Only `district` has tokens of this kind.", values=("district",)),
    Parameter("district", "Only the token of the district with this id."),
)

SIGN_IN_OPERATIONS: tuple[SignInOperation, ...] = (
    SignInOperation(
        "/me",
        "getMe",
        "Identity",
        "Get who is signed in",
        "user token",
        "Me",
        failures=_OF_A_USER_TOKEN,
        is_limited=True,
        is_versioned=True,
        help="The person of a user token. The role stands in the record at the `canonical` link.",
    ),
    SignInOperation(
        "/me",
        "getMeUnversioned",
        "Identity",
        "Get who is signed in, without a version",
        "user token",
        "Me",
        failures=_OF_A_USER_TOKEN,
        is_limited=True,
        help="The same as under the newest version; old clients call it.",
    ),
    SignInOperation(
        "/userinfo",
        "getUserInfo",
        "Identity",
        "Get the claims of who is signed in",
        "user token",
        "UserInfo",
        failures=_OF_A_USER_TOKEN,
        is_limited=True,
        help="The userinfo endpoint of OpenID Connect. It names the role of this login only.",
    ),
    SignInOperation(
        "/oauth/authorize",
        "authorize",
        "OAuth",
        "Send a person to sign in",
        "none",
        "",
        parameters=_AUTHORIZE,
        failures=(("400", "SignInStopped"), ("403", "SignInStopped")),
        help="An application sends the person's browser here. It comes back to the redirect address with a code.",
    ),
    SignInOperation(
        "/oauth/tokens",
        "exchangeCode",
        "OAuth",
        "Exchange a code for a user token",
        "client",
        "UserToken",
        method="post",
        parameters=_EXCHANGE,
        failures=(("400", "OAuthRefused"), ("401", "OAuthRefused"), ("503", "OAuthRefused")),
        help="A code that comes a second time ends the token that was made from it.",
    ),
    SignInOperation(
        "/oauth/tokens",
        "getTokens",
        "OAuth",
        "List the district tokens of an application",
        "client",
        "TokensResponse",
        parameters=_LIST_TOKENS,
        failures=(("401", "OAuthRefused"),),
    ),
    SignInOperation(
        "/oauth/tokeninfo",
        "getTokenInfo",
        "OAuth",
        "Get the application and the scopes of a token",
        "token",
        "TokenInfo",
        failures=(("401", "Unauthorized"),),
    ),
    SignInOperation(
        "/.well-known/openid-configuration",
        "getOpenidConfiguration",
        "OAuth",
        "Get the addresses and abilities of OpenID Connect",
        "none",
        "OpenidConfiguration",
    ),
    SignInOperation(
        "/oauth/certs",
        "getCerts",
        "OAuth",
        "Get the public keys of id tokens",
        "none",
        "SigningKeys",
        help="The newest key stands first. An old one stays until the last token that it signed has ended.",
    ),
)


def _lists(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "array", G) for name in names)


_SCOPES = Field("scopes", "array", G, help="In alphabetical order.")
_LINKS = Field("links", "array", G, of="Link", help="`self` comes first.")
_AUTHORIZED_BY = Field(
    "authorized_by",
    promise=G | V,
    enum=("district", "teacher"),
    help="Who let the application in: the district, or a teacher for their own classes (Library).",
)
_ROLE = Field(
    "user_type",
    promise=G | V,
    enum=("student", "teacher", "staff", "district_admin"),
    help="The role of this login; a person may have more.",
)
_EMAIL = Field("email", promise=N, help="As the SIS has it; absent without one.")

SIGN_IN_SHAPES: dict[str, tuple[Field, ...]] = {
    "Me": (
        Field("type", promise=G | V, enum=("user",), help="The same for every role."),
        Field("data", "object", G, of="MeData"),
        Field("links", "array", G, of="Link", help="`self`, `canonical` (the record) and `district`."),
    ),
    "MeData": (
        Field("id", promise=G | V, help="Id of the person's record."),
        Field("district", promise=N | V, help="Id of the district; absent if a teacher let it in."),
        Field("type", promise=G | V, enum=("user",)),
        _AUTHORIZED_BY,
    ),
    "UserInfo": (
        Field("sub", promise=G | V, help="Id of the person's record."),
        Field("user_id", promise=G | V, help="The id that this role had before v3.0."),
        Field("multi_role_user_id", promise=G | V, help="The same as `sub`."),
        _ROLE,
        _EMAIL,
        Field("email_verified", "boolean", G, help="Always `false`: nobody has checked the address."),
        Field("given_name", promise=NONE, help="First name."),
        Field("family_name", promise=NONE, help="Last name."),
        Field("name", "object", G, of="Name", help="An object, although OpenID Connect has a string."),
        Field("schools", "array", G, help="Ids of the schools of this role; `[]` for District SSO."),
        Field("district", promise=N | V, help="Id of the district; absent if a teacher let it in."),
        Field("district_id", promise=N | V, help="The same as `district`."),
        _AUTHORIZED_BY,
    ),
    "UserToken": (
        Field(
            "access_token", promise=G, help="The user token: `il` and 38 letters and digits. Good for a day."
        ),
        Field("token_type", promise=G, enum=("bearer",)),
        Field("id_token", promise=N, help="A signed token, for applications with OpenID Connect."),
    ),
    "TokensResponse": (
        Field("data", "array", G, of="Token", help="One for each district that is connected."),
        _LINKS,
    ),
    "Token": (
        Field("id", promise=G),
        Field("created", promise=G, format="date-time", help="When the district was connected, UTC."),
        Field("owner", "object", G, of="TokenOwner"),
        Field("access_token", promise=G, help="The bearer token: 40 hex characters."),
        _SCOPES,
    ),
    "TokenOwner": (
        Field("type", promise=G, enum=("district",)),
        Field("id", promise=G, help="Id of the district."),
    ),
    "TokenInfo": (Field("client_id", promise=G, help="The application that the token belongs to."), _SCOPES),
    "OpenidConfiguration": (
        Field("issuer", promise=G, help="Stands in each id token as `iss`."),
        Field("authorization_endpoint", promise=G),
        Field("token_endpoint", promise=G),
        Field("userinfo_endpoint", promise=G),
        Field("jwks_uri", promise=G, help="Where the public keys are."),
        *_lists(
            "response_types_supported",
            "response_modes_supported",
            "grant_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
            "scopes_supported",
            "token_endpoint_auth_methods_supported",
            "code_challenge_methods_supported",
            "claims_supported",
        ),
        Field("authorization_response_iss_parameter_supported", "boolean", G),
        Field("claims_parameter_supported", "boolean", G),
        Field("request_parameter_supported", "boolean", G),
        Field("request_uri_parameter_supported", "boolean", G),
    ),
    "SigningKeys": (Field("keys", "array", G, of="SigningKey"),),
    "SigningKey": (
        Field("kid", promise=G, help="Names the key; an id token says which one signed it."),
        Field("kty", promise=G, enum=("RSA",)),
        Field("use", promise=G, enum=("sig",)),
        Field("alg", promise=G, enum=("RS256",)),
        Field("n", promise=G, help="The modulus, base64url."),
        Field("e", promise=G, help="The exponent, base64url."),
    ),
    "OAuthError": (
        Field("error", promise=G, help="A code of RFC 6749, such as `invalid_grant`."),
        Field("error_description", promise=G, help="What was wrong, in words."),
    ),
}
