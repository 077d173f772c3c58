"""Every exception that qrealm raises on purpose, with a code that never changes its meaning.

    QrealmError
    ├── UserError                   the caller can mend it; the command line exits with 2
    │   ├── CircuitError        QR100   a circuit was built wrongly (also a ValueError)
    │   │   ├── UnknownGateError    QR101   no gate of this name
    │   │   ├── GateShapeError      QR102   wrong number of qubits, controls or parameters
    │   │   ├── QubitError          QR103   a qubit or classical bit out of range, or named twice
    │   │   ├── ParameterError      QR104   NaN, infinite, unbound, unknown or not a number
    │   │   ├── MatrixError         QR105   not square, wrong size, not unitary
    │   │   ├── StateError          QR106   an initial state of wrong length or norm
    │   │   ├── NotUnitaryError     QR107   measurement, reset or condition where only gates can stand
    │   │   ├── ObservableError     QR108   a Pauli sum that cannot be read or is not Hermitian
    │   │   └── ChannelError        QR109   noise that no physical process makes
    │   ├── ReadError           QR120   a program could not be read (also a ValueError)
    │   │   ├── SyntaxReadError     QR121   the text breaks a rule of its language
    │   │   ├── UnsupportedError    QR122   valid, but outside what qrealm can run
    │   │   ├── SourceKindError     QR123   not a kind of source that qrealm knows
    │   │   ├── SourceFileError     QR124   the file is missing or cannot be read
    │   │   └── SchemaError         QR125   JSON or dict with a missing, unknown or wrong field
    │   ├── WriteError          QR140   the circuit cannot be expressed in the wanted format
    │   ├── ResourceError       QR200   the machine has too little of something
    │   │   └── TooLargeError       QR201   more memory needed than there is
    │   ├── RequestError        QR300   a run was asked for with an impossible option (also a ValueError)
    │   │   ├── UnknownBackendError QR301   no backend of this name
    │   │   └── BackendRefusalError QR302   the backend cannot run this circuit; the hint names those that can
    │   ├── ProblemError        QR330   an optimization problem that cannot be stated (also a ValueError)
    │   │   ├── InfeasibleError     QR331   no answer keeps all demands; carries the conflict
    │   │   └── SolverRefusalError  QR332   the solver cannot take this problem
    │   ├── MissingExtraError   QR400   an optional package is not installed (also an ImportError)
    │   ├── MissingNameError    QR401   a name of `qrealm` that needs such a package (also an AttributeError)
    │   ├── ConfigError         QR410   a configuration or cluster file breaks a rule; tells file and line
    │   ├── EngineRefusalError  QR502   a container engine said no
    │   │   ├── ImageError          QR503   the image is not there and cannot be fetched
    │   │   ├── NameTakenError      QR504   another container has this name
    │   │   ├── CommandNotFoundError    QR505   the container's command is not in its image
    │   │   └── CommandNotRunnableError QR506   the container's command is there and cannot be run
    │   ├── NoSuchContainerError    QR507   no container, node or cluster of this name
    │   ├── RegisterError       QR520   something that a container's register of qubits cannot do
    │   ├── NoRoomError         QR521   no node takes the container
    │   └── MessageRefusalError QR530   a message that cannot be sent, or not in secret
    ├── EngineUnavailableError  QR501   a container engine does not answer
    │   └── NodeDownError           QR508   its cluster says that the node is down
    ├── StoreError              QR540   the database cannot be read or written
    ├── DaemonError             QR550   the daemon does not run, runs already, or broke off
    ├── RunError                QR310   a run failed for a reason outside the caller's program
    ├── CancelledRunError       QR311   whoever asked for the run cancelled it
    └── InternalError           QR900   a promise inside qrealm was broken: please report it

`QrealmWarning` is no error: an answer came, and its numbers do not show all that there is to know.

A message says what was called, what came and the rule; the hint says the fix. `str(error)` is
``"QR103: message"`` and, where there is a hint, a second line ``"hint: ..."``.
"""

from __future__ import annotations

from typing import ClassVar

from qrealm.base.units import format_gib


class QrealmError(Exception):
    """Base of every error that qrealm raises on purpose.

    Attributes:
        code: stable identifier such as ``"QR103"``.
        message: what was called, what came, the rule.
        hint: what to do about it; empty when there is nothing to add.
        exit_code: what the command line exits with.
    """

    code: ClassVar[str] = "QR000"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text}\nhint: {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders: rebuild from the attributes, whatever the subclass's signature.
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(kind: type[QrealmError], args: tuple[object, ...], state: dict[str, object]) -> QrealmError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UserError(QrealmError):
    """The caller can mend it."""

    code: ClassVar[str] = "QR001"
    exit_code: ClassVar[int] = 2


class CircuitError(UserError, ValueError):
    """A circuit was built wrongly."""

    code = "QR100"


class UnknownGateError(CircuitError):
    """No gate of this name or alias is in the gate table."""

    code = "QR101"


class GateShapeError(CircuitError):
    """A gate got the wrong number of qubits, controls or parameters."""

    code = "QR102"


class QubitError(CircuitError):
    """A qubit or classical bit is out of range, named twice, or not an integer."""

    code = "QR103"


class ParameterError(CircuitError):
    """A parameter is NaN, infinite, unbound, unknown or not a real number."""

    code = "QR104"


class MatrixError(CircuitError):
    """A matrix is not square, has the wrong size, or is not unitary."""

    code = "QR105"


class StateError(CircuitError):
    """An initial state has the wrong length, the wrong norm or wrong characters."""

    code = "QR106"


class NotUnitaryError(CircuitError):
    """A measurement, reset, initial state or condition stands where only gates can stand."""

    code = "QR107"


class ObservableError(CircuitError):
    """A Pauli sum cannot be read, or is not Hermitian where it must be."""

    code = "QR108"


class ChannelError(CircuitError):
    """Noise that no physical process makes: not trace preserving, not completely positive, T2 > 2 T1."""

    code = "QR109"


class ReadError(UserError, ValueError):
    """A program could not be read.

    Attributes:
        source: name of the file, or ``"<text>"``.
        line: 1-based line, 0 when there is none.
        column: 1-based column, 0 when there is none.
        text: the offending line of the source, as it was written.
        rule: the rule of the language or schema that it breaks.
    """

    code = "QR120"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        source: str = "<text>",
        line: int = 0,
        column: int = 0,
        text: str = "",
        rule: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.line = line
        self.column = column
        self.text = text
        self.rule = rule

    def __str__(self) -> str:
        place = f"{self.source}, line {self.line}, column {self.column}: " if self.line else ""
        lines = [f"{self.code}: {place}{self.message}"]
        if self.text:
            lines.append(f"    {self.text}")
            if self.column and self.column <= len(self.text) + 1:
                lines.append("    " + " " * (self.column - 1) + "^")
        if self.rule:
            lines.append(f"rule: {self.rule}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class SyntaxReadError(ReadError):
    """The text breaks a rule of its language."""

    code = "QR121"


class UnsupportedError(ReadError):
    """Valid in its language, but outside what qrealm can run."""

    code = "QR122"


class SourceKindError(ReadError, TypeError):
    """Not a kind of source that qrealm knows how to read."""

    code = "QR123"


class SourceFileError(ReadError):
    """The file is missing, is a folder, is not text, or cannot be opened."""

    code = "QR124"


class SchemaError(ReadError):
    """A dict or JSON program has a missing, unknown or wrong field; `rule` names where."""

    code = "QR125"


class WriteError(UserError, ValueError):
    """The circuit holds something that the wanted format has no words for."""

    code = "QR140"


class ResourceError(UserError):
    """The machine has too little of something."""

    code = "QR200"


class TooLargeError(ResourceError):
    """A run needs more memory than there is. Raised before anything is allocated.

    Attributes:
        needed_bytes: memory that the run needs.
        available_bytes: memory that there is for it.

    Args:
        rule: what the limit is where it is not the memory of this machine; told in place of the memory.
    """

    code = "QR201"

    def __init__(
        self, what: str, *, needed_bytes: int, available_bytes: int, hint: str = "", rule: str = ""
    ) -> None:
        self.needed_bytes = needed_bytes
        self.available_bytes = available_bytes
        super().__init__(
            f"{what}; {rule}"
            if rule
            else f"{what} needs {format_gib(needed_bytes)} of memory; "
            f"{format_gib(available_bytes)} are available",
            hint=hint
            or "use single precision (half the memory) or fewer qubits (half per qubit), "
            "or another backend or a larger machine",
        )


class RequestError(UserError, ValueError):
    """A run was asked for with an option that is unknown, out of range or contradicts another."""

    code = "QR300"


class UnknownBackendError(RequestError):
    """No backend of this name is installed."""

    code = "QR301"


class BackendRefusalError(RequestError):
    """A backend cannot run this circuit: a gate that it does not know, noise, too many qubits."""

    code = "QR302"


class RunError(QrealmError):
    """A run failed for a reason outside the caller's program."""

    code = "QR310"


class CancelledRunError(QrealmError):
    """Whoever asked for the run cancelled it."""

    code = "QR311"


class ProblemError(UserError, ValueError):
    """An optimization problem with NaN, a negative capacity, a contradiction, or an unknown name."""

    code = "QR330"


class InfeasibleError(ProblemError):
    """No answer keeps all demands.

    Attributes:
        conflict: demands that cannot hold together, in words; as few as were found.
        proven: whether it is proven that no answer exists; else none was found in the time.
    """

    code = "QR331"

    def __init__(
        self, message: str, *, conflict: tuple[str, ...] = (), proven: bool = True, hint: str = ""
    ) -> None:
        self.conflict = conflict
        self.proven = proven
        super().__init__(message, hint=hint)


class SolverRefusalError(ProblemError):
    """A solver cannot take this problem; the hint names those that can."""

    code = "QR332"


class MissingExtraError(UserError, ImportError):
    """An optional package is needed and not installed.

    Attributes:
        package: the package that could not be imported.
        extra: the extra of qrealm that brings it.
    """

    code = "QR400"

    def __init__(self, what: str, *, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{what} needs the package {package!r}, which is not installed",
            hint=f'pip install "qrealm[{extra}]"',
        )


class MissingNameError(UserError, AttributeError):
    """A name of `qrealm` needs an optional package that is not installed; so it is not there, and `hasattr`
    says so.

    Attributes:
        package, extra: as of `MissingExtraError`, which is its cause.
    """

    code = "QR401"

    def __init__(self, name: str, problem: MissingExtraError) -> None:
        self.package = problem.package
        self.extra = problem.extra
        super().__init__(f"qrealm.{name} is not there: {problem.message}", hint=problem.hint)


class ConfigError(UserError, ValueError):
    """A configuration or cluster file breaks a rule.

    Attributes:
        file: its path as it was given.
        line: from 1; None where there is none to name.
        key: path of the key, as ``"containers[1].image"``; may be empty.
    """

    code = "QR410"

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, key: str = "", hint: str = ""
    ) -> None:
        self.file = file
        self.line = line
        self.key = key
        place = ":".join(str(part) for part in (file, line) if part)
        super().__init__(f"{place}: {message}" if place else message, hint=hint)


class EngineUnavailableError(QrealmError):
    """A container engine does not answer: it is not running, cannot be reached, or takes too long."""

    code = "QR501"


class EngineRefusalError(UserError):
    """A container engine answered no."""

    code = "QR502"


class ImageError(EngineRefusalError):
    """An image is not on the engine and cannot be fetched."""

    code = "QR503"


class NameTakenError(EngineRefusalError):
    """Another container has this name."""

    code = "QR504"


class CommandNotFoundError(EngineRefusalError):
    """The command of a container, or one to run inside it, is not in its image."""

    code = "QR505"


class CommandNotRunnableError(EngineRefusalError):
    """The command of a container, or one to run inside it, is there and cannot be run."""

    code = "QR506"


class NoSuchContainerError(UserError, LookupError):
    """No container, node or cluster of this name."""

    code = "QR507"


class NodeDownError(EngineUnavailableError):
    """The cluster that a node belongs to says that it is down: nobody has to wait and see."""

    code = "QR508"


class RegisterError(UserError, ValueError):
    """Something that a container's register of qubits cannot do: too many qubits, an unknown gate, a relation
    that contradicts another."""

    code = "QR520"


class NoRoomError(ResourceError):
    """No node takes the container; the message says what each lacks."""

    code = "QR521"


class MessageRefusalError(UserError):
    """A message that cannot be sent, or not in secret."""

    code = "QR530"


class StoreError(QrealmError):
    """The database cannot be read or written: a full disk, a damaged file, or somebody else holds it."""

    code = "QR540"


class DaemonError(QrealmError):
    """The daemon does not run, runs already, or broke off in the middle of a call."""

    code = "QR550"


class QrealmWarning(UserWarning):
    """An answer came, and there is something to know about it that its numbers do not show."""


class InternalError(QrealmError):
    """A promise inside qrealm was broken. This is a bug in qrealm, not in the caller's program."""

    code = "QR900"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "this is a bug in qrealm: please report it with the program")
