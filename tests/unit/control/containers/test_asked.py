"""What `create` does not make, whoever asks: it is told by the rule that it breaks, and nothing is left."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from tests.unit.control.containers.homes import request

from qrealm.base.errors import RegisterError, RequestError
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import HealthCheck, Mount, Port, Restart


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"image": "--bad x"}, "is no name of an image"),
        ({"ports": (Port(80, 99_999),)}, "the ports of 'web' wrong: the port 99999 is not"),
        ({"ports": (Port(0),)}, "the port 0 is not"),
        ({"mounts": (Mount("../x", "/a"),)}, "the volumes of 'web' wrong"),
        ({"health": HealthCheck(("x",), timeout_s=float("nan"))}, "its timeout must be from 1 ms"),
        ({"health": HealthCheck(("x",), interval_s=1e300)}, "its interval must be from 1 ms"),
        ({"labels": {"io.qrealm.engine": "x"}}, "is qrealm's own"),
        ({"restart": Restart("no", 3)}, "only on-failure takes"),
    ],
)
def test_a_container_that_cannot_be(home, fields, told):
    wanted = request("web")
    with pytest.raises(RequestError, match=told):
        home.engine.lifecycle.create(replace(wanted, spec=replace(wanted.spec, **fields)))
    assert home.store.containers.all() == ()


@pytest.mark.parametrize("cluster", ["../x y", "", "a\n", "a" * 129])
def test_a_cluster_that_cannot_be(home, cluster):
    with pytest.raises(RequestError, match="create got the cluster"):
        home.create("web", cluster=cluster)
    assert home.store.containers.all() == ()


@pytest.mark.parametrize(
    "value", [10**5000, -1, float("nan"), float("inf")], ids=("large", "below", "nan", "infinite")
)
@pytest.mark.parametrize("name", ["probability", "weight"])
def test_a_register_that_cannot_be(home, name, value):
    with pytest.raises(RegisterError, match=f"create got quantum_{name}="):
        home.create("web", **{name: value})
    assert home.store.containers.all() == ()


@pytest.mark.parametrize("value", [0, 1e-9, 1e9])
def test_weights_at_their_bounds(home, value):
    """Each beside one of 1: both can still be weighed."""
    home.create("web", weight=value)
    home.create("other")
    home.engine.balancing.rebalance()
    assert home.record("web").quantum.weight == value


@pytest.mark.parametrize("value", [1e-10, 1.1e9, 1e100, 1e-200])
def test_weights_that_cannot_be_weighed(home, value):
    with pytest.raises(RegisterError, match=r"quantum_weight=.*; it must be 0, or from 1e-09 to 1e\+09"):
        home.create("web", weight=value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(1), Fraction(1, 2), True, "0.5", None])
@pytest.mark.parametrize("name", ["probability", "weight"])
def test_a_register_is_made_of_pythons_own_numbers(name, value):
    with pytest.raises(RequestError, match=f"QuantumSpec got the {name} .*; the rule is a number"):
        QuantumSpec(**{name: value})
