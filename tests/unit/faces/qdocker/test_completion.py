"""What is completed is what is taken."""

from __future__ import annotations

import re

from qrealm.circuits.gate_rows import GATES
from qrealm.control.containers.registers.gates import _fits_containers
from qrealm.faces.qdocker.completion import Shell, completion


def test_every_gate_of_a_register_and_no_other_is_completed(capsys):
    completion(Shell.BASH)
    script = capsys.readouterr().out
    found = re.search(r"apply-gate\) .* wanted='([^']*)'", script)
    assert found is not None
    taken = [name.upper() for name, row in GATES.items() if _fits_containers(row)]
    assert len(taken) > 40
    assert found[1].split() == taken


def test_filters_of_nodes_are_completed(capsys):
    completion(Shell.BASH)
    script = capsys.readouterr().out
    assert "'nodes ls') wanted='name= label= status= driver=' ;;" in script
    assert "'nodes ls status') wanted='ready draining lost' ;;" in script
