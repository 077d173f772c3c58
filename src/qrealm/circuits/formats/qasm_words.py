"""How gates are said in OpenQASM: names of the standard files, and definitions for the rest."""

from __future__ import annotations

from itertools import combinations

from qrealm.circuits.gates import Gate, LoweredOp
from qrealm.circuits.kernel_ops import OpCode as K
from qrealm.circuits.parameters import Parameter

STDGATES = frozenset(
    "id x y z h s sdg t tdg sx rx ry rz p u2 cx cy cz ch cp crx cry crz cu swap cswap ccx".split()
)
"""Rows whose names stdgates.inc has, with our meaning."""

QELIB = {
    **{name: name for name in "id x y z h s sdg t tdg rx ry rz u2 cx cy cz ch crz cu3 ccx".split()},
    "p": "u1",
    "u": "u3",
    "cp": "cu1",
}
"""Row -> name in qelib1.inc as published (arXiv:1707.03429); later versions only add to it."""

BASE = {
    "sxdg": "inv @ sx",
    "u": "U",
    "sydg": "inv @ sy",
    "iswapdg": "inv @ iswap",
    "siswapdg": "inv @ siswap",
}
"""Rows that OpenQASM 3 says with other words."""

_KERNEL = {
    K.X: "x",
    K.Y: "y",
    K.Z: "z",
    K.H: "h",
    K.S: "s",
    K.SDG: "sdg",
    K.T: "t",
    K.TDG: "tdg",
    K.SX: "sx",
    K.SXDG: "inv @ sx",
    K.RX: "rx",
    K.RY: "ry",
    K.RZ: "rz",
    K.P: "p",
    K.U: "U",
    K.GPHASE: "gphase",
    K.SWAP: "swap",
    K.ISWAP: "iswap",
    K.RXX: "rxx",
    K.RYY: "ryy",
    K.RZZ: "rzz",
    K.RZX: "rzx",
}

_WRITTEN = {
    "rzz": "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }",
    "rxx": "gate rxx(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }",
    "ryy": "gate ryy(theta) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(theta) b; cx a, b; "
    "rx(-pi/2) a; rx(-pi/2) b; }",
    "rzx": "gate rzx(theta) a, b { h b; cx a, b; rz(theta) b; cx a, b; h b; }",
    "iswap": "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }",
}


def definition3(gate: Gate) -> list[tuple[str, str]]:
    """(name, text) of the OpenQASM 3 definitions that a row needs, in order; written from its lowering."""
    if gate.name in _WRITTEN:
        return [(gate.name, _WRITTEN[gate.name])]
    wires = [f"q{i}" for i in range(gate.num_qubits)]
    names = [f"p{i}" for i in range(gate.num_params)]  # in alphabetic order: Qiskit 2's importer sorts them
    head = f"({', '.join(names)})" if names else ""
    needed, body = [], []
    for op in gate.lowered(tuple(Parameter(name) for name in names)):
        word = _KERNEL[K(op.code)]
        if word in _WRITTEN:
            needed.append((word, _WRITTEN[word]))
        body.append(f"{_controlled_op(op, word, wires)};")
    return [*needed, (gate.name, f"gate {gate.name}{head} {', '.join(wires)} {{ {' '.join(body)} }}")]


def _controlled_op(op: LoweredOp, word: str, wires: list[str]) -> str:
    listed = [wires[i] for i in (*op.inner, *op.targets)]
    angles = f"({', '.join(str(p) for p in op.params)})" if op.params else ""
    controls = f"ctrl({len(op.inner)}) @ " if op.inner else ""
    return f"{controls}{word}{angles} {', '.join(listed)}".rstrip()


def definition2(name: str) -> str:
    """The OpenQASM 2 definition of a row that qelib1.inc lacks and that has one; else an empty text."""
    return _WRITTEN.get(name) or _WRITTEN_2.get(name, "")


def _phase(angle: str, *wires: str) -> str:
    """A phase where all wires are 1, from phases of parities by inclusion and exclusion."""
    words = []
    share = 2 ** (len(wires) - 1)
    for count in range(1, len(wires) + 1):
        for subset in combinations(wires, count):
            ladder = [f"cx {wire}, {subset[-1]};" for wire in subset[:-1]]
            sign = "" if count % 2 else "-"
            words += [*ladder, f"u1({sign}{angle}/{share}) {subset[-1]};", *reversed(ladder)]
    return " ".join(words)


_WRITTEN_2 = {
    "sx": "gate sx a { sdg a; h a; sdg a; }",
    "sxdg": "gate sxdg a { s a; h a; s a; }",
    "swap": "gate swap a, b { cx a, b; cx b, a; cx a, b; }",
    "cswap": "gate cswap a, b, c { cx c, b; ccx a, b, c; cx c, b; }",
    "crx": "gate crx(theta) a, b { h b; crz(theta) a, b; h b; }",
    "cry": "gate cry(theta) a, b { ry(theta/2) b; cx a, b; ry(-theta/2) b; cx a, b; }",
    "cu": "gate cu(theta, phi, lam, gamma) a, b { u1(gamma) a; cu3(theta, phi, lam) a, b; }",
    "csx": "gate csx a, b { h b; cu1(pi/2) a, b; h b; }",
    "csxdg": "gate csxdg a, b { h b; cu1(-pi/2) a, b; h b; }",
    "ccz": "gate ccz a, b, c { h c; ccx a, b, c; h c; }",
    "cs": "gate cs a, b { cu1(pi/2) a, b; }",
    "csdg": "gate csdg a, b { cu1(-pi/2) a, b; }",
    "dcx": "gate dcx a, b { cx a, b; cx b, a; }",
    "r": "gate r(theta, phi) a { u3(theta, phi - pi/2, pi/2 - phi) a; }",
    "iswapdg": "gate iswapdg a, b { h b; cx b, a; cx a, b; h a; sdg b; sdg a; }",
    "rccx": "gate rccx a, b, c { sdg c; ccx a, b, c; s c; h c; ccx a, b, c; h c; cz a, c; }",
    "c3x": f"gate c3x a, b, c, d {{ h d; {_phase('pi', *'abcd')} h d; }}",
    "c4x": f"gate c4x a, b, c, d, e {{ h e; {_phase('pi', *'abcde')} h e; }}",
    "c3sx": f"gate c3sx a, b, c, d {{ h d; {_phase('pi/2', *'abcd')} h d; }}",
    "rcccx": f"gate rcccx a, b, c, d {{ cu1(pi/2) a, b; {_phase('pi', *'abd')} h d; "
    f"{_phase('pi', *'abcd')} h d; "
    f"{_phase('pi/2', *'abc')} }}",
}
