"""QIR as it is read: what means what, what is refused and how."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from qrealm.base.errors import (
    CircuitError,
    SourceFileError,
    SourceKindError,
    SyntaxReadError,
    UnsupportedError,
)
from qrealm.circuits import Circuit, read
from qrealm.circuits.read import read_text
from unit.circuits.matrix_of import matrix_of
from unit.circuits.outcomes import assert_same_outcomes, outcomes

TYPED = """; ModuleID = 'teleport'
source_filename = "teleport"
%Qubit = type opaque
%Result = type opaque
@0 = internal constant [4 x i8] c"bob\\00"

define i64 @Teleport() local_unnamed_addr #0 {
entry:
  call void @__quantum__rt__initialize(i8* null)
  tail call void @__quantum__qis__ry__body(double 0x3FE6666666666666, %Qubit* null)
  call void @__quantum__qis__h__body(%Qubit* nonnull inttoptr (i64 1 to %Qubit*))
  call void @__quantum__qis__cnot__body(%Qubit* inttoptr (i64 1 to %Qubit*),
                                        %Qubit* inttoptr (i64 2 to %Qubit*))
  call void @__quantum__qis__cnot__body(%Qubit* null, %Qubit* inttoptr (i64 1 to %Qubit*))
  call void @__quantum__qis__h__body(%Qubit* null)
  call void @__quantum__qis__mz__body(%Qubit* null, %Result* writeonly null) #1
  call void @__quantum__qis__mz__body(%Qubit* inttoptr (i64 1 to %Qubit*),
                                      %Result* inttoptr (i64 1 to %Result*))
  %0 = tail call i1 @__quantum__rt__read_result(%Result* readonly inttoptr (i64 1 to %Result*))
  br i1 %0, label %then, label %next

then:                                             ; preds = %entry
  call void @__quantum__qis__x__body(%Qubit* inttoptr (i64 2 to %Qubit*))
  br label %next

next:
  %1 = call i1 @__quantum__rt__read_result(%Result* null)
  br i1 %1, label %turn, label %end
turn:
  call void @__quantum__qis__z__body(%Qubit* inttoptr (i64 2 to %Qubit*))
  br label %end
end:
  call void @__quantum__qis__mz__body(%Qubit* inttoptr (i64 2 to %Qubit*),
                                      %Result* inttoptr (i64 2 to %Result*))
  call void @__quantum__rt__array_record_output(i64 1, i8* getelementptr inbounds
    ([4 x i8], [4 x i8]* @0, i32 0, i32 0))
  call void @__quantum__rt__result_record_output(%Result* inttoptr (i64 2 to %Result*), i8* null)
  ret i64 0
}

declare void @__quantum__rt__initialize(i8*)
declare void @__quantum__qis__ry__body(double, %Qubit*)
declare void @__quantum__qis__h__body(%Qubit*)
declare void @__quantum__qis__x__body(%Qubit*)
declare void @__quantum__qis__z__body(%Qubit*)
declare void @__quantum__qis__cnot__body(%Qubit*, %Qubit*)
declare void @__quantum__qis__mz__body(%Qubit*, %Result* writeonly) #1
declare i1 @__quantum__rt__read_result(%Result* readonly)
declare void @__quantum__rt__array_record_output(i64, i8*)
declare void @__quantum__rt__result_record_output(%Result*, i8*)
attributes #0 = { nounwind "entry_point" "required_num_qubits"="3" "required_num_results"="3" }
attributes #1 = { "irreversible" }
!llvm.module.flags = !{!0}
!0 = !{i32 1, !"qir_major_version", i32 1}
"""
OPAQUE = re.sub(r"%(?:Qubit|Result)\*|i8\*|\[4 x i8\]\*", "ptr", TYPED)
WITH_DEBUG = TYPED.replace("null)\n", "null), !dbg !5\n").replace(" #0 {", " #0 !dbg !4 {") + (
    '!4 = distinct !DISubprogram(name: "Teleport", scope: !6)\n!5 = !DILocation(line: 1, scope: !4)\n'
)
HEAD = """define void @main() #0 {
entry:
  call void @__quantum__qis__h__body(ptr null)
  call void @__quantum__qis__mz__body(ptr null, ptr null)
  call void @__quantum__qis__h__body(ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))
  %a = call i1 @__quantum__rt__read_result(ptr null)
  %b = call i1 @__quantum__rt__read_result(ptr inttoptr (i64 1 to ptr))
"""
TAIL = """
}
attributes #0 = { "entry_point" "required_num_qubits"="3" "required_num_results"="3" }
"""
X2 = "call void @__quantum__qis__x__body(ptr inttoptr (i64 2 to ptr))\n"


def program(body: str) -> Circuit:
    """A program with two random results, %a and %b, before `body`."""
    return read(HEAD + body + TAIL)


def flipped_where(circuit: Circuit) -> set[int]:
    """For which values of the first two bits qubit 2 is 1 at the end."""
    last = circuit.copy()
    last.measure(2, 2)
    found = outcomes(last)
    assert_same_outcomes({bits & 3: weight for bits, weight in found.items()}, dict.fromkeys(range(4), 0.25))
    return {bits & 3 for bits in found if bits & 4}


# ---- what it is read from ----------------------------------------------------------------------------


def teleported() -> Circuit:
    circuit = Circuit(3, 2)
    circuit.add_register("bob", 1)
    circuit.ry(0.7, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    return circuit.measure(2, 2)


@pytest.mark.parametrize("text", [TYPED, OPAQUE, WITH_DEBUG, "\ufeff" + OPAQUE, OPAQUE.replace("\n", "\r\n")])
def test_typed_and_opaque_pointers(text: str) -> None:
    assert read(text) == teleported()


def test_opaque_text_has_no_typed_pointers() -> None:
    assert "Qubit*" in TYPED
    assert "*" not in OPAQUE.replace("; ", "")
    assert OPAQUE.count("ptr") > 20


def test_files_bytes_and_modules(tmp_path: Path) -> None:
    pyqir = pytest.importorskip("pyqir")
    module = pyqir.Module.from_ir(pyqir.Context(), OPAQUE)
    bitcode = module.bitcode
    (tmp_path / "a.ll").write_text(TYPED, encoding="utf-8")
    (tmp_path / "a.bc").write_bytes(bitcode)
    for source in (
        tmp_path / "a.ll",
        str(tmp_path / "a.bc"),
        tmp_path / "a.bc",
        bitcode,
        bytearray(bitcode),
        module,
    ):
        assert read(source) == teleported()


def test_pyqirs_own_programs() -> None:
    pyqir = pytest.importorskip("pyqir")
    simple = pyqir.SimpleModule("bell", num_qubits=2, num_results=2)
    qis = pyqir.BasicQisBuilder(simple.builder)
    qis.h(simple.qubits[0])
    qis.cx(simple.qubits[0], simple.qubits[1])
    qis.mz(simple.qubits[0], simple.results[0])
    qis.if_result(
        simple.results[0], one=lambda: qis.rz(0.1, simple.qubits[1]), zero=lambda: qis.t_adj(simple.qubits[1])
    )
    qis.mz(simple.qubits[1], simple.results[1])
    expected = Circuit(2, 2).h(0).cx(0, 1).measure(0)
    expected.if_(0, 1, Circuit(2).rz(0.1, 1), Circuit(2).tdg(1))
    expected.measure(1)
    assert read(simple) == read(simple.ir()) == read(simple.bitcode()) == expected


def test_a_module_without_attributes_has_its_only_definition_as_entry_point() -> None:
    text = HEAD.replace(" #0", "") + "ret void\n}"
    circuit = read(text)
    assert (circuit.num_qubits, circuit.num_clbits) == (2, 2)


# ---- instructions ------------------------------------------------------------------------------------

CALLS = [
    *((f"{name}__body", name, 0, 1) for name in "x y z h s t sx".split()),
    *((f"{name}__body", name, 1, 1) for name in "rx ry rz".split()),
    *((f"{name}__body", name, 1, 2) for name in "rxx ryy rzz".split()),
    *((f"{name}__body", name, 0, 2) for name in "cx cy cz swap".split()),
    ("cnot__body", "cx", 0, 2), ("ccx__body", "ccx", 0, 3), ("ccnot__body", "ccx", 0, 3),
    ("s__adj", "sdg", 0, 1), ("t__adj", "tdg", 0, 1), ("s_adj", "sdg", 0, 1), ("t_adj__body", "tdg", 0, 1),
    ("sx__adj", "sxdg", 0, 1), ("h__adj", "h", 0, 1), ("cx__adj", "cx", 0, 2),
]  # fmt: skip


@pytest.mark.parametrize("call,name,params,qubits", CALLS)
def test_every_quantum_instruction(call: str, name: str, params: int, qubits: int) -> None:
    args = ["double 2.500000e-01"] * params + [f"ptr inttoptr (i64 {q} to ptr)" for q in range(qubits)]
    circuit = program(f"call void @__quantum__qis__{call}({', '.join(args)})\nret void")
    expected = Circuit(3).append(name, range(qubits), [0.25] * params)
    assert circuit.instructions[4:] == expected.instructions


def test_the_adjoint_of_a_rotation_turns_back() -> None:
    circuit = program(
        "call void @__quantum__qis__rzz__adj(double 0.25, ptr null, ptr inttoptr (i64 1 to ptr))\nret void"
    )
    expected = np.diag(np.exp(0.125j * np.array([1, -1, -1, 1])))
    gates = Circuit(2).append(circuit.instructions[-1][0], [0, 1], circuit.instructions[-1][2])
    assert np.allclose(matrix_of(gates), expected)


def test_measurements_and_resets() -> None:
    circuit = program(
        "call void @__quantum__qis__m__body(ptr null, ptr null)\n"
        "call void @__quantum__qis__mresetz__body(ptr null, ptr inttoptr (i64 2 to ptr))\n"
        "call void @__quantum__qis__reset__body(ptr inttoptr (i64 1 to ptr))\n"
        "call void @__quantum__qis__barrier__body()\nret void"
    )
    assert (
        circuit.instructions[4:]
        == Circuit(3).measure(0, 0).measure(0, 2).reset([0, 1]).barrier().instructions
    )


def test_angles_are_computed_with_constants() -> None:
    circuit = program(
        "%x = fmul double 2.0, 0x3FB999999999999A\n%y = fadd double %x, 5.000000e-02\n%z = fneg double %y\n"
        "call void @__quantum__qis__rx__body(double %z, ptr null)\nret void"
    )
    assert circuit.instructions[-1][2] == pytest.approx((-0.25,))


# ---- conditions --------------------------------------------------------------------------------------

CONDITIONS = {
    "%c = and i1 %a, %b": {3},
    "%c = or i1 %a, %b": {1, 2, 3},
    "%c = xor i1 %a, %b": {1, 2},
    "%c = xor i1 %a, true": {0, 2},
    "%c = icmp eq i1 %a, %b": {0, 3},
    "%c = icmp ult i1 %a, %b": {2},
    "%c = icmp slt i1 %a, %b": {1},  # one bit with a sign: true is -1
    "%c = select i1 %a, i1 %b, i1 true": {0, 2, 3},
    "%c = or i1 true, %b": {0, 1, 2, 3},
    "%c = and i1 %a, false": set(),
    # Registers as integers.
    "%x = zext i1 %a to i64\n%y = zext i1 %b to i64\n%z = shl i64 %y, 1\n%r = or i64 %x, %z\n"
    "%c = icmp sge i64 %r, 2": {2, 3},
    "%x = zext i1 %a to i8\n%y = sext i1 %b to i8\n%r = sub i8 %x, %y\n%c = icmp eq i8 %r, 1": {1, 2},
    "%x = zext i1 %a to i8\n%y = mul i8 %x, 100\n%z = add i8 %y, 100\n%c = icmp slt i8 %z, 0": {1, 3},
    "%x = zext i1 %a to i64\n%y = sub i64 0, %x\n%z = ashr i64 %y, 3\n%c = trunc i64 %z to i1": {1, 3},
    "%x = sext i1 %a to i8\n%y = sdiv i8 %x, 2\n%z = srem i8 -7, 4\n%w = add i8 %y, %z\n"
    "%c = icmp eq i8 %w, -3": {0, 1, 2, 3},
    "%x = zext i1 %b to i8\n%y = lshr i8 255, %x\n%z = udiv i8 %y, 2\n%w = urem i8 %z, 64\n"
    "%c = icmp ne i8 %w, 63": set(),
}  # fmt: skip


@pytest.mark.parametrize("code", CONDITIONS)
def test_arithmetic_of_results(code: str) -> None:
    body = f"{code}\nbr i1 %c, label %then, label %end\nthen:\n{X2}br label %end\nend:\nret void"
    assert flipped_where(program(body)) == CONDITIONS[code]


def test_a_simple_condition_is_one_instruction() -> None:
    circuit = program(
        f"%n = xor i1 %b, true\n%c = and i1 %a, %n\nbr i1 %c, label %then, label %end\n"
        f"then:\n{X2}br label %end\nend:\nret void"
    )
    expected = Circuit(3, 3)
    expected.if_([0, 1], 1, Circuit(3).x(2))
    assert circuit.instructions[4:] == expected.instructions


def test_values_that_depend_on_the_way() -> None:
    body = f"""br i1 %a, label %one, label %zero
one:
  br i1 %b, label %both, label %meet
both:
  br label %meet
zero:
  br label %meet
meet:
  %p = phi i8 [ 1, %one ], [ 2, %both ], [ 3, %zero ]
  %c = icmp eq i8 %p, 2
  br i1 %c, label %then, label %end
then:
  {X2}  br label %end
end:
  ret void"""
    assert flipped_where(program(body)) == {3}


def test_both_sides_may_lead_to_the_same_block() -> None:
    """Or, as compilers write it: %a, else %b, then the block."""
    body = f"""br i1 %a, label %then, label %try
try:
  br i1 %b, label %then, label %end
then:
  {X2}  br label %end
end:
  ret void"""
    assert flipped_where(program(body)) == {1, 2, 3}


def test_two_returns() -> None:
    body = f"br i1 %a, label %one, label %two\none:\n{X2}ret void\ntwo:\nret void"
    assert flipped_where(program(body)) == {1, 3}


def test_branches_on_constants_are_followed() -> None:
    body = f"br i1 true, label %then, label %end\nthen:\n{X2}br label %end\nend:\nret void"
    assert program(body).count_ops() == {"h": 2, "measure": 2, "x": 1}


def test_a_result_that_was_never_measured_is_0() -> None:
    body = f"""%c = call i1 @__quantum__rt__read_result(ptr inttoptr (i64 2 to ptr))
br i1 %c, label %then, label %end
then:
{X2}br label %end
end:
ret void"""
    assert "if" not in program(body).count_ops()


def test_measured_in_one_branch_read_after_it() -> None:
    body = f"""br i1 %a, label %then, label %meet
then:
call void @__quantum__qis__x__body(ptr inttoptr (i64 1 to ptr))
call void @__quantum__qis__mz__body(ptr null, ptr inttoptr (i64 2 to ptr))
br label %meet
meet:
%c = call i1 @__quantum__rt__read_result(ptr inttoptr (i64 2 to ptr))
br i1 %c, label %flip, label %end
flip:
{X2}br label %end
end:
ret void"""
    circuit = program(body)
    circuit.measure(2, 2)
    found = {bits for bits, weight in outcomes(circuit).items() if weight > 1e-9}
    assert {bits >> 2 for bits in found if bits & 1} == {1}
    assert {bits >> 2 for bits in found if not bits & 1} == {0}


# ---- output ------------------------------------------------------------------------------------------


def record(kind: str, value: str, label: str = "null") -> str:
    return f"call void @__quantum__rt__{kind}_record_output({value}, ptr {label})\n"


R = ["ptr null", "ptr inttoptr (i64 1 to ptr)", "ptr inttoptr (i64 2 to ptr)"]


def test_results_recorded_alone_come_in_their_order() -> None:
    circuit = program(
        record("tuple", "i64 2") + record("result", R[2]) + record("bool", "i1 %b") + "ret void"
    )
    assert not circuit.registers
    assert [op[2] for op in circuit if op[0].name == "measure"] == [(2,), (1,)]  # results 0 and 1


def test_arrays_in_a_tuple_are_registers() -> None:
    text = (
        HEAD
        + (
            record("tuple", "i64 2")
            + record("array", "i64 2", "@u")
            + record("result", R[1])
            + record("result", R[2])
            + record("array", "i64 1", "@u")
            + record("result", R[0])
            + "ret void"
        )
        + TAIL
        + '@u = internal constant [2 x i8] c"u\\00"\n'
    )
    circuit = read(text)
    assert [(r.name, r.start, r.size) for r in circuit.registers] == [("u", 0, 2), ("u_2", 2, 1)]
    assert [op[2] for op in circuit if op[0].name == "measure"] == [(2,), (0,)]


# ---- what is refused ---------------------------------------------------------------------------------

REFUSED = {
    "a loop leads back to 'again'": "br label %again\n"
    "again:\nbr i1 %a, label %again, label %end\nend:\nret void",
    "not allocated": "%q = call ptr @__quantum__rt__qubit_allocate()\nret void",
    "function '__quantum__qis__v__body' is unknown": "call void @__quantum__qis__v__body(ptr null)\nret void",
    "function 'puts' is unknown": "call i32 @puts(ptr null)\nret void",
    "ends with 'switch": "switch i64 0, label %end [ i64 1, label %end\n i64 2, label %end ]\nend:\nret void",
    "ends with 'unreachable'": "unreachable",
    "instruction 'alloca' cannot": "%x = alloca i64\nret void",
    "instruction 'load' cannot": "%x = load i64, ptr null\nret void",
    "exit code other than 0": "ret i64 1",
    "measured again after it was read": "call void @__quantum__qis__mz__body(ptr null, ptr null)\n"
    "br i1 %a, label %x, label %y\nx:\nret void\ny:\nret void",
    "angle depends on a measurement": "%x = select i1 %a, double 0.5, double 0.25\n"
    "call void @__quantum__qis__rx__body(double %x, ptr null)\nret void",
    "qubit is no constant": "%n = zext i1 %a to i64\n%q = inttoptr i64 %n to ptr\n"
    "call void @__quantum__qis__x__body(ptr %q)\nret void",
    "recorded under a condition": "br i1 %a, label %x, label %y\nx:\n" + record("result", R[0])
    + "br label %y\ny:\nret void",
    "recorded twice": record("result", R[0]) + record("result", R[0]) + "ret void",
    "truth value is no measurement": "%c = and i1 %a, %b\n" + record("bool", "i1 %c") + "ret void",
    "a recorded int": record("int", "i64 3") + "ret void",
    "instead of 2": "call void @__quantum__qis__cnot__body(ptr null)\nret void",
    "division by zero": "%x = udiv i64 1, 0\nret void",
    "shift by 70": "%x = shl i64 1, 70\nret void",
    "'poison' cannot": "%x = add i64 1, poison\nret void",
    "%nowhere is not known": "br i1 %nowhere, label %x, label %y\nx:\nret void\ny:\nret void",
    "at most 64 bits": "%x = add i128 1, 2\nret void",
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused(words: str) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(words)) as caught:
        program(REFUSED[words])
    line = caught.value.line
    assert line > 1
    assert caught.value.text == (HEAD + REFUSED[words] + TAIL).splitlines()[line - 1]
    assert caught.value.rule


def test_the_whole_value_of_many_results_cannot_be_followed() -> None:
    count = 12
    lines = [f"call void @__quantum__qis__h__body(ptr inttoptr (i64 {q} to ptr))" for q in range(count)]
    for q in range(count):
        lines.append(
            f"call void @__quantum__qis__mz__body({', '.join([f'ptr inttoptr (i64 {q} to ptr)'] * 2)})"
        )
        lines.append(f"%r{q} = call i1 @__quantum__rt__read_result(ptr inttoptr (i64 {q} to ptr))")
    lines += ["%s0 = xor i1 %r0, false"] + [f"%s{q} = xor i1 %s{q - 1}, %r{q}" for q in range(1, count)]
    with pytest.raises(UnsupportedError, match="depends on 11 results"):
        read("define void @main() {\n" + "\n".join(lines) + "\nret void\n}")


MALFORMED = {
    "3 in": (HEAD + "call void @__quantum__qis__x__body(ptr inttoptr (i64 3 to ptr))\nret void" + TAIL),
    "no block 'b'": HEAD + "br label %b" + TAIL,
    "never closed": HEAD + "ret void",
    "begins no statement": "frobnicate @__quantum__",
    "0 entry points": "declare void @__quantum__qis__x__body(ptr)",
    "is no value": HEAD + "%x = add i64 1, twelve\nret void" + TAIL,
    "is no part of": HEAD + "~\nret void" + TAIL,
    "two blocks": HEAD + "br label %entry\nentry:\nret void" + TAIL,
    "no number of qubits": HEAD + "ret void" + TAIL.replace('qubits"="3"', 'qubits"="many"'),
    "takes arguments": HEAD.replace("main()", "main(i64 %x)") + "ret void" + TAIL,
    "without name": "define void {\nret void\n}",
}


@pytest.mark.parametrize("words", MALFORMED)
def test_malformed_text(words: str) -> None:
    with pytest.raises(SyntaxReadError, match=words) as caught:
        read_text(MALFORMED[words])
    assert caught.value.line >= 1


def test_other_errors(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="2 entry points"):
        read(HEAD + "ret void" + TAIL + HEAD.replace("main", "other") + "ret void\n}")
    with pytest.raises(CircuitError, match="named twice"):
        program("call void @__quantum__qis__cnot__body(ptr null, ptr null)\nret void")
    with pytest.raises(CircuitError, match="finite"):
        program("call void @__quantum__qis__rx__body(double 0x7FF0000000000000, ptr null)\nret void")
    with pytest.raises(SourceKindError):
        read(b"define void @main() { }")
    (tmp_path / "x.bc").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceFileError, match="UTF-8"):
        read(tmp_path / "x.bc")
