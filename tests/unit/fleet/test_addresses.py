"""Urls of engines and names of images: what is taken, and what is told of the rest."""

from __future__ import annotations

import pytest

from qrealm.base.errors import RequestError
from qrealm.fleet.containers import DRIVERS, connect
from qrealm.fleet.containers.addresses import check_reference, url_fault
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    "image",
    ["nginx", "nginx:1.27", "localhost/x", "localhost:5000/a/b_c:T-1", "a.b/c__d", f"web@{DIGEST}",
     f"web:1@{DIGEST}", DIGEST, "4f5ab0", "[::1]:5000/x", "Host.example:80/x"],
)  # fmt: skip
def test_names_of_images(image):
    check_reference(image)


@pytest.mark.parametrize(
    "image",
    ["../../x", "/x", "x/", "a//b", "Nginx", "a b", "x:", "x@", "x@sha256:12", "x?y=1", "x#y", "", "a" * 600,
     "nginx\n", "ä"],
)  # fmt: skip
def test_what_is_no_name_of_an_image(image):
    with pytest.raises(RequestError, match="is no name of an image"):
        check_reference(image)


@pytest.mark.parametrize(
    "url", ["", "unix:///run/x.sock", "tcp://h:2376", "ssh://u@h", "ssh://h:22/run/x", "http://h:1", "https://h"]
)
def test_urls(url):
    assert url_fault(url) == ""


@pytest.mark.parametrize(
    "url, words",
    [
        ("htp://x", "must begin with"),
        ("ftp://x", "begin with unix://, tcp:// (http:// and https:// do too) or ssh://"),
        ("x", "must begin with"),
        ("unix://run/x", "must be whole"),
        ("unix:///", "must be whole"),
        ("tcp://h", "no port"),
        ("tcp://:2376", "no host"),
        ("tcp://h:port", "could not be cast"),
        ("ssh://", "no host"),
        ("ssh://-oX@h", "no host"),
        ("ssh://-oX", "no host"),
        ("tcp://127.0.0.1:99999", "out of range"),
        ("tcp://h\n:2376", "cannot be printed"),
    ],
)
def test_what_is_no_url(url, words):
    assert words in url_fault(url)
    for driver in ("docker", "podman", "swarm"):
        with pytest.raises(RequestError, match="is no url of an engine") as caught:
            connect(Endpoint(driver, url))
        assert "ssh://user@host" in caught.value.hint


def test_no_driver_takes_a_broken_name(tmp_path):
    for name in DRIVERS:
        url = "simulated://a" if name == "simulated" else f"unix://{tmp_path}/none.sock"
        driver = connect(Endpoint(name, url, folder=str(tmp_path)))
        with pytest.raises(RequestError, match="is no name of an image"):
            driver.create(ContainerSpec("web", "../../x"))
        driver.close()
