// Gates to elements. Swaps rename wires and X gates flip the meaning of a wire, so neither costs a pass
// over the state; what follows is rewritten instead.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "lower.h"

namespace qrealm {
namespace {

constexpr double pi = 3.14159265358979323846;
constexpr complex I(0, 1);

}  // namespace

Lowering::Lowering(int num_qubits, uint64_t flipped) : flip_(flipped) {
    out.num_wires = num_qubits;
    out.wire_of_qubit.resize(num_qubits);
    for (int q = 0; q < num_qubits; ++q) out.wire_of_qubit[q] = static_cast<uint8_t>(q);
}

// e^{i angle} where all wires of `mask` read one. Up to two wires it becomes phases on stored ones
// (1 - x for a flipped wire), which is the form that merges; more wires keep the values to compare with.
void Lowering::phase(uint64_t mask, double angle) {
    if (angle == 0) return;
    const int count = __builtin_popcountll(mask);
    if (count == 0) {
        out.add_global_phase(angle);
        return;
    }
    auto emit = [&](uint64_t m, uint64_t v, double a) {
        Element e{Kind::phase};
        e.mask = m;
        e.value = v;
        e.angle = a;
        out.list.push_back(e);
    };
    if (count > 2) return emit(mask, wanted(mask), angle);
    const uint64_t flipped = mask & flip_;
    if (flipped == 0) return emit(mask, mask, angle);
    const uint64_t plain = mask & ~flip_;
    if (count == 1) {  // angle * (1 - x)
        out.add_global_phase(angle);
        return emit(mask, mask, -angle);
    }
    if (plain) {  // angle * (1 - x) * y
        emit(plain, plain, angle);
        return emit(mask, mask, -angle);
    }
    const uint64_t low = mask & (~mask + 1);
    out.add_global_phase(angle);  // angle * (1 - x) * (1 - y)
    emit(low, low, -angle);
    emit(mask ^ low, mask ^ low, -angle);
    emit(mask, mask, angle);
}

void Lowering::cx(int c, int t) {
    Element e{Kind::cx};
    e.wire = static_cast<uint8_t>(t);
    e.mask = e.value = bit(c);
    out.list.push_back(e);
    if (flip_ & bit(c)) flip(t);
}

void Lowering::unitary(uint64_t controls, int w, Matrix2 m) {
    if (controls) {
        const int target[1] = {w};
        return dense(controls, target, 1, m.data());
    }
    if (flip_ & bit(w)) m = {m[3], m[2], m[1], m[0]};
    Element e{Kind::unitary1};
    e.wire = static_cast<uint8_t>(w);
    e.data = static_cast<int>(out.unitaries.size());
    out.unitaries.push_back(m);
    out.list.push_back(e);
}

void Lowering::controlled_x(uint64_t controls, int w) {
    const int count = __builtin_popcountll(controls);
    if (count == 0) return flip(w);
    if (count == 1) return cx(__builtin_ctzll(controls), w);
    const int target[1] = {w};
    const complex m[4] = {0, 1, 1, 0};
    dense(controls, target, 1, m);
}

void Lowering::dense(uint64_t controls, const int* targets, int k, const complex* m) {
    const int size = 1 << k;
    DenseMatrix d;
    int swap = 0;  // matrix index bits whose wire is flipped
    for (int j = 0; j < k; ++j) {
        d.targets.push_back(static_cast<uint8_t>(targets[j]));
        if (flip_ & bit(targets[j])) swap |= 1 << j;
    }
    d.entries.resize(size_t(size) * size);
    for (int r = 0; r < size; ++r)
        for (int c = 0; c < size; ++c) d.entries[size_t(r ^ swap) * size + (c ^ swap)] = m[size_t(r) * size + c];
    Element e{Kind::dense};
    e.wire = d.targets[0];
    e.num_targets = static_cast<uint8_t>(k);
    e.mask = controls;
    e.value = wanted(controls);
    e.data = static_cast<int>(out.matrices.size());
    out.matrices.push_back(std::move(d));
    out.list.push_back(e);
}

void Lowering::rx(uint64_t controls, int w, double angle) {
    const double c = std::cos(angle / 2), s = std::sin(angle / 2);
    unitary(controls, w, {c, -I * s, -I * s, c});
}

// RX = P(-pi/2) RY P(pi/2).
void Lowering::turn_x(uint64_t controls, int w, double angle, int slot) {
    if (slot < 0) return rx(controls, w, angle);
    phase(bit(w), pi / 2);
    turn(w, angle, slot);
    phase(bit(w), -pi / 2);
}

void Lowering::ry(uint64_t controls, int w, double angle) {
    const double c = std::cos(angle / 2), s = std::sin(angle / 2);
    unitary(controls, w, {c, -s, s, c});
}

void Lowering::inner(uint64_t controls, uint64_t x, uint64_t z, double coefficient, int slot) {
    Element e{Kind::inner};
    e.mask = controls;
    e.value = wanted(controls);
    e.data = add_inner(x, z, coefficient, slot);
    out.list.push_back(e);
}

int Lowering::add_inner(uint64_t x, uint64_t z, double coefficient, int slot) {
    out.inners.push_back({x, z, __builtin_parityll(z & flip_) ? -coefficient : coefficient, slot});
    return static_cast<int>(out.inners.size()) - 1;
}

void Lowering::parity(uint64_t z, double coefficient, int slot) {
    Element e{Kind::parity};
    e.mask = e.value = z;
    e.data = add_inner(0, z, coefficient, slot);
    out.list.push_back(e);
}

void Lowering::turn(int w, double angle, int slot) {
    Element e{Kind::rotation};
    e.wire = static_cast<uint8_t>(w);
    e.angle = flip_ & bit(w) ? -angle : angle;  // X RY(angle) X = RY(-angle)
    e.data = add_inner(bit(w), bit(w), 1, slot);
    out.list.push_back(e);
}

// With a slot, the derivative by the angle is taken before the rotation inside; then there are no controls.
void Lowering::two_qubit(Code code, uint64_t controls, int a, int b, double angle, int slot) {
    const uint64_t ma = bit(a), mb = bit(b);
    switch (code) {
        case Code::rzz:  // exp(-i angle/2 (1-2a)(1-2b))
            phase(controls, -angle / 2);
            phase(controls | ma, angle);
            phase(controls | mb, angle);
            phase(controls | ma | mb, -2 * angle);
            break;
        case Code::rxx:  // X_a X_b = CX(a,b) X_a CX(a,b)
            cx(a, b);
            turn_x(controls, a, angle, slot);
            cx(a, b);
            break;
        case Code::ryy:  // Y = S X S^dagger
            phase(ma, -pi / 2);
            phase(mb, -pi / 2);
            two_qubit(Code::rxx, controls, a, b, angle, slot);
            phase(ma, pi / 2);
            phase(mb, pi / 2);
            break;
        case Code::rzx:  // Z_a X_b = CZ X_b CZ
            phase(ma | mb, pi);
            turn_x(controls, b, angle, slot);
            phase(ma | mb, pi);
            break;
        case Code::swap:
            if (controls) {
                cx(b, a);
                controlled_x(controls | ma, b);
                cx(b, a);
            }
            break;
        case Code::iswap: {
            const int targets[2] = {a, b};
            complex m[16] = {};
            m[0] = m[15] = 1;
            m[6] = m[9] = I;
            dense(controls, targets, 2, m);
            break;
        }
        default:
            break;
    }
}

void Lowering::matrix(uint64_t controls, const int* targets, int k, const complex* m) {
    const int size = 1 << k;
    bool diagonal = k <= 2;
    for (int r = 0; r < size && diagonal; ++r)
        for (int c = 0; c < size; ++c)
            if (r != c && m[r * size + c] != 0.0) diagonal = false;
    if (diagonal) {
        complex entries[4];
        for (int r = 0; r < size; ++r) entries[r] = m[r * size + r];
        return this->diagonal(controls, targets, k, entries);
    }
    if (k > 1) return dense(controls, targets, k, m);
    unitary(controls, targets[0], {m[0], m[1], m[2], m[3]});
    if (!controls) out.list.back().unitary = is_unitary(m, 1, unitary_tolerance);
}

// Of up to two wires.
void Lowering::diagonal(uint64_t controls, const int* targets, int k, const complex* entries) {
    const int size = 1 << k;
    const uint64_t wires[2] = {bit(targets[0]), k == 2 ? bit(targets[1]) : 0};
    bool phases = true;
    for (int r = 0; r < size; ++r) phases = phases && std::abs(std::abs(entries[r]) - 1) <= unitary_tolerance;
    if (phases) {  // of all subsets by Moebius inversion: the phase of 11 beyond those of 01 and 10
        const double p0 = std::arg(entries[0]);
        phase(controls, p0);
        double single[2] = {0, 0};
        for (int j = 0; j < k; ++j) {
            single[j] = std::arg(entries[1 << j]) - p0;
            phase(controls | wires[j], single[j]);
        }
        if (k == 2) phase(controls | wires[0] | wires[1], std::arg(entries[3]) - p0 - single[0] - single[1]);
        return;
    }
    // By what is stored.
    complex stored[4];
    int flips = 0, largest = 0;
    for (int j = 0; j < k; ++j)
        if (flip_ & wires[j]) flips |= 1 << j;
    for (int r = 0; r < size; ++r) stored[r] = entries[r ^ flips];
    if (k == 1 && !controls) return out.add_diagonal(targets[0], stored[0], stored[1]);
    for (int r = 1; r < size; ++r)
        if (std::abs(stored[r]) > std::abs(stored[largest]) * (1 + unitary_tolerance)) largest = r;
    // Without controls the largest is a factor of the whole state.
    const complex whole = controls || stored[largest] == 0.0 ? complex(1) : stored[largest];
    double common = std::log(std::abs(whole)), range = 0;
    out.add_global_phase(std::arg(whole));
    for (int r = 0; r < size; ++r) {
        stored[r] /= whole;
        range = std::max(range, std::abs(std::log(std::abs(stored[r]))));
    }
    auto emit = [&](uint64_t mask, uint64_t value, complex factor) {
        Element e{Kind::phase};
        e.mask = mask;
        e.value = value;
        e.angle = std::arg(factor);
        e.log = std::log(std::abs(factor));
        e.common = std::exchange(common, 0.0);
        out.list.push_back(e);
    };
    constexpr double most = 3;  // ratios of entries up to e^3 are inverted without harm
    if (!controls && largest == 0 && range < most) {
        emit(wires[0], wires[0], stored[1]);
        emit(wires[1], wires[1], stored[2]);
        return emit(wires[0] | wires[1], wires[0] | wires[1], stored[3] / (stored[1] * stored[2]));
    }
    for (int r = 0; r < size; ++r)
        if (stored[r] != 1.0) emit(controls | wires[0] | wires[1], wanted(controls) | (r & 1 ? wires[0] : 0) | (r & 2 ? wires[1] : 0), stored[r]);
    if (common != 0) emit(wires[0], 0, 1);
}

void Lowering::gate(const OpArrays& ops, size_t i) {
    const Code code = static_cast<Code>(ops.codes[i]);
    const int nc = ops.num_controls[i];
    const int32_t* q = ops.qubits + ops.qubit_offsets[i];
    const int count = ops.qubit_offsets[i + 1] - ops.qubit_offsets[i] - nc;
    const double* p = ops.params + ops.param_offsets[i];
    uint64_t controls = 0;
    for (int j = 0; j < nc; ++j) controls |= bit(out.wire_of_qubit[q[j]]);
    int targets[max_matrix_qubits] = {};
    for (int j = 0; j < count; ++j) targets[j] = out.wire_of_qubit[q[nc + j]];
    const int w = targets[0];
    const uint64_t both = controls | (count ? bit(w) : 0);
    const double r = std::sqrt(0.5);
    switch (code) {
        case Code::gphase: phase(controls, p[0]); break;
        case Code::x: controlled_x(controls, w); break;
        case Code::y:  // Y = i X Z
            phase(both, pi);
            controlled_x(controls, w);
            phase(controls, pi / 2);
            break;
        case Code::z: phase(both, pi); break;
        case Code::s: phase(both, pi / 2); break;
        case Code::sdg: phase(both, -pi / 2); break;
        case Code::t: phase(both, pi / 4); break;
        case Code::tdg: phase(both, -pi / 4); break;
        case Code::p: phase(both, p[0]); break;
        case Code::rz:
            phase(controls, -p[0] / 2);
            phase(both, p[0]);
            break;
        case Code::h: unitary(controls, w, {r, r, r, -r}); break;
        case Code::sx: unitary(controls, w, {0.5 + 0.5 * I, 0.5 - 0.5 * I, 0.5 - 0.5 * I, 0.5 + 0.5 * I}); break;
        case Code::sxdg: unitary(controls, w, {0.5 - 0.5 * I, 0.5 + 0.5 * I, 0.5 + 0.5 * I, 0.5 - 0.5 * I}); break;
        case Code::rx: rx(controls, w, p[0]); break;
        case Code::ry: ry(controls, w, p[0]); break;
        case Code::u: {
            const double c = std::cos(p[0] / 2), s = std::sin(p[0] / 2);
            unitary(controls, w, {c, -std::polar(s, p[2]), std::polar(s, p[1]), std::polar(c, p[1] + p[2])});
            break;
        }
        case Code::swap:
        case Code::iswap:
            if (controls) {
                two_qubit(code, controls, w, targets[1], 0);
                break;
            }
            if (code == Code::iswap) {  // iSWAP = SWAP . CZ . (S x S)
                phase(bit(w), pi / 2);
                phase(bit(targets[1]), pi / 2);
                phase(bit(w) | bit(targets[1]), pi);
            }
            std::swap(out.wire_of_qubit[q[nc]], out.wire_of_qubit[q[nc + 1]]);
            break;
        case Code::rxx:
        case Code::ryy:
        case Code::rzz:
        case Code::rzx: two_qubit(code, controls, w, targets[1], p[0]); break;
        case Code::matrix: {
            const size_t index = static_cast<size_t>(p[0]);
            matrix(controls, targets, count, ops.matrices[index]);
            break;
        }
        case Code::count_: break;
    }
}

// The Python side has checked all this with better words; here it protects memory.
void check(const OpArrays& ops) {
    auto fail = [](const char* what) { throw std::invalid_argument(std::string("op arrays: ") + what); };
    if (ops.num_qubits < 1 || ops.num_qubits > max_qubits) fail("number of qubits out of range");
    if (ops.qubit_offsets[0] != 0 || ops.param_offsets[0] != 0) fail("offsets must start at 0");
    for (size_t i = 0; i < ops.num_ops; ++i)
        if (ops.qubit_offsets[i + 1] < ops.qubit_offsets[i] || ops.param_offsets[i + 1] < ops.param_offsets[i])
            fail("offsets must not descend");
    constexpr double largest_angle = 1e18;  // beyond it nothing is left of an angle but its exponent
    for (int32_t i = 0; i < ops.param_offsets[ops.num_ops]; ++i)
        if (!(std::abs(ops.params[i]) <= largest_angle)) fail("parameter is not finite, or larger than 1e18");
    for (size_t i = 0; i < ops.num_ops; ++i) {
        if (ops.codes[i] >= static_cast<uint8_t>(Code::count_)) fail("unknown op code");
        const CodeRow& row = code_table[ops.codes[i]];
        const int nq = ops.qubit_offsets[i + 1] - ops.qubit_offsets[i];
        const int np = ops.param_offsets[i + 1] - ops.param_offsets[i];
        if (np != row.num_params) fail("wrong number of parameters");
        int targets = row.num_targets;
        if (targets < 0) {
            const double index = ops.params[ops.param_offsets[i]];
            if (!(index >= 0 && index < double(ops.matrices.size()))) fail("matrix index out of range");
            targets = ops.matrix_qubits[size_t(index)];
        }
        if (nq != targets + ops.num_controls[i]) fail("wrong number of qubits");
        uint64_t seen = 0;
        for (int j = 0; j < nq; ++j) {
            const int q = ops.qubits[ops.qubit_offsets[i] + j];
            if (q < 0 || q >= ops.num_qubits) fail("qubit out of range");
            if (seen >> q & 1) fail("duplicate qubit");
            seen |= uint64_t(1) << q;
        }
    }
}

Elements lower(const OpArrays& ops, uint64_t flipped) {
    check(ops);
    Lowering lowering(ops.num_qubits, flipped);
    lowering.out.list.reserve(ops.num_ops + 8);
    for (size_t i = 0; i < ops.num_ops; ++i) lowering.gate(ops, i);
    lowering.out.flipped = lowering.flipped();
    return std::move(lowering.out);
}

void Elements::add_diagonal(int w, complex d0, complex d1) {
    const bool first = std::abs(d0) >= std::abs(d1);
    const complex larger = first ? d0 : d1, smaller = first ? d1 : d0;
    Element e{Kind::phase};
    e.mask = uint64_t(1) << w;
    e.value = first ? e.mask : 0;
    if (larger == 0.0) {  // nothing is left of either
        e.log = -std::numeric_limits<double>::infinity();
        list.push_back(e);
        e.value ^= e.mask;
    } else {
        constexpr double tiny = 4e-15;
        const complex ratio = smaller / larger;
        add_global_phase(std::arg(larger));
        e.common = std::log(std::abs(larger));
        if (std::abs(ratio - 1.0) > tiny) {
            e.angle = std::arg(ratio);
            e.log = std::log(std::abs(ratio));
        } else if (std::abs(e.common) < tiny) {
            return;
        }
    }
    list.push_back(e);
}

uint64_t Elements::targets(const Element& e) const {
    switch (e.kind) {
        case Kind::unitary1:
        case Kind::rotation: return uint64_t(1) << e.wire;
        case Kind::dense: {
            uint64_t mask = 0;
            for (uint8_t w : matrices[e.data].targets) mask |= uint64_t(1) << w;
            return mask;
        }
        case Kind::inner: return inners[e.data].x;
        default: return 0;
    }
}

uint64_t Elements::support(const Element& e) const {
    uint64_t mask = e.mask | targets(e);
    if (e.kind == Kind::inner) mask |= inners[e.data].z;
    if (e.kind == Kind::cx) mask |= uint64_t(1) << e.wire;
    return mask;
}

}  // namespace qrealm
