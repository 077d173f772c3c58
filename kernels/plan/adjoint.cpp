#include <cmath>
#include <stdexcept>

#include "lower.h"

namespace qrealm {
namespace {

constexpr double pi = 3.14159265358979323846;

// The inverse of one gate, after the inner products of its parameters.
class Adjoint {
public:
    Adjoint(const OpArrays& ops, uint64_t flipped, const uint8_t* wanted) : ops_(ops), wanted_(wanted), low_(ops.num_qubits, flipped) {}

    Elements run() {
        for (size_t i = ops_.num_ops; i-- > 0;) gate(i);
        low_.out.flipped = low_.flipped();
        return std::move(low_.out);
    }

private:
    const OpArrays& ops_;
    const uint8_t* wanted_;
    Lowering low_;

    static uint64_t bit(int w) { return uint64_t(1) << w; }

    // exp(-i angle/2 P) has derivative -i/2 P, so d<H> = Im <lambda|P|psi>.
    void pauli(int slot, uint64_t controls, uint64_t x, uint64_t z) {
        if (!wanted_[slot]) return;
        if (x || !diagonal(controls, z, 1, slot)) low_.inner(controls, x, z, 1, slot);
    }
    // e^{i angle} on the states where `mask` reads one: derivative i times their projector.
    void projector(int slot, uint64_t mask) {
        if (wanted_[slot] && !diagonal(mask, 0, -2, slot)) low_.inner(mask, 0, 0, -2, slot);
    }
    // Z on the wires of `z` where the controls read one, as parities of one or two wires; false when there are more. Its
    // projector on one is (1 - Z) / 2, and what is left of it without any Z is Im <lambda|psi> = Im <H> = 0.
    bool diagonal(uint64_t controls, uint64_t z, double coefficient, int slot) {
        if (__builtin_popcountll(controls | z) > 2) return false;
        const double weight = coefficient / double(1 << __builtin_popcountll(controls));
        for (uint64_t some = controls;; some = (some - 1) & controls) {
            const double sign = __builtin_parityll(some) ? -1 : 1;
            if (some | z) low_.parity(some ^ z, sign * weight, slot);
            if (!some) return true;
        }
    }

    struct Gate;
    void gate(size_t i);
    bool rotation(const Gate& g);
    void turn(const Gate& g, double angle);
    void matrix(const complex* m, uint64_t controls, const int* targets, int k);
};

void Adjoint::matrix(const complex* m, uint64_t controls, const int* targets, int k) {
    constexpr double tolerance = 1e-6;
    if (!is_unitary(m, k, tolerance)) throw std::invalid_argument("op arrays: a gradient needs unitary matrices");
    const size_t size = size_t(1) << k;
    std::vector<complex> inverse(size * size);
    for (size_t r = 0; r < size; ++r)
        for (size_t c = 0; c < size; ++c) inverse[c * size + r] = std::conj(m[r * size + c]);
    low_.matrix(controls, targets, k, inverse.data());
}

// One gate's wires, as both halves of the work see them.
struct Adjoint::Gate {
    Code code;
    int slot;  // of its first parameter
    const double* p;
    uint64_t controls = 0, a = 0, b = 0;  // wires of the controls, of the first and of the second target
    int targets[max_matrix_qubits] = {};
    int count;

    Gate(const OpArrays& ops, const std::vector<uint8_t>& wire, size_t i)
        : code(static_cast<Code>(ops.codes[i])), slot(ops.param_offsets[i]), p(ops.params + slot) {
        const int32_t* q = ops.qubits + ops.qubit_offsets[i];
        const int nc = ops.num_controls[i];
        count = ops.qubit_offsets[i + 1] - ops.qubit_offsets[i] - nc;
        for (int j = 0; j < nc; ++j) controls |= bit(wire[q[j]]);
        for (int j = 0; j < count; ++j) targets[j] = wire[q[nc + j]];
        if (count > 0) a = bit(targets[0]);
        if (count > 1) b = bit(targets[1]);
    }
};

// Gates with parameters, except U: the derivative, then the gate with the opposite angle.
bool Adjoint::rotation(const Gate& g) {
    const uint64_t both = g.controls | g.a;
    const bool has_angle = code_table[static_cast<size_t>(g.code)].num_params;
    const double p = has_angle ? -g.p[0] : 0;
    const bool inside = has_angle && !g.controls && wanted_[g.slot];  // the derivative is taken with the rotation
    switch (g.code) {
        case Code::gphase:
            projector(g.slot, g.controls);
            low_.phase(g.controls, p);
            return true;
        case Code::p:
            projector(g.slot, both);
            low_.phase(both, p);
            return true;
        case Code::rz:
            pauli(g.slot, g.controls, 0, g.a);
            low_.phase(g.controls, -p / 2);
            low_.phase(both, p);
            return true;
        case Code::rx:
            if (!inside) pauli(g.slot, g.controls, g.a, 0);
            low_.turn_x(g.controls, g.targets[0], p, inside ? g.slot : -1);
            return true;
        case Code::ry: turn(g, p); return true;
        case Code::rxx:
            if (!inside) pauli(g.slot, g.controls, g.a | g.b, 0);
            break;
        case Code::ryy:
            if (!inside) pauli(g.slot, g.controls, g.a | g.b, g.a | g.b);
            break;
        case Code::rzz: pauli(g.slot, g.controls, 0, g.a | g.b); break;
        case Code::rzx:
            if (!inside) pauli(g.slot, g.controls, g.b, g.a);
            break;
        default: return false;
    }
    low_.two_qubit(g.code, g.controls, g.targets[0], g.targets[1], p, inside ? g.slot : -1);
    return true;
}

// RY, with its derivative.
void Adjoint::turn(const Gate& g, double angle) {
    if (!g.controls && wanted_[g.slot]) return low_.turn(g.targets[0], angle, g.slot);
    pauli(g.slot, g.controls, g.a, g.a);
    low_.ry(g.controls, g.targets[0], angle);
}

void Adjoint::gate(size_t i) {
    std::vector<uint8_t>& wire = low_.out.wire_of_qubit;
    const Gate g(ops_, wire, i);
    const uint64_t both = g.controls | g.a;
    const complex plus(0.5, 0.5), minus(0.5, -0.5), I(0, 1);
    switch (g.code) {
        case Code::s: low_.phase(both, -pi / 2); break;
        case Code::sdg: low_.phase(both, pi / 2); break;
        case Code::t: low_.phase(both, -pi / 4); break;
        case Code::tdg: low_.phase(both, pi / 4); break;
        case Code::sx: low_.unitary(g.controls, g.targets[0], {minus, plus, plus, minus}); break;
        case Code::sxdg: low_.unitary(g.controls, g.targets[0], {plus, minus, minus, plus}); break;
        case Code::u:  // P(phi) RY(theta) P(lambda)
            projector(g.slot + 1, both);
            low_.phase(both, -g.p[1]);
            turn(g, -g.p[0]);
            projector(g.slot + 2, both);
            low_.phase(both, -g.p[2]);
            break;
        case Code::iswap: {
            if (g.controls) {
                const complex m[16] = {1, 0, 0, 0, 0, 0, -I, 0, 0, -I, 0, 0, 0, 0, 0, 1};
                low_.dense(g.controls, g.targets, 2, m);
                break;
            }
            low_.phase(g.a, -pi / 2);
            low_.phase(g.b, -pi / 2);
            low_.phase(g.a | g.b, pi);
            const int32_t* q = ops_.qubits + ops_.qubit_offsets[i];
            std::swap(wire[q[0]], wire[q[1]]);
            break;
        }
        case Code::matrix: matrix(ops_.matrices[static_cast<size_t>(g.p[0])], g.controls, g.targets, g.count); break;
        default:
            if (!rotation(g)) low_.gate(ops_, i);  // x, y, z, h, swap are their own inverses
    }
}

}  // namespace

Elements lower_adjoint(const OpArrays& ops, uint64_t flipped, const uint8_t* wanted) {
    check(ops);
    return Adjoint(ops, flipped, wanted).run();
}

}  // namespace qrealm
