"""Trust the usual certificate authorities, and those of a company of one's own."""

import os
import ssl
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import certifi

from connectors.errors import Rejected

VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that other programs take authorities from; a file or a folder."""

HINT: Final = (
    "Set AUTOLABEL_CA_BUNDLE to the file of the certificate authority that signed it (PEM);"
    " SSL_CERT_FILE and REQUESTS_CA_BUNDLE are honoured too"
)


def tls_context(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts the authorities of certifi and all those that are set.

    Args:
        ca_bundle: further authorities: a PEM file, or a folder as OpenSSL hashes it.

    Raises:
        Rejected: naming the setting whose file cannot be read.
    """
    given = [("AUTOLABEL_CA_BUNDLE", str(ca_bundle or ""))]
    given += [(name, os.environ.get(name, "")) for name in VARIABLES]
    return _context(tuple((name, path) for name, path in given if path))


@cache
def _context(given: Sequence[tuple[str, str]]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    for name, path in given:
        is_folder = Path(path).is_dir()
        try:
            context.load_verify_locations(
                cafile=None if is_folder else path, capath=path if is_folder else None
            )
        except (OSError, ValueError) as exc:
            raise Rejected(
                f"{name}: {path} has no certificates that can be read ({exc})",
                "Set it to a file with certificates in PEM format",
            ) from exc
    return context


def certificate_fault(exc: BaseException) -> str:
    """Return why a certificate was refused, "" if an error has another cause."""
    found: BaseException | None = exc
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return found.verify_message or str(found)
        found = found.__cause__ or found.__context__
    return str(exc) if "CERTIFICATE_VERIFY_FAILED" in str(exc) else ""
