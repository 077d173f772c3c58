"""Clusters made when one could have any folder's name are still known by their files and exports."""

from __future__ import annotations

import json

import pytest

from qrealm.base.errors import EngineRefusalError, RequestError

APP = "services: {front: {image: 'img:1'}, back: {image: 'img:1'}}\n"


def clusters(home):
    return {name: set(members) for name, members in home.engine.clusters.names().items()}


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "my app"
    found.mkdir()
    return found


def made_before(home, folder):
    """The cluster, called as it was before; the document of its export."""
    home.engine.clusters.create(APP, "compose.yaml", folder=folder)
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.engine.clusters.remove("myapp", force=True)
    for each in document["containers"]:
        each["cluster"] = "my app"
        assert each["spec"]["network"] == "myapp_default"
        each["spec"]["network"] = "my app_default"
    return document


def test_its_export_is_taken_in(home, folder):
    document = made_before(home, folder)
    assert home.engine.snapshots.import_(document)["problems"] == []
    assert clusters(home) == {"my app": {"front", "back"}}
    assert {record.spec.network for record in home.store.containers.all()} == {"my app_default"}


def test_its_file_knows_it(home, folder):
    home.engine.snapshots.import_(made_before(home, folder))
    home.engine.lifecycle.remove("back", force=True)
    kept = home.record("front").id
    report = home.engine.clusters.create(APP, "compose.yaml", folder=folder)
    assert report.existing == ("front",)
    assert [each.container.name for each in report.created] == ["back"]
    assert home.record("front").id == kept
    assert "front in 'my app_default'; back in 'myapp_default'" in report.note
    assert report.note.endswith("qdocker rm-cluster myapp")
    assert clusters(home) == {"myapp": {"front", "back"}}
    assert home.engine.clusters.create(APP, "compose.yaml", folder=folder).created == ()
    # The export of what has the new name and the old network is taken in again.
    document = json.loads(json.dumps(home.engine.snapshots.export()))
    home.engine.clusters.remove("myapp", force=True)
    assert home.engine.snapshots.import_(document)["problems"] == []
    home.engine.clusters.remove("myapp", force=True)
    assert "networks" not in home.engine.clusters.create(APP, "compose.yaml", folder=folder).note


def test_a_file_that_now_says_something_else_is_told(home, folder):
    home.engine.snapshots.import_(made_before(home, folder))
    with pytest.raises(EngineRefusalError, match="says something else"):
        home.engine.clusters.create(APP.replace("img:1", "img:2"), "compose.yaml", folder=folder)
    assert clusters(home) == {"my app": {"front", "back"}}


def test_only_that_folder_s_file_knows_it(home, folder, tmp_path):
    home.engine.snapshots.import_(made_before(home, folder))
    other = tmp_path / "myapp"
    other.mkdir()
    with pytest.raises(RequestError, match="is not of this cluster"):
        home.engine.clusters.create(APP, "compose.yaml", folder=other)


@pytest.mark.parametrize("cluster", ["a\nb", "", "a\x1b[31m"])
def test_what_cannot_be_printed_is_taken_in_by_nobody(home, folder, cluster):
    document = made_before(home, folder)
    for each in document["containers"]:
        each["cluster"] = cluster
    with pytest.raises(RequestError, match=r"the cluster .* cannot be printed"):
        home.engine.snapshots.import_(document)
    assert home.store.containers.all() == ()
