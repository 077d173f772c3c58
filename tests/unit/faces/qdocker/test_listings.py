"""Tables, templates, and a container's row as Docker's users know it."""

from __future__ import annotations

import json

import pytest

from qrealm.base.errors import RequestError
from qrealm.control.containers.values import Phase
from qrealm.faces.qdocker import showing
from qrealm.faces.qdocker.filters import node_filter
from qrealm.faces.qdocker.showing import (
    inspect_document,
    node_row,
    ports_of,
    ps_row,
    quantum_of,
    state_of,
    status_of,
)
from qrealm.faces.qdocker.specification import read_tmpfs
from qrealm.faces.qdocker.tables import write_listing

ROWS = [{"Name": "a", "State": "up"}, {"Name": "longer", "State": ""}]
COLUMNS = {"Name": "NAME", "State": "STATE"}
NOW = 1_700_000_000.0


def listing(capsys, wanted, rows=ROWS, headings=None):
    write_listing(rows, COLUMNS, wanted, headings=headings)
    return capsys.readouterr().out


def test_a_table_has_columns_three_spaces_apart(capsys):
    assert listing(capsys, "table") == "NAME     STATE\na        up\nlonger\n"


def test_an_empty_table_has_its_headings(capsys):
    assert listing(capsys, "table", rows=[]) == "NAME   STATE\n"
    assert listing(capsys, "json", rows=[]) == ""


def test_json_is_one_object_a_line(capsys):
    assert [json.loads(line) for line in listing(capsys, "json").splitlines()] == ROWS


def test_templates(capsys):
    assert listing(capsys, "{{.Name}}:{{ .State }}") == "a:up\nlonger:\n"
    assert listing(capsys, r"table {{.State}}\t{{.Name}}") == "STATE   NAME\nup      a\n        longer\n"
    assert listing(capsys, "{{json .Name}}") == '"a"\n"longer"\n'
    assert json.loads(listing(capsys, "{{json .}}").splitlines()[0]) == ROWS[0]


@pytest.mark.parametrize("template", ["{{.Nope}}", "{{Name}}", "{{.Name", "table {{.Nope}}"])
@pytest.mark.parametrize("rows", [ROWS, []])
def test_a_broken_template_is_an_error_also_without_rows(capsys, template, rows):
    with pytest.raises(RequestError, match="--format got"):
        listing(capsys, template, rows)


def test_a_label_of_a_row(capsys):
    """Docker heads such a column with the last part of the key."""
    write_listing(
        ROWS, COLUMNS, r'table {{.Name}}\t{{.Label "org.tier_of-it"}}\t{{upper .State}}\t{{json .Name}}',
        labels=[{"org.tier_of-it": "web"}, {}],
    )  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        "NAME     tier of it   STATE   NAME",
        'a        web          UP      "a"',
        'longer                        "longer"',
    ]
    with pytest.raises(RequestError, match=r"\.Label"):
        listing(capsys, '{{.Label "x"}}')


def facts_of(state):
    return {
        "engine_id": "e" * 64,
        "name": "web",
        "image": "nginx",
        "state": state,
        "exit_code": None,
        "health": None,
        "started_at": NOW - 180,
        "finished_at": None,
        "error": "",
        "out_of_memory": False,
        "ports": [],
        "labels": {},
        "entrypoint": None,
        "command": None,
    }


def make_view(state="running", *, simulated=False, probabilities=None, measured=None, **facts):
    spec = {
        "name": "web",
        "image": "nginx:1.27",
        "command": ["sh", "-c", "x"],
        "entrypoint": None,
        "environment": {"A": "1"},
        "labels": {"b": "2", "a": "1"},
        "limits": {"cpus": 0.5, "memory_bytes": 1 << 29, "pids": 256},
        "restart": {"name": "no", "retries_max": 0},
        "health": None,
        "mounts": [],
        "network": None,
        "user": None,
        "ports": [],
        "working_dir": None,
        "read_only": True,
        "cap_add": [],
        "hostname": None,
        "tmpfs": [],
        "stop_grace_s": 10.0,
        "init": False,
    }
    record = {
        "id": "f" * 64,
        "name": "web",
        "spec": spec,
        "node": "n1",
        "engine_id": "e" * 64,
        "phase": "ready",
        "quantum": {"states": ["running", "stopped"], "probability": 0.2, "weight": 1.0},
        "wanted": "running",
        "created_at": NOW - 7200,
        "cluster": None,
        "scheduler": "portfolio",
        "measured": measured,
        "restarts": 0,
    }
    endpoint = {"driver": "docker", "url": "unix:///run/docker.sock", "folder": None, "member": None}
    node = {
        "name": "n1",
        "engine": "Docker 20.10.24",
        "endpoint": endpoint,
        "state": "ready",
        "simulated": simulated,
    }
    return {
        "record": record,
        "facts": {**facts_of(state), **facts},
        "node": node,
        "group": ["web", "cache"],
        "relations": [],
        "num_qubits": 2,
        "probabilities": probabilities or {"running": 0.2, "stopped": 0.8},
        "purity": 1.0,
        "coherence_bits": None,
        "missing": False,
        "simulator": "qrealm",
    }


@pytest.mark.parametrize(
    "view, status",
    [
        (make_view(), "Up 3 minutes"),
        (make_view(health="unhealthy"), "Up 3 minutes (unhealthy)"),
        (make_view(health="starting"), "Up 3 minutes (health: starting)"),
        (make_view("paused"), "Up 3 minutes (Paused)"),
        (make_view("created"), "Created"),
        (make_view("created", simulated=True), "Created (simulated)"),
        (make_view("exited", exit_code=137, finished_at=NOW - 60), "Exited (137) 1 minute ago"),
        (make_view("exited", finished_at=NOW - 60), "Exited (unknown) 1 minute ago"),
        (make_view("restarting", exit_code=1, finished_at=NOW - 1), "Restarting (1) 1 second ago"),
        ({**make_view(), "facts": None}, "Unknown: the node does not answer"),
        ({**make_view(), "facts": None, "missing": True}, "Missing"),
    ],
)
def test_status(view, status):
    assert status_of(view, NOW) == status


@pytest.mark.parametrize(
    ("phase", "missing", "state", "status"),
    [
        (Phase.MAKING_AGAIN, False, "creating", "Being made again"),
        (Phase.MAKING_AGAIN, True, "creating", "Being made again"),
        (Phase.CREATING, False, "creating", "Being created"),
        (Phase.WAITING, False, "waiting", "Waiting for a node"),
        (Phase.REMOVING, False, "removing", "Removal In Progress"),
        (Phase.READY, False, "unknown", "Unknown: the node does not answer"),
    ],
)
def test_what_no_engine_tells_yet_is_told_from_a_node_that_is_silent(phase, missing, state, status):
    view = {**make_view(), "facts": None, "missing": missing}
    view["record"]["phase"] = phase.value
    assert (state_of(view), status_of(view, NOW)) == (state, status)


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"state": "running"}, 0),
        ({"state": "created"}, 0),
        ({"state": "created", "exit_code": 127, "error": "no such file"}, 127),
        ({"state": "created", "error": "no room for its port"}, None),
        ({"state": "exited"}, None),
        ({"state": "exited", "exit_code": 0}, 0),
    ],
)
def test_an_exit_code_that_is_not_known_is_never_0(facts, shown):
    assert inspect_document(make_view(**facts))["State"]["ExitCode"] == shown


@pytest.mark.parametrize("state, shown", [("created", None), ("running", 0)])
def test_podman_forgets_a_start_that_failed_so_its_exit_code_is_not_known(state, shown):
    view = make_view(state=state)
    view["node"] |= {"endpoint": view["node"]["endpoint"] | {"driver": "podman"}}
    assert inspect_document(view)["State"]["ExitCode"] == shown


def test_the_images_own_command_is_shown_where_the_engine_tells_it():
    own = {"entrypoint": ["/docker-entrypoint.sh"], "command": ["nginx", "-g", "daemon off;"]}
    view = make_view(**own)
    view["record"]["spec"]["command"] = None
    assert ps_row(view, full=True)["Command"] == '"/docker-entrypoint.sh nginx -g daemon off;"'
    shown = inspect_document(view)["Config"]
    assert (shown["Entrypoint"], shown["Cmd"]) == (own["entrypoint"], own["command"])
    view["facts"] = None
    shown = inspect_document(view)["Config"]
    assert (shown["Entrypoint"], shown["Cmd"]) == (None, None)
    assert ps_row(view, full=True)["Command"] == '""'
    asked = make_view()
    assert inspect_document(asked)["Config"]["Cmd"] == ["sh", "-c", "x"]
    assert ps_row(asked, full=True)["Command"] == '"sh -c x"'


def test_a_name_of_the_host_and_folders_in_memory_are_shown():
    view = make_view()
    assert (inspect_document(view)["Config"]["Hostname"], inspect_document(view)["Mounts"]) == ("", [])
    view["record"]["spec"] |= {
        "hostname": "cell",
        "tmpfs": [{"target": "/run", "size_bytes": 1 << 20, "mode": None}],
    }
    document = inspect_document(view)
    assert document["Config"]["Hostname"] == "cell"
    assert [(each["Type"], each["Destination"]) for each in document["Mounts"]] == [("tmpfs", "/run")]


@pytest.mark.parametrize(
    "size, mode, shown",
    [
        (None, None, ""),
        (1 << 20, None, "size=1048576"),
        (None, 0o700, "mode=700"),
        (5, 0o1777, "size=5,mode=1777"),
    ],
)
def test_size_and_mode_of_a_folder_in_memory_are_shown_as_they_are_written(size, mode, shown):
    view = make_view()
    view["record"]["spec"]["tmpfs"] = [{"target": "/run", "size_bytes": size, "mode": mode}]
    assert inspect_document(view)["HostConfig"]["Tmpfs"] == {"/run": shown}
    if shown:
        read = read_tmpfs(f"/run:{shown}")
        assert (read["size_bytes"], read["mode"]) == (size, mode)


@pytest.mark.parametrize("grace_s, shown", [(10.0, "10"), (0.5, "0.5"), (90, "90")])
def test_grace_and_init_are_shown(grace_s, shown):
    view = make_view()
    view["record"]["spec"] |= {"stop_grace_s": grace_s, "init": True}
    document = inspect_document(view)
    assert json.dumps(document["Config"]["StopTimeout"]) == shown
    assert document["HostConfig"]["Init"] is True


def test_a_container_without_a_node_waits():
    view = make_view()
    view["record"] = {**view["record"], "phase": "waiting", "node": None}
    view["facts"] = view["node"] = None
    assert status_of(view, NOW) == "Waiting for a node"
    state = inspect_document(view)["State"]
    assert (state["Status"], state["Running"], state["ExitCode"]) == ("waiting", False, None)
    assert state.keys() == inspect_document(make_view())["State"].keys()
    assert ps_row(view, full=False)["Node"] == ""


def test_inspect_has_dockers_words():
    view = make_view()
    view["record"]["spec"]["mounts"] = [
        {"source": "/srv", "target": "/data", "read_only": True},
        {"source": "cache", "target": "/var/cache", "read_only": False},
    ]
    document = inspect_document(view)
    assert document["Mounts"] == [
        {"Type": "bind", "Source": "/srv", "Destination": "/data", "Mode": "ro", "RW": False},
        {
            "Type": "volume", "Name": "cache", "Source": "cache", "Destination": "/var/cache", "Mode": "",
            "RW": True,
        },
    ]  # fmt: skip
    assert document["HostConfig"]["MemorySwap"] == document["HostConfig"]["Memory"] == 1 << 29


def test_inspect_has_dockers_shapes():
    """What a Docker engine says of a container with this check and these ports."""
    view = make_view(
        ports=[
            {"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": "0.0.0.0"},
            {"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": "::"},
        ]
    )
    spec = view["record"]["spec"]
    spec["ports"] = [{"container_port": 80, "host_port": None, "protocol": "tcp", "host_ip": ""}]
    spec["health"] = {
        "command": ["true"], "interval_s": 5.0, "timeout_s": 0.5, "retries": 2, "start_period_s": 0.0
    }  # fmt: skip
    document = inspect_document(view)
    assert document["Config"]["Healthcheck"] == {
        "Test": ["CMD", "true"], "Interval": 5_000_000_000, "Timeout": 500_000_000, "StartPeriod": 0,
        "Retries": 2,
    }  # fmt: skip
    assert document["NetworkSettings"]["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]
    }
    assert document["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": ""}]}
    assert document["State"]["ExitCode"] == 0
    assert document["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    exited = inspect_document(make_view("exited", exit_code=3, ports=view["facts"]["ports"]))
    assert (exited["State"]["ExitCode"], exited["NetworkSettings"]["Ports"]) == (3, {})
    assert inspect_document(make_view("restarting"))["State"]["Running"] is True


def test_quantum():
    assert quantum_of(make_view()) == "running 20% stopped 80%"
    certain = {"running": 0.0, "stopped": 1.0}
    assert quantum_of(make_view(probabilities=certain)) == "stopped"
    measured = {"state": "stopped", "at": NOW}
    assert quantum_of(make_view(probabilities=certain, measured=measured)) == "stopped (measured)"
    # What was measured long ago and has decayed since is no certainty any more.
    assert quantum_of(make_view(measured=measured)) == "running 20% stopped 80%"


def test_ports():
    ports = [
        {"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": ""},
        {"container_port": 53, "host_port": 53, "protocol": "udp", "host_ip": "::1"},
        {"container_port": 443, "host_port": None, "protocol": "tcp", "host_ip": ""},
    ]
    assert ports_of(make_view(ports=ports)) == "0.0.0.0:8080->80/tcp, [::1]:53->53/udp, 443/tcp"
    for state in ("created", "exited", "restarting"):
        assert ports_of(make_view(state, ports=ports)) == "", "it does not run"
    assert ports_of(make_view("paused", ports=ports)) != ""


def test_a_row_of_ps_cuts_ids_and_names_the_others_of_the_group():
    row = ps_row(make_view(), full=False, now=NOW)
    assert row["ID"] == "f" * 12
    assert row["Group"] == "cache"
    assert row["Labels"] == "a=1,b=2"
    assert row["RunningFor"] == "2 hours ago"
    assert ps_row(make_view(), full=True)["ID"] == "f" * 64
    assert all(isinstance(value, str) for value in row.values())


def test_ps_has_dockers_keys_but_for_the_size():
    """Those of `docker ps --format json`; every one can stand in a template, with a heading."""
    view = make_view()
    mounts = [{"source": source, "target": "/x", "read_only": False} for source in ("/srv", "data", "more")]
    spec = {**view["record"]["spec"], "mounts": mounts}
    row = ps_row({**view, "record": {**view["record"], "spec": spec}}, full=True)
    dockers = "Command CreatedAt ID Image Labels LocalVolumes Mounts Names Networks Ports RunningFor State"
    assert {*dockers.split(), "Status"} <= row.keys()
    assert row.keys() == {**showing.HEADINGS, **showing.COLUMNS}.keys()
    assert (row["LocalVolumes"], row["Mounts"]) == ("2", "/srv,data,more")


def test_inspect_has_dockers_outline():
    document = inspect_document(make_view())
    assert document["HostConfig"]["NanoCpus"] == 500_000_000
    assert document["HostConfig"]["Memory"] == 1 << 29
    assert document["State"]["Status"] == "running"
    assert document["Config"]["Env"] == ["A=1"]
    assert document["Quantum"]["Probabilities"] == {"running": 0.2, "stopped": 0.8}
    assert document["Node"]["Name"] == "n1"


def make_node(error="", **changed):
    record = {
        **make_view(simulated=True)["node"],
        "cpus": 8.0,
        "memory_bytes": 16 << 30,
        "labels": {},
        "seen_at": NOW,
        **changed,
    }
    taken = {"containers": 1, "cpus_taken": 0.5, "memory_taken_bytes": 1 << 29, "load": 0.2}
    return {"record": record, **taken, "cpus_allowed": 32.0, "error": error}


def test_a_row_of_nodes():
    row = node_row(make_node(), NOW + 1)
    assert row["Status"] == "Ready (simulated)"
    assert row["CPU"] == "0.5 / 32 (8 x 4)"
    assert node_row(make_node() | {"cpus_allowed": 8.0}, NOW)["CPU"] == "0.5 / 8"
    # One that has not answered yet.
    assert node_row(make_node(cpus=0.0) | {"cpus_allowed": 0.0}, NOW)["CPU"] == "0.5 / 0"
    assert row["Memory"] == "512 MiB / 16 GiB"
    assert row["Seen"] == "1 second ago"


@pytest.mark.parametrize(
    "url, folder, shown",
    [
        ("", "/home/me/simulated/maple", "simulated:// (/home/me/simulated/maple)"),
        ("simulated://maple?cpus=2", "/home/me/simulated/maple", "simulated://maple?cpus=2"),
        ("", None, "default"),
    ],
)
def test_an_endpoint_without_a_url_is_no_bare_path(url, folder, shown):
    endpoint = make_node()["record"]["endpoint"] | {"url": url, "folder": folder}
    assert node_row(make_node(endpoint=endpoint), NOW, full=True)["Endpoint"] == shown


def test_a_simulated_endpoint_without_a_url_has_its_size():
    endpoint = make_node()["record"]["endpoint"] | {"url": "", "folder": "/home/me/simulated/maple"}
    assert node_row(make_node(endpoint=endpoint), NOW)["Endpoint"] == "simulated: 8 CPU, 16 GiB"


def test_a_node_that_does_not_answer_has_a_short_status_and_a_reason():
    reason = "Docker at unix:///run/docker.sock: ping: the engine does not answer: [Errno 2] No such file"
    view = make_node(reason, state="lost", simulated=False)
    row = node_row(view, NOW + 120)
    assert row["Status"] == "Lost 2 minutes ago"
    assert row["Reason"] == "ping: the engine does not answer: [Errno 2] No su…"
    assert node_row(view, NOW + 120, full=True)["Reason"] == reason
    never = make_node(reason, state="lost", simulated=False, seen_at=0.0)
    for exact in (False, True):
        assert node_row(never, NOW, exact=exact)["Status"] == "Lost"
        assert node_row(never, NOW, exact=exact)["Seen"] == "never"


def test_filters_of_nodes():
    east = make_node(name="east", labels={"zone": "a"}, state="draining")
    west = make_node(name="west", labels={"zone": "b"})

    def kept(*words):
        keeps = node_filter(words)
        return [view["record"]["name"] for view in (east, west) if keeps(view)]

    assert kept() == ["east", "west"]
    assert kept("name=^w") == ["west"]
    assert kept("name=e", "label=zone=a") == ["east"]
    assert kept("status=draining") == ["east"]
    assert kept("status=draining", "status=ready") == ["east", "west"]
    assert kept("driver=podman") == []
    for wrong in ("status=idle", "name=[", "zone=a"):
        with pytest.raises(RequestError, match="--filter got"):
            node_filter([wrong])
