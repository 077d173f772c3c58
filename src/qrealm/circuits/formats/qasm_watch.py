"""Keeps watch over pyqasm while it unrolls: where it is, how much it does, and how large its numbers grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qrealm.base.errors import UnsupportedError
from qrealm.circuits.circuit import CLBITS_MAX, QUBITS_MAX

INTEGER_BITS_MAX = 1024
"""Longest integer of constant arithmetic: ``10**10**10`` would take hours and all memory."""

TYPE_BITS_MAX = 2048
"""Widest classical type: pyqasm computes 2 to this power for every value."""

ARRAY_ENTRIES_MAX = 1_000_000
"""Most entries of a classical array, which pyqasm makes at once."""

Place = tuple[int, int]
"""1-based line and column."""


class Watch:
    """What one unrolling does. `place` is where the statement under work stands."""

    def __init__(self, steps_max: int, turns_max: int) -> None:
        self.steps_max = steps_max
        self.turns_max = turns_max
        self.steps = 0
        self.place: Place = (0, 0)
        self.bits: dict[str, int] = {}  # pyqasm's own map of the classical registers
        self.undecided = 0  # how many conditions on bits are open

    def step(self) -> None:
        """One more statement, gate or turn of a loop."""
        self.steps += 1
        if self.steps > self.steps_max:
            raise self.refused(
                f"the program unrolls to more than {self.steps_max} gates and statements",
                "loops of moderate size",
            )

    def refused(self, message: str, rule: str) -> UnsupportedError:
        """The error for the statement under work."""
        return UnsupportedError(message, rule=rule, line=self.place[0], column=self.place[1])

    def attach(self, visitor: Any) -> Any:
        """Lets pyqasm's visitor report every statement and every turn of a loop."""
        import openqasm3.ast as ast

        visit, declare = visitor.visit_statement, visitor._visit_classical_declaration
        self.bits = visitor._global_creg_size_map

        def visit_watched(statement: Any) -> Any:
            self.step()
            place = self.place = place_of(statement) or self.place
            self._check(statement)
            self._check_bits(statement)
            branch = isinstance(statement, ast.BranchingStatement) and self._reads_bits(statement.condition)
            self.undecided += branch
            found = visit(statement)
            self.undecided -= branch
            for made in found:  # the innermost statement that made it is where an error is shown
                if getattr(made, "qrealm_place", None) is None:
                    made.qrealm_place = place
            return found

        def declare_watched(statement: Any) -> Any:
            self.step()
            return declare(statement)

        visitor.visit_statement = visit_watched
        visitor._visit_classical_declaration = declare_watched  # loops call it once a turn
        visitor._visit_map[ast.ClassicalDeclaration] = declare_watched
        return visitor

    def _check(self, statement: Any) -> None:
        """Refuses sizes that pyqasm would turn into lists before it looks at them."""
        import openqasm3.ast as ast

        if isinstance(statement, ast.QubitDeclaration):
            self._size(statement.size, QUBITS_MAX, "a register of qubits")
        elif isinstance(statement, (ast.ClassicalDeclaration, ast.ConstantDeclaration)):
            kind = statement.type
            if isinstance(kind, ast.BitType):
                self._size(kind.size, CLBITS_MAX, "a register of bits")
            elif isinstance(kind, ast.ArrayType):
                entries = 1
                for dimension in kind.dimensions:
                    entries *= max(1, self._size(dimension, ARRAY_ENTRIES_MAX, "an array"))
                if entries > ARRAY_ENTRIES_MAX:
                    raise self.refused(f"an array has {entries} entries", f"at most {ARRAY_ENTRIES_MAX}")
        elif isinstance(statement, ast.ForInLoop):
            rows = statement.set_declaration
            if isinstance(rows, ast.RangeDefinition) and rows.start is not None and rows.end is not None:
                step = 1 if rows.step is None else self._value(rows.step, const=False)
                ends = self._value(rows.start, const=False), self._value(rows.end, const=False)
                if step == 0:
                    raise self.refused("the step of the loop is 0", "a step that is not 0")
                turns = (ends[1] - ends[0]) // step + 1
                if turns > self.turns_max:
                    raise self.refused(f"a loop has {turns} turns", f"at most {self.turns_max}")

    def _check_bits(self, statement: Any) -> None:
        """Refuses what pyqasm works out with 0 for every bit, whatever will be measured."""
        import openqasm3.ast as ast

        if isinstance(statement, (ast.ClassicalAssignment, ast.ClassicalDeclaration)):
            name = getattr(statement, "lvalue", None)
            value = getattr(statement, "rvalue", None) or getattr(statement, "init_expression", None)
            if isinstance(statement, ast.ClassicalAssignment) and self._reads_bits(name):
                raise self.refused(
                    "a bit is set by something else than a measurement", "bits = measure qubits;"
                )
            if isinstance(statement, ast.ClassicalAssignment) and self.undecided:
                raise self.refused(
                    "a variable is set under a condition on measured bits",
                    "variables are worked out before the program runs",
                )
            if isinstance(getattr(statement, "type", None), ast.BitType) and not self._all_zero(value):
                raise self.refused("a bit starts with another value than 0", "bits start as 0 here")
            used = value
        elif isinstance(statement, (ast.QuantumGate, ast.QuantumPhase)):
            arguments = (
                statement.arguments if isinstance(statement, ast.QuantumGate) else [statement.argument]
            )
            used = [*arguments, *statement.modifiers, *statement.qubits]
        elif isinstance(statement, ast.ForInLoop):
            used = [statement.set_declaration]
        elif isinstance(statement, ast.WhileLoop):
            used = [statement.while_condition]
        elif isinstance(statement, ast.SwitchStatement):
            used = [statement.target]
        elif isinstance(statement, (ast.ReturnStatement, ast.ExpressionStatement)):
            used = [statement.expression]
        else:
            return
        if self._reads_bits(used):
            raise self.refused(
                "the value of a measured bit is not known before the program runs",
                "bits are read by if (bits == value), not by arithmetic, loops or parameters",
            )

    def _all_zero(self, value: Any) -> bool:
        import openqasm3.ast as ast

        if value is None or isinstance(value, ast.QuantumMeasurement):
            return True
        number = getattr(value, "value", None)
        return number is not None and int(number) == 0

    def _reads_bits(self, tree: Any) -> bool:
        import openqasm3.ast as ast

        return any(isinstance(node, ast.Identifier) and node.name in self.bits for node in nodes(tree))

    def _size(self, expression: Any, limit: int, what: str) -> int:
        if expression is None:
            return 1
        size = self._value(expression, const=True)
        if size > limit:
            raise self.refused(f"{what} has size {size}", f"at most {limit}")
        return size

    def _value(self, expression: Any, *, const: bool) -> int:
        from pyqasm.expressions import Qasm3ExprEvaluator

        value = Qasm3ExprEvaluator.evaluate_expression(expression, const_expr=const)[0]
        if value is None:
            raise self.refused("a size or range is not known before the program runs", "constant sizes")
        return int(value)

    # ---- arithmetic ----------------------------------------------------------------------------------

    def bounded(self, table: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
        """pyqasm's operators, refusing integers of more than `INTEGER_BITS_MAX` bits before they are made."""
        return {**table, **{name: self._bound(name, table[name]) for name in ("*", "**", "<<")}}

    def _bound(self, name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
        def call(left: Any, right: Any) -> Any:
            if isinstance(left, (str, list, tuple)) or isinstance(right, (str, list, tuple)):
                raise self.refused(f"{name} of something that is no number", "arithmetic on numbers")
            if isinstance(left, int) and isinstance(right, int):
                size = left.bit_length()
                bits = {
                    "*": size + right.bit_length(),
                    "**": size * abs(right) if size > 1 else size,
                    "<<": size + right,
                }[name]
                if bits > INTEGER_BITS_MAX:
                    raise self.refused(
                        f"the result of {name} is an integer of about {_rounded(bits)} bits",
                        f"integers of at most {INTEGER_BITS_MAX} bits",
                    )
            return apply(left, right)

        return call


def _rounded(bits: int) -> str:
    return str(bits) if bits < 10**9 else f"2^{bits.bit_length() - 1}"


def place_of(node: Any) -> Place | None:
    """1-based line and column of a node of the parser, where it has one."""
    span = getattr(node, "span", None)
    return None if span is None else (int(span.start_line), int(span.start_column) + 1)


def nodes(tree: Any) -> Iterator[Any]:
    """Every node of the parser's tree."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (list, tuple)):
            stack.extend(node)
        elif hasattr(node, "__dataclass_fields__") and hasattr(node, "span"):
            yield node
            stack.extend(vars(node).values())


def check_tree(program: Any, steps_max: int) -> None:
    """Refuses what can be seen to be too much without executing anything.

    Raises:
        UnsupportedError: too wide a type, or loops whose turns multiply to more than `steps_max`.
    """
    import openqasm3.ast as ast

    for node in nodes(program):
        kind = node.type if isinstance(node, ast.Cast) else node
        if isinstance(kind, (ast.IntType, ast.UintType, ast.FloatType, ast.AngleType)) or node is not kind:
            size = getattr(kind, "size", None)
            narrow = isinstance(size, ast.IntegerLiteral) and size.value <= TYPE_BITS_MAX
            if size is not None and not narrow:
                raise _at(node, "the width of a type is not a moderate number", f"up to {TYPE_BITS_MAX} bits")
    _weight(program.statements, {}, steps_max)


def _weight(statements: list[Any], constants: dict[str, int], steps_max: int) -> int:
    """Fewest statements that a block executes, with loops whose range cannot be seen counted as no turn."""
    import openqasm3.ast as ast

    total = 0
    for statement in statements:
        total += 1
        if isinstance(statement, ast.ConstantDeclaration):
            value = _integer(statement.init_expression, constants)
            if value is not None:
                constants[statement.identifier.name] = value
        elif isinstance(statement, ast.ForInLoop):
            rows = statement.set_declaration
            inner = {name: v for name, v in constants.items() if name != statement.identifier.name}
            weight = 1 + _weight(statement.block, inner, steps_max)
            if isinstance(rows, ast.RangeDefinition):
                ends = [_integer(e, constants) for e in (rows.start, rows.end)]
                step = 1 if rows.step is None else _integer(rows.step, constants)
                if ends[0] is not None and ends[1] is not None and step:
                    turns = max(0, (ends[1] - ends[0]) // step + 1)
                    leaves = any(isinstance(n, _leaving()) for n in nodes(statement.block))
                    total += 0 if leaves else turns * weight
        if total > steps_max:
            raise _at(
                statement,
                f"the program unrolls to more than {steps_max} gates and statements",
                "loops of moderate size",
            )
    return total


def _leaving() -> tuple[type, ...]:
    import openqasm3.ast as ast

    return (ast.BreakStatement, ast.ContinueStatement, ast.EndStatement, ast.ReturnStatement)


def _integer(expression: Any, constants: dict[str, int]) -> int | None:
    import openqasm3.ast as ast

    if isinstance(expression, ast.IntegerLiteral):
        return int(expression.value)
    if isinstance(expression, ast.Identifier):
        return constants.get(expression.name)
    if isinstance(expression, ast.UnaryExpression) and expression.op.name == "-":
        value = _integer(expression.expression, constants)
        return None if value is None else -value
    if isinstance(expression, ast.BinaryExpression) and expression.op.name in ("+", "-", "*"):
        left, right = (_integer(e, constants) for e in (expression.lhs, expression.rhs))
        if left is None or right is None or max(left.bit_length(), right.bit_length()) > 64:
            return None
        return {"+": left + right, "-": left - right, "*": left * right}[expression.op.name]
    return None


def _at(node: Any, message: str, rule: str) -> UnsupportedError:
    line, column = place_of(node) or (1, 1)
    return UnsupportedError(message, rule=rule, line=line, column=column)
