"""What is told of an engine that does not answer: the cause in its own words, and where to look."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, suppress

import pytest

from engines.free_ports import free_port
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.connection import cause_of
from qrealm.fleet.containers.protocol import Endpoint

pytest.importorskip("docker")


def told(url, timeout_s=20.0, name="docker"):
    """Message without its beginning, and hint."""
    with closing(connect(Endpoint(name, url), timeout_s)) as driver:
        with pytest.raises(EngineUnavailableError) as caught:
            driver.facts()
        begin, _, words = caught.value.message.partition(": the engine does not answer: ")
        assert f" at {url}: " in begin
        return words, caught.value.hint


def test_a_host_where_nobody_listens():
    url = f"tcp://127.0.0.1:{free_port()}"
    words, hint = told(url)
    assert words == "Connection refused"
    assert hint.startswith(
        f"check on 127.0.0.1 that the engine runs and listens at {url.removeprefix('tcp://')}"
    )
    assert "systemctl" not in hint


def test_a_host_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        words, hint = told(f"tcp://127.0.0.1:{mute.getsockname()[1]}", 0.3)
    assert words == "timed out"
    assert "within 0.3 s" in hint


def test_a_host_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with suppress(OSError):  # it is closed at the end
                while True:
                    with server.accept()[0] as caller:
                        caller.recv(1 << 16)

        threading.Thread(target=answer, daemon=True).start()
        words, hint = told(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    assert words == "Remote end closed connection without response"
    assert "listens at" in hint


@pytest.mark.parametrize("name", ["docker", "podman", "swarm"])
def test_a_socket_that_is_not_there(tmp_path, name):
    words, hint = told(f"unix://{tmp_path}/none.sock", name=name)
    assert words == "No such file or directory"
    assert "systemctl start " in hint


def wrapped(inner):
    """As requests and urllib3 hand an error on."""
    outer = OSError("HTTPConnectionPool(host='maple', port=2376): Max retries exceeded with url: /version")
    outer.reason = inner
    return ConnectionError(outer)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (
            ssl.SSLCertVerificationError(
                1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)"
            ),
            "certificate verify failed",
        ),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "wrong version number",
        ),
        (TimeoutError("timed out"), "timed out"),
        (EOFError(), "EOFError"),
    ],
)
def test_the_innermost_cause_is_told(error, words):
    assert cause_of(wrapped(error)) == words
    assert cause_of(error) == words
    error.__context__ = ValueError("what was being dealt with when the call was made")
    assert cause_of(error) == words
