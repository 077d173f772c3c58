"""Builder methods, one per gate. Written by method_writer.py from the gate table: do not edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Self

from qrealm.base.errors import ParameterError
from qrealm.circuits.parameters import ParameterExpression

Qubits = int | Iterable[int]
Angle = float | ParameterExpression


class GateMethods(ABC):
    """Angles first, then controls, then targets, as in Qiskit. Each returns the circuit."""

    __slots__ = ()

    @abstractmethod
    def _each(self, name: str, qubits: Qubits, params: tuple[Any, ...] = ()) -> Self:
        """Appends a one-qubit gate to each of the qubits."""

    @abstractmethod
    def append(self, name: str, qubits: Sequence[int], params: Sequence[Any] = ()) -> Self:
        """Appends a gate by its name."""

    def delay(self, duration_ns: Angle, qubit: Qubits) -> Self:
        """Waits, on one qubit or several. Without noise nothing happens; `NoiseModel.idle` relaxes them.

        Raises:
            ParameterError: a time below 0 or not finite.
        """
        if isinstance(duration_ns, int | float) and duration_ns < 0:
            raise ParameterError(f"delay got the time {duration_ns!r} ns; the rule is 0 or more")
        return self._each("delay", qubit, (duration_ns,))

    def id(self, qubit: Qubits) -> Self:
        """Identity: does nothing. One qubit or several."""
        return self._each("id", qubit)

    def x(self, qubit: Qubits) -> Self:
        """Pauli X: bit flip. One qubit or several."""
        return self._each("x", qubit)

    def y(self, qubit: Qubits) -> Self:
        """Pauli Y. One qubit or several."""
        return self._each("y", qubit)

    def z(self, qubit: Qubits) -> Self:
        """Pauli Z: phase flip. One qubit or several."""
        return self._each("z", qubit)

    def h(self, qubit: Qubits) -> Self:
        """Hadamard. One qubit or several."""
        return self._each("h", qubit)

    def s(self, qubit: Qubits) -> Self:
        """Square root of Z: diag(1, i). One qubit or several."""
        return self._each("s", qubit)

    def sdg(self, qubit: Qubits) -> Self:
        """Inverse of S. One qubit or several."""
        return self._each("sdg", qubit)

    def t(self, qubit: Qubits) -> Self:
        """Fourth root of Z. One qubit or several."""
        return self._each("t", qubit)

    def tdg(self, qubit: Qubits) -> Self:
        """Inverse of T. One qubit or several."""
        return self._each("tdg", qubit)

    def sx(self, qubit: Qubits) -> Self:
        """Square root of X. One qubit or several."""
        return self._each("sx", qubit)

    def sxdg(self, qubit: Qubits) -> Self:
        """Inverse of SX. One qubit or several."""
        return self._each("sxdg", qubit)

    def sy(self, qubit: Qubits) -> Self:
        """Square root of Y. One qubit or several."""
        return self._each("sy", qubit)

    def sydg(self, qubit: Qubits) -> Self:
        """Inverse of SY. One qubit or several."""
        return self._each("sydg", qubit)

    def rx(self, theta: Angle, qubit: Qubits) -> Self:
        """Rotation about X by theta. One qubit or several."""
        return self._each("rx", qubit, (theta,))

    def ry(self, theta: Angle, qubit: Qubits) -> Self:
        """Rotation about Y by theta. One qubit or several."""
        return self._each("ry", qubit, (theta,))

    def rz(self, phi: Angle, qubit: Qubits) -> Self:
        """Rotation about Z by phi: diag(e^(-i phi/2), e^(i phi/2)). One qubit or several."""
        return self._each("rz", qubit, (phi,))

    def p(self, lam: Angle, qubit: Qubits) -> Self:
        """Phase: diag(1, e^(i lam)). One qubit or several."""
        return self._each("p", qubit, (lam,))

    def u(self, theta: Angle, phi: Angle, lam: Angle, qubit: Qubits) -> Self:
        """Any rotation, as OpenQASM 3's U. One qubit or several."""
        return self._each("u", qubit, (theta, phi, lam,))

    def u2(self, phi: Angle, lam: Angle, qubit: Qubits) -> Self:
        """U(pi/2, phi, lam). One qubit or several."""
        return self._each("u2", qubit, (phi, lam,))

    def r(self, theta: Angle, phi: Angle, qubit: Qubits) -> Self:
        """Rotation by theta about cos(phi) X + sin(phi) Y. One qubit or several."""
        return self._each("r", qubit, (theta, phi,))

    def rv(self, vx: Angle, vy: Angle, vz: Angle, qubit: Qubits) -> Self:
        """Rotation by |v| about v = (vx, vy, vz). One qubit or several."""
        return self._each("rv", qubit, (vx, vy, vz,))

    def swap(self, qubit0: int, qubit1: int) -> Self:
        """Swaps two qubits."""
        return self.append("swap", (qubit0, qubit1))

    def iswap(self, qubit0: int, qubit1: int) -> Self:
        """Swaps two qubits with a phase i."""
        return self.append("iswap", (qubit0, qubit1))

    def iswapdg(self, qubit0: int, qubit1: int) -> Self:
        """Inverse of iSWAP."""
        return self.append("iswapdg", (qubit0, qubit1))

    def siswap(self, qubit0: int, qubit1: int) -> Self:
        """Square root of iSWAP."""
        return self.append("siswap", (qubit0, qubit1))

    def siswapdg(self, qubit0: int, qubit1: int) -> Self:
        """Inverse of the square root of iSWAP."""
        return self.append("siswapdg", (qubit0, qubit1))

    def dcx(self, qubit0: int, qubit1: int) -> Self:
        """CX one way, then CX the other."""
        return self.append("dcx", (qubit0, qubit1))

    def ecr(self, qubit0: int, qubit1: int) -> Self:
        """Echoed cross-resonance: (IX - XY)/sqrt(2)."""
        return self.append("ecr", (qubit0, qubit1))

    def rxx(self, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/2 XX)."""
        return self.append("rxx", (qubit0, qubit1), (theta,))

    def ryy(self, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/2 YY)."""
        return self.append("ryy", (qubit0, qubit1), (theta,))

    def rzz(self, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/2 ZZ)."""
        return self.append("rzz", (qubit0, qubit1), (theta,))

    def rzx(self, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/2 ZX): Z on the first qubit, X on the second."""
        return self.append("rzx", (qubit0, qubit1), (theta,))

    def xx_plus_yy(self, theta: Angle, beta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/4 (XX + YY)), turned by beta."""
        return self.append("xx_plus_yy", (qubit0, qubit1), (theta, beta,))

    def xx_minus_yy(self, theta: Angle, beta: Angle, qubit0: int, qubit1: int) -> Self:
        """exp(-i theta/4 (XX - YY)), turned by beta."""
        return self.append("xx_minus_yy", (qubit0, qubit1), (theta, beta,))

    def cx(self, control: int, target: int) -> Self:
        """Controlled X."""
        return self.append("cx", (control, target))

    def cy(self, control: int, target: int) -> Self:
        """Controlled Y."""
        return self.append("cy", (control, target))

    def cz(self, control: int, target: int) -> Self:
        """Controlled Z."""
        return self.append("cz", (control, target))

    def ch(self, control: int, target: int) -> Self:
        """Controlled Hadamard."""
        return self.append("ch", (control, target))

    def cs(self, control: int, target: int) -> Self:
        """Controlled S."""
        return self.append("cs", (control, target))

    def csdg(self, control: int, target: int) -> Self:
        """Controlled inverse of S."""
        return self.append("csdg", (control, target))

    def csx(self, control: int, target: int) -> Self:
        """Controlled square root of X."""
        return self.append("csx", (control, target))

    def csxdg(self, control: int, target: int) -> Self:
        """Controlled inverse of SX."""
        return self.append("csxdg", (control, target))

    def crx(self, theta: Angle, control: int, target: int) -> Self:
        """Controlled RX."""
        return self.append("crx", (control, target), (theta,))

    def cry(self, theta: Angle, control: int, target: int) -> Self:
        """Controlled RY."""
        return self.append("cry", (control, target), (theta,))

    def crz(self, phi: Angle, control: int, target: int) -> Self:
        """Controlled RZ."""
        return self.append("crz", (control, target), (phi,))

    def cp(self, lam: Angle, control: int, target: int) -> Self:
        """Controlled phase."""
        return self.append("cp", (control, target), (lam,))

    def cu3(self, theta: Angle, phi: Angle, lam: Angle, control: int, target: int) -> Self:
        """Controlled U(theta, phi, lam)."""
        return self.append("cu3", (control, target), (theta, phi, lam,))

    def cu(self, theta: Angle, phi: Angle, lam: Angle, gamma: Angle, control: int, target: int) -> Self:
        """Controlled e^(i gamma) U(theta, phi, lam)."""
        return self.append("cu", (control, target), (theta, phi, lam, gamma,))

    def cswap(self, control: int, target0: int, target1: int) -> Self:
        """Controlled swap (Fredkin)."""
        return self.append("cswap", (control, target0, target1))

    def ccx(self, control0: int, control1: int, target: int) -> Self:
        """Toffoli: X with two controls."""
        return self.append("ccx", (control0, control1, target))

    def ccz(self, control0: int, control1: int, target: int) -> Self:
        """Z with two controls."""
        return self.append("ccz", (control0, control1, target))

    def c3x(self, control0: int, control1: int, control2: int, target: int) -> Self:
        """X with three controls."""
        return self.append("c3x", (control0, control1, control2, target))

    def c4x(self, control0: int, control1: int, control2: int, control3: int, target: int) -> Self:
        """X with four controls."""
        return self.append("c4x", (control0, control1, control2, control3, target))

    def c3sx(self, control0: int, control1: int, control2: int, target: int) -> Self:
        """Square root of X with three controls."""
        return self.append("c3sx", (control0, control1, control2, target))

    def mcx(self, controls: Sequence[int], target: int) -> Self:
        """X with any number of controls."""
        return self.append("mcx", (*controls, target))

    def mcy(self, controls: Sequence[int], target: int) -> Self:
        """Y with any number of controls."""
        return self.append("mcy", (*controls, target))

    def mcz(self, controls: Sequence[int], target: int) -> Self:
        """Z with any number of controls."""
        return self.append("mcz", (*controls, target))

    def mcp(self, lam: Angle, controls: Sequence[int], target: int) -> Self:
        """Phase with any number of controls."""
        return self.append("mcp", (*controls, target), (lam,))

    def mcrx(self, theta: Angle, controls: Sequence[int], target: int) -> Self:
        """RX with any number of controls."""
        return self.append("mcrx", (*controls, target), (theta,))

    def mcry(self, theta: Angle, controls: Sequence[int], target: int) -> Self:
        """RY with any number of controls."""
        return self.append("mcry", (*controls, target), (theta,))

    def mcrz(self, phi: Angle, controls: Sequence[int], target: int) -> Self:
        """RZ with any number of controls."""
        return self.append("mcrz", (*controls, target), (phi,))

    def rccx(self, qubit0: int, qubit1: int, qubit2: int) -> Self:
        """Toffoli up to relative phases (Margolus)."""
        return self.append("rccx", (qubit0, qubit1, qubit2))

    def rcccx(self, qubit0: int, qubit1: int, qubit2: int, qubit3: int) -> Self:
        """Three-control X up to relative phases."""
        return self.append("rcccx", (qubit0, qubit1, qubit2, qubit3))

    def gpi(self, phi: Angle, qubit: Qubits) -> Self:
        """IonQ GPI; phi in turns. One qubit or several."""
        return self._each("gpi", qubit, (phi,))

    def gpi2(self, phi: Angle, qubit: Qubits) -> Self:
        """IonQ GPI2; phi in turns. One qubit or several."""
        return self._each("gpi2", qubit, (phi,))

    def ms(self, phi0: Angle, phi1: Angle, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """IonQ Molmer-Sorensen; phases and theta in turns."""
        return self.append("ms", (qubit0, qubit1), (phi0, phi1, theta,))

    def zz(self, theta: Angle, qubit0: int, qubit1: int) -> Self:
        """IonQ native ZZ; theta in turns."""
        return self.append("zz", (qubit0, qubit1), (theta,))

    def cnot(self, control: int, target: int) -> Self:
        """Controlled X."""
        return self.append("cx", (control, target))

    def toffoli(self, control0: int, control1: int, target: int) -> Self:
        """Toffoli: X with two controls."""
        return self.append("ccx", (control0, control1, target))

    def fredkin(self, control: int, target0: int, target1: int) -> Self:
        """Controlled swap (Fredkin)."""
        return self.append("cswap", (control, target0, target1))

    def u1(self, lam: Angle, qubit: Qubits) -> Self:
        """Phase: diag(1, e^(i lam)). One qubit or several."""
        return self._each("p", qubit, (lam,))

    def u3(self, theta: Angle, phi: Angle, lam: Angle, qubit: Qubits) -> Self:
        """Any rotation, as OpenQASM 3's U. One qubit or several."""
        return self._each("u", qubit, (theta, phi, lam,))

    def cu1(self, lam: Angle, control: int, target: int) -> Self:
        """Controlled phase."""
        return self.append("cp", (control, target), (lam,))

    def phase(self, lam: Angle, qubit: Qubits) -> Self:
        """Phase: diag(1, e^(i lam)). One qubit or several."""
        return self._each("p", qubit, (lam,))
