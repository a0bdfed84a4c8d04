"""Trust the usual certificate authorities, and those of a company of one's own."""

import hashlib
import os
import re
import ssl
from collections.abc import Iterable, MutableMapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import certifi

from connectors.errors import Rejected

SHARED: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Variables with a file of authorities: of OpenSSL and httpx, requests, curl, and boto3. Each of
these knows its own, and trusts nothing besides that file."""

VARIABLES: Final = (*SHARED, "SSL_CERT_DIR")
"""Variables that other programs take authorities from; a file or a folder."""

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN (TRUSTED )?CERTIFICATE-----.+?-----END (TRUSTED )?CERTIFICATE-----", re.DOTALL
)

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
    return _context(_given(ca_bundle, os.environ))


def share(
    ca_bundle: Path | None, folder: Path, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Let all libraries of this process and its children trust what `tls_context` trusts.

    Writes the authorities into one file of the folder, and names it in the variables that libraries
    read, so that one setting serves downloads of weights and buckets too. Without any setting
    nothing changes.

    Raises:
        Rejected: naming the setting whose file cannot be read, or the folder.
    """
    given = _given(ca_bundle, environment)
    if not given or all(Path(environment.get(name, "")).parent == folder for name in SHARED):
        return  # nothing to share, or the parent process did so
    _context(given)  # refuses what cannot be read
    text = "\n".join(dict.fromkeys(_certificates([("", certifi.where()), *given]))) + "\n"
    path = folder / f"{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.pem"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
    except OSError as exc:
        why = f"the certificate authorities cannot be written to {folder} ({exc.strerror})"
        raise Rejected(why, "May this user write into AUTOLABEL_DATA_DIR?") from exc
    environment.update(dict.fromkeys(SHARED, str(path)))


def _given(
    ca_bundle: Path | None, environment: MutableMapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return the settings that name authorities, with their files or folders."""
    found = [("AUTOLABEL_CA_BUNDLE", str(ca_bundle or ""))]
    found += [(name, environment.get(name, "")) for name in VARIABLES]
    return tuple((name, path) for name, path in found if path)


def _certificates(given: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Yield the certificates in files and folders, each in PEM format."""
    for _, place in given:
        root = Path(place)
        for path in sorted(root.iterdir()) if root.is_dir() else [root]:
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                yield from (found.group() for found in _CERTIFICATE.finditer(text))


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
