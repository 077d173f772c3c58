"""What drivers for real engines promise of networks that they make; the contract tests run it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from engines.promises import NAMES, wait_for
from qrealm.base.errors import EngineRefusalError, ImageError
from qrealm.fleet.containers.protocol import ContainerSpec


@contextmanager
def raw(url):
    """The SDK's own client: a second opinion on what the driver did."""
    import docker

    client = docker.APIClient(base_url=url, version="auto", timeout=60)
    try:
        yield client
    finally:
        client.close()


class NetworkPromises:
    """Part of the suite of real engines.

    Attributes:
        network_kind: what the engine calls the kind of network that is made.
        why_no_names: why containers of a network do not find each other by name, where they do not.
    """

    network_kind = "bridge"
    why_no_names = None

    def test_names_lead_to_containers_of_a_network_that_is_made(self, driver, make):
        if self.why_no_names:
            pytest.skip(self.why_no_names)
        own = {"network": f"{next(NAMES)}_default", "network_made": True}
        names = [next(NAMES), next(NAMES)]
        serve = ("httpd", "-f", "-p", "8080", "-h", "/etc")
        first, second = (make(serve, name=name, aliases=("api",), **own) for name in names)
        asking, stranger = make(**own), make(network=f"{next(NAMES)}_default", network_made=True)
        for engine_id in (first, second, asking, stranger):
            driver.start(engine_id)
        for name in (*names, "api"):
            page = ("wget", "-q", "-O", "-", f"http://{name}:8080/passwd")
            told = wait_for(lambda page=page: self.run(driver, asking, *page)[0])
            assert told == "root:x:0:0::/:/bin/sh\n"
        assert self.run(driver, stranger, *page)[2] != 0
        driver.stop(first, 5.0)
        wait_for(lambda: self.run(driver, asking, *page)[2] == 0)  # names are told on, no sooner than that

    def test_a_network_is_there_as_long_as_a_container_of_it(self, driver, endpoint, make):
        name, theirs = f"{next(NAMES)}_default", f"{next(NAMES)}_default"
        own = {"network": name, "network_made": True, "labels": {"io.qrealm.engine": "e31"}}
        other = {"network": theirs, "network_made": True, "labels": {"io.qrealm.engine": "e32"}}
        with raw(endpoint.url) as client:

            def there():
                return {network["Name"] for network in client.networks()} & {name, theirs}

            with ThreadPoolExecutor(4) as pool:
                ids = list(pool.map(lambda _: make(**own), range(4)))
            assert [network["Name"] for network in client.networks()].count(name) == 1
            with pytest.raises(ImageError):
                driver.create(ContainerSpec(next(NAMES), self.missing_image, **other))
            assert there() == {name}
            driver.start(ids[0])
            alone = make(**other)
            for engine_id in (ids[0], *ids[2:]):
                driver.remove(engine_id, force=True)
            assert there() == {name, theirs}
            driver.remove(alone, force=True)
            assert there() == {name}
            driver.remove(ids[1], force=True)
            assert there() == set()

    def test_a_network_of_somebody_else_is_left_alone(self, driver, endpoint, make):
        name = f"{next(NAMES)}_default"
        with raw(endpoint.url) as client:
            client.create_network(name, driver=self.network_kind)
            try:
                with pytest.raises(EngineRefusalError, match="was not made for it") as caught:
                    make(network=name, network_made=True)
                assert f"docker network rm {name}" in caught.value.hint
                driver.remove(make(network=name), force=True)
                assert client.networks(names=[name])
            finally:
                client.remove_network(name)
