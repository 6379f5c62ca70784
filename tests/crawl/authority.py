"""A certificate authority of the tests' own, and the certificates that TLS can be got wrong with."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


class Authority:
    """Makes certificates in a folder; `file` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lmflow tests")])
        root = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(_NOW - 400 * _DAY)
            .not_valid_after(_NOW + 10 * _DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def context(self, kind: str, alpn: str) -> ssl.SSLContext | None:
        """What a server of a behaviour wraps its connections in; None for none."""
        if kind in ("", "plain", "silent", "cut", "garbage"):
            return None
        if (kind, alpn) not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate(kind))
            if kind == "old-version":
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            if alpn:
                context.set_alpn_protocols([alpn])
            self._contexts[kind, alpn] = context
        return self._contexts[kind, alpn]

    def _certificate(self, kind: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kind)])
        host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        if kind == "wrong-name":
            host = x509.DNSName("elsewhere.test")
        signer, issuer = (key, name) if kind == "self-signed" else (self._key, self._name)
        until = _NOW - 30 * _DAY if kind == "expired" else _NOW + 10 * _DAY
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - 60 * _DAY)
            .not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([host]), False)
            .sign(signer, hashes.SHA256())
        )
        file = self._folder / f"{kind}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return file
