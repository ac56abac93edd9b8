"""The certificate of the local object store: one file that a server and its client show each other."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from persistent_session.stack.certificate import new_certificate


def context(side: int, own: Path, trusted: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(side)
    made.load_cert_chain(own)
    made.load_verify_locations(trusted)
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """What the client reads from the server that it reached at 127.0.0.1."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                connection.sendall(b"in")
        except OSError:
            theirs.close()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        with client.wrap_socket(ours, server_hostname="127.0.0.1") as connection:
            return connection.recv(2)
    finally:
        ours.close()
        serving.join()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("own", "other"):
        (tmp_path / name).write_text(new_certificate())
    return tmp_path / "own", tmp_path / "other"


def test_who_holds_the_file_is_let_in(files: tuple[Path, Path]) -> None:
    own, _ = files
    assert shake_hands(context(ssl.PROTOCOL_TLS_SERVER, own, own), context(ssl.PROTOCOL_TLS_CLIENT, own, own)) == b"in"


def test_who_holds_another_one_is_not_and_is_no_server_for_us_either(files: tuple[Path, Path]) -> None:
    own, other = files
    with pytest.raises(OSError, match=r"(?i)alert|eof|reset"):
        shake_hands(context(ssl.PROTOCOL_TLS_SERVER, own, own), context(ssl.PROTOCOL_TLS_CLIENT, other, own))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context(ssl.PROTOCOL_TLS_SERVER, other, other), context(ssl.PROTOCOL_TLS_CLIENT, own, own))


def test_no_date_and_no_clock_that_lost_its_time_closes_the_store() -> None:
    certificate = x509.load_pem_x509_certificate(new_certificate().encode())
    assert certificate.not_valid_before_utc < datetime(2001, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc.year == 9999
