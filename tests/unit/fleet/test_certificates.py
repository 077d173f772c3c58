"""What is told of certificates before the engine is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from engines.certificates import Authority
from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.certificates import tls_faults
from qrealm.fleet.containers.protocol import Endpoint


@pytest.fixture
def files(tmp_path):
    authority = Authority(tmp_path)
    return authority.path, *authority.issue("client")


def faults(ca=None, cert=None, key=None):
    return dict(tls_faults(Endpoint("docker", "tcp://127.0.0.1:1", None, ca, cert, key)))


def test_good_ones_and_none_have_no_fault(files):
    assert faults() == {}
    assert faults(files[0]) == {}
    assert faults(*files) == {}


def test_each_fault_is_of_its_file(files, tmp_path):
    ca, cert, key = files
    assert faults("/no/ca.pem", cert, key) == {"ca": "there is no file '/no/ca.pem'"}
    assert faults(ca, str(tmp_path), key) == {"cert": f"'{tmp_path}' cannot be read: Is a directory"}
    assert faults(ca, cert) == {"cert": "a cert needs a key, and there is none"}
    assert faults(ca, None, key) == {"key": "a key needs a cert, and there is none"}
    assert faults(key, cert, key) == {"ca": f"{key!r} holds no certificates as PEM"}
    assert faults(ca, cert, Authority(tmp_path).issue("other")[1]).keys() == {"cert"}


def test_a_key_with_a_password_is_a_fault(files, tmp_path):
    ca, cert, key = files
    path = tmp_path / "locked.pem"
    secret = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    path.write_bytes(secret.private_bytes(*form, serialization.BestAvailableEncryption(b"word")))
    assert "free of a password" in faults(ca, cert, str(path))["cert"]


@pytest.mark.parametrize("given", [("/no/ca.pem",), (None, None, "/no/key.pem")])
def test_the_engine_is_not_asked(given):
    """The SDK told of its own parameters, and where its documentation is."""
    pytest.importorskip("docker")
    driver = connect(Endpoint("docker", "tcp://127.0.0.1:1", None, *given))
    with pytest.raises(
        EngineUnavailableError, match=r"tcp://127.0.0.1:1: tls (ca|key): there is no file"
    ) as told:
        driver.facts()
    assert "client_cert" not in told.value.message
    assert "--tls-ca" in told.value.hint
    driver.close()
