"""What `run` says of a container that ends as soon as it was started."""

from __future__ import annotations

import pytest

from qrealm.faces.qdocker import container_commands

BEGAN = 1_700_000_000.0


def report(*, starts_again=False, simulated=False, **changed):
    facts = {
        "state": "exited",
        "exit_code": 0,
        "error": "",
        "out_of_memory": False,
        "started_at": BEGAN + 1,
        "finished_at": BEGAN + 2,
        "labels": {"io.qrealm.sealed": "x", "a": "b"},
        **changed,
    }
    outcomes = {"web": "running"}
    measured = {"name": "web", "state": "running", "outcomes": outcomes, "probability": 1.0, "weak": []}
    did = {"started": True, "forced": False, "was_running": False, "stopped": False}
    told = {"facts": facts, "starts_again": starts_again, "simulated": simulated}
    return {"name": "web", "measured": measured, **did, **told}


def run(monkeypatch, capsys, found, output="table"):
    """The command's exit code and what it wrote, of a daemon that answers this."""

    class Client:
        def post(self, path, body):
            assert (path, body) == ("/containers/web/run", {"force": False})
            return found

    monkeypatch.setattr(container_commands, "Client", Client)
    code = container_commands.run("web", output=output)
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize(
    "changed, code, told, hinted",
    [
        ({}, 0, "ended at once with code 0", "qdocker logs web has what it wrote"),
        ({"exit_code": 3}, 3, "with code 3", "CHOWN"),
        ({"exit_code": 143}, 143, "with code 143, which is signal 15", "--cap-add"),
        ({"exit_code": 137}, 137, "with code 137, which is signal 9", "see --memory"),
        ({"exit_code": 137, "out_of_memory": True}, 137, "for want of memory with code 137", "--memory"),
        ({"exit_code": 1, "error": "no such device"}, 1, "with code 1: no such device", "logs"),
        ({"exit_code": None}, 125, "with a code that its engine does not tell", "logs web has what it wrote"),
    ],
)
def test_an_end_at_once_is_told_with_what_to_do(monkeypatch, capsys, changed, code, told, hinted):
    ended, out, err = run(monkeypatch, capsys, report(**changed))
    assert ended == code
    assert out == "web: measured running (probability 1), started\n"
    assert told in err
    assert hinted in err
    assert ("CHOWN" in err) == (code not in (0, 125, 137)), "capabilities have nothing to do with these"


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"state": "restarting", "exit_code": 3}, "ended at once with code 3; its engine starts it again"),
        # In the moment of asking it was up again, and the engine has forgotten the code.
        ({"state": "running", "exit_code": None}, "ended at once; its engine starts it again"),
    ],
)
def test_what_the_engine_starts_again_and_again_is_a_warning(monkeypatch, capsys, changed, told):
    code, _, err = run(monkeypatch, capsys, report(starts_again=True, **changed))
    assert code == 0
    assert err.startswith(f"warning: container web {told}")
    assert "hint: qdocker logs web" in err


def test_what_runs_is_told_in_one_line(monkeypatch, capsys):
    for ended in (None, BEGAN + 0.5):  # never before, and while this start waited for its turn
        found = report(state="running", exit_code=None, finished_at=ended)
        assert run(monkeypatch, capsys, found)[::2] == (0, "")


def test_what_is_simulated_says_that_nothing_runs(monkeypatch, capsys):
    found = report(state="running", exit_code=None, simulated=True)
    code, out, err = run(monkeypatch, capsys, found)
    told = "web: measured running (probability 1), started (simulated: nothing really runs)\n"
    assert (code, out, err) == (0, told, "")
    assert '"simulated": true' in run(monkeypatch, capsys, found, "json")[1]


def test_json_has_no_seal(monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, report(), "json")
    assert '"a": "b"' in out
    assert "sealed" not in out
