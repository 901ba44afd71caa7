"""A certificate for the API's original host names on this machine, from an authority that may certify only
these names.

The authority's key signs one certificate and is then discarded, so nobody can make another one with it.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rollbook.contract.clever.versions import HOSTS
from rollbook.demo.demo_folder import AUTHORITY, CERTIFICATE, CERTIFICATE_KEY, TLS
from rollbook.demo.original_names import Files

DAYS = 365
# A certificate that expires sooner is replaced.
DAYS_LEFT_MIN = 14


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority and its key, which is never written."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ready(folder: Path) -> Files:
    """The files of a demo's folder, made if they are missing or expire soon."""
    place = folder / TLS
    files = Files(*(place / name for name in (AUTHORITY, CERTIFICATE, CERTIFICATE_KEY)))
    if not _is_good(files):
        place.mkdir(mode=0o700, exist_ok=True)
        authority = new_authority()
        key = ec.generate_private_key(ec.SECP256R1())
        signed = certificate(authority, key.public_key(), HOSTS)
        _write(files.key, _as_text(key))
        _write(files.certificate, signed.public_bytes(serialization.Encoding.PEM))
        _write(files.authority, authority.certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return files


def new_authority() -> Authority:
    """An authority that may certify only the names in `HOSTS` and below, and no addresses (RFC 5280,
    4.2.1.10)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"Rollbook demo on this machine, {datetime.now(UTC):%Y-%m-%d}"
            )
        ]
    )
    everything = [x509.IPAddress(ipaddress.ip_network(net)) for net in ("0.0.0.0/0", "::/0")]
    builder = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.NameConstraints([x509.DNSName(host) for host in HOSTS], everything), critical=True
        )
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def certificate(
    authority: Authority, public_key: ec.EllipticCurvePublicKey, hosts: tuple[str, ...]
) -> x509.Certificate:
    """A server's certificate for some names."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    signer = authority.key.public_key()
    builder = (
        _builder(name, authority.certificate.subject, public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # An hour ago: the clock of a container may be behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _is_good(files: Files) -> bool:
    try:
        authority, known = (
            x509.load_pem_x509_certificate(path.read_bytes()) for path in (files.authority, files.certificate)
        )
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        known.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, x509.InvalidVersion):
        return False
    except Exception:  # the library raises its own error for a signature of another authority
        return False
    named = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_lasting = known.not_valid_after_utc > datetime.now(UTC) + timedelta(days=DAYS_LEFT_MIN)
    return (
        is_lasting
        and tuple(named.get_values_for_type(x509.DNSName)) == HOSTS
        and key.public_key() == known.public_key()
    )


def _as_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file by a new one that only its owner can ever read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
