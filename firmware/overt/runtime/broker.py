"""Where a broker is and how the two sides know each other. No connection is made here."""

import ipaddress
import ssl
from pathlib import Path

import msgspec


class BadFiles(Exception):
    """The TLS files cannot be used. The message names them."""


class Tls(msgspec.Struct, frozen=True):
    """The files of mutual TLS: whom to trust, and who we are."""

    authority: Path
    certificate: Path
    key: Path


class Broker(msgspec.Struct, frozen=True):
    """Where a broker is."""

    host: str
    port: int
    tls: Tls | None

    def __str__(self) -> str:
        """Return host and port."""
        return f"{self.host}:{self.port}"


def broker_at(host: str, port: int, folder: Path, names: tuple[str, str, str]) -> Broker:
    """Return a broker, with the TLS files of a folder.

    Args:
        host: Name or address.
        port: TCP port.
        folder: Where the files are.
        names: File names of the authority's certificate, our certificate and our key.

    Raises:
        ValueError: Some of the files are missing; all are, and the broker is not on this machine.
    """
    files = [folder / name for name in names]
    missing = [file for file in files if not file.is_file()]
    if not missing:
        return Broker(host, port, Tls(*files))
    if len(missing) == len(files) and is_loopback(host):
        return Broker(host, port, None)
    raise ValueError(
        f"expected {', '.join(str(file) for file in files)}, found no {', '.join(file.name for file in missing)}: "
        "a broker on another machine is reached over TLS with a client certificate, and in no other way"
    )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, without asking anybody's name server."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a context that trusts one authority alone and shows our certificate.

    Raises:
        BadFiles: A file is missing or not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(tls.authority)
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")  # never ask at a terminal
    except (OSError, ssl.SSLError) as error:
        raise BadFiles(
            f"expected PEM files {tls.authority.name}, {tls.certificate.name} and {tls.key.name} in "
            f"{tls.certificate.parent}, found unusable ones ({reason_of(error)})"
        ) from error
    return context


def reason_of(error: OSError) -> str:
    """Say what the system said, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror or str(error)).splitlines()[0][:160] if str(error) else type(error).__name__
