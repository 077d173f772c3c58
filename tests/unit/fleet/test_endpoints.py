"""What can be wrong with an endpoint is told by its part, and nobody is spoken to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qrealm.fleet.containers.endpoints import endpoint_faults
from qrealm.fleet.containers.protocol import Endpoint

REMOTE = Endpoint("docker", "tcp://h:2376")


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("docker"),
        Endpoint("podman", "ssh://u@h"),
        Endpoint("swarm", "tcp://h:2376", member="n1"),
        Endpoint("simulated"),
        Endpoint("simulated", "simulated://n?cpus=2", folder="/x"),
        replace(REMOTE, tls_ca="/ca"),
        replace(REMOTE, tls_cert="/c", tls_key="/k"),
    ],
)
def test_endpoints(endpoint):
    assert endpoint_faults(endpoint) == {}


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (Endpoint("zonk", "foo://"), {"driver": "there is no driver 'zonk': docker, podman, swarm"}),
        (Endpoint("docker", "foo://"), {"url": "'foo://' is no url of an engine"}),
        (Endpoint("simulated", "simulated://n?cpu=2"), {"url": "is no url of a simulated engine; write"}),
        (Endpoint("swarm"), {"member": "one member of the swarm, and none is named"}),
        (Endpoint("swarm", member=""), {"member": "one member of the swarm, and none is named"}),
        (Endpoint("docker", member="x"), {"member": "only a node of the driver swarm has it"}),
        (Endpoint("docker", tls_ca="/ca"), {"tls": "only a tcp:// url can have it; the url is ''"}),
        (replace(REMOTE, tls_cert="/c"), {"tls": "a cert needs a key, and a key a cert"}),
        (replace(REMOTE, tls_key="/k"), {"tls": "a cert needs a key, and a key a cert"}),
        (Endpoint("podman", "x", "m", "/ca"), {"url": "must begin with", "member": "swarm", "tls": "tcp://"}),
    ],
)
def test_what_is_wrong(endpoint, told):
    faults = endpoint_faults(endpoint)
    assert faults.keys() == told.keys()
    assert all(words in faults[part] for part, words in told.items())
