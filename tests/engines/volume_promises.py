"""What every driver for real containers promises of volumes that an image declares."""

from __future__ import annotations

from engines.image import KEEPING, KEEPING_CHANGES, KEPT, load_image
from engines.network_promises import raw
from engines.promises import NAMES, wait_for
from qrealm.fleet.containers.protocol import ContainerSpec, Mount


def volumes_of(url):
    """Names of the volumes that an engine has."""
    with raw(url) as client:
        return {volume["Name"] for volume in client.volumes()["Volumes"] or ()}


class VolumePromises:
    """Joins the contract of a driver, whose fixtures and words it uses.

    Attributes:
        keeps_volumes: whether the volumes of a container can outlive it.
    """

    keeps_volumes = True

    def keeping(self, driver, endpoint, **fields):
        """A container of that image that runs and has written into its volume, and by what is told of it."""
        if not driver.has_image(KEEPING):
            load_image(endpoint.url, KEEPING, KEEPING_CHANGES)
        engine_id = driver.create(ContainerSpec(next(NAMES), KEEPING, network=self.network, **fields))
        driver.start(engine_id)
        self.run(driver, engine_id, "touch", f"{KEPT}/precious")
        return engine_id, driver.inspect(engine_id)

    def test_a_removal_takes_what_an_image_keeps_when_asked(self, driver, endpoint):
        before = volumes_of(endpoint.url)
        engine_id, facts = self.keeping(driver, endpoint)
        assert facts.volumes == (KEPT,)
        assert len(volumes_of(endpoint.url) - before) == 1
        driver.remove(engine_id, force=True, volumes=True)
        wait_for(lambda: volumes_of(endpoint.url) == before)

    def test_else_it_stays_where_the_engine_can_keep_it(self, driver, endpoint):
        before = volumes_of(endpoint.url)
        engine_id, facts = self.keeping(driver, endpoint)
        made = volumes_of(endpoint.url) - before
        driver.remove(engine_id, force=True)
        if not self.keeps_volumes:
            assert facts.volume_names == {}
            wait_for(lambda: volumes_of(endpoint.url) == before)
            return
        assert volumes_of(endpoint.url) - before == made == {facts.volume_names[KEPT]}
        # Another container goes on with it, by its name.
        (name,) = made
        engine_id, facts = self.keeping(driver, endpoint, mounts=(Mount(name, KEPT),))
        try:
            assert self.run(driver, engine_id, "ls", KEPT)[0] == "precious\n"
            assert volumes_of(endpoint.url) - before == made
        finally:
            driver.remove(engine_id, force=True)
            with raw(endpoint.url) as client:
                client.remove_volume(name)

    def test_what_a_container_mounts_by_name_outlives_it_whatever_the_name_looks_like(self, driver, endpoint):
        before = volumes_of(endpoint.url)
        engine_id, _ = self.keeping(driver, endpoint)
        made = volumes_of(endpoint.url) - before
        driver.remove(engine_id, force=True)
        if not self.keeps_volumes:
            wait_for(lambda: volumes_of(endpoint.url) == before)
            return
        # One that the engine had named, as a container that is taken over goes on with, and one of a user's
        # with such a name. What the image declares is another.
        (its_own,) = made
        wanted = "c0de" * 16
        try:
            mounts = (Mount(its_own, "/data"), Mount(wanted, "/more"), Mount("by-name", "/most"))
            engine_id, facts = self.keeping(driver, endpoint, mounts=mounts)
            assert facts.volumes == ("/data", KEPT, "/more")
            driver.remove(engine_id, force=True, volumes=True)
            kept = {its_own, wanted, "by-name"}
            wait_for(lambda: volumes_of(endpoint.url) - before == kept)
        finally:
            driver.remove(engine_id, force=True)
            with raw(endpoint.url) as client:
                for name in volumes_of(endpoint.url) - before:
                    client.remove_volume(name)
