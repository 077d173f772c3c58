#include <cmath>

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
        if (wanted_[slot]) low_.inner(controls, x, z, 1, slot);
    }
    // e^{i angle} on the states where `mask` reads one: derivative i times their projector.
    void projector(int slot, uint64_t mask) {
        if (wanted_[slot]) low_.inner(mask, 0, 0, -2, slot);
    }

    void gate(size_t i);
    void matrix(const complex* m, uint64_t controls, const int* targets, int k);
};

void Adjoint::matrix(const complex* m, uint64_t controls, const int* targets, int k) {
    const size_t size = size_t(1) << k;
    std::vector<complex> inverse(size * size);
    for (size_t r = 0; r < size; ++r)
        for (size_t c = 0; c < size; ++c) inverse[c * size + r] = std::conj(m[r * size + c]);
    low_.matrix(controls, targets, k, inverse.data());
}

void Adjoint::gate(size_t i) {
    const Code code = static_cast<Code>(ops_.codes[i]);
    const int nc = ops_.num_controls[i];
    const int32_t* q = ops_.qubits + ops_.qubit_offsets[i];
    const int count = ops_.qubit_offsets[i + 1] - ops_.qubit_offsets[i] - nc;
    const int slot = ops_.param_offsets[i];
    const double* p = ops_.params + slot;
    std::vector<uint8_t>& wire = low_.out.wire_of_qubit;
    uint64_t controls = 0;
    for (int j = 0; j < nc; ++j) controls |= bit(wire[q[j]]);
    int targets[max_matrix_qubits] = {};
    for (int j = 0; j < count; ++j) targets[j] = wire[q[nc + j]];
    const int w = targets[0], v = targets[1];
    const uint64_t a = count ? bit(w) : 0, b = count > 1 ? bit(v) : 0, both = controls | a;
    switch (code) {
        case Code::gphase:
            projector(slot, controls);
            low_.phase(controls, -p[0]);
            break;
        case Code::s: low_.phase(both, -pi / 2); break;
        case Code::sdg: low_.phase(both, pi / 2); break;
        case Code::t: low_.phase(both, -pi / 4); break;
        case Code::tdg: low_.phase(both, pi / 4); break;
        case Code::sx: {
            const complex I(0, 1);
            low_.unitary(controls, w, {0.5 - 0.5 * I, 0.5 + 0.5 * I, 0.5 + 0.5 * I, 0.5 - 0.5 * I});
            break;
        }
        case Code::sxdg: {
            const complex I(0, 1);
            low_.unitary(controls, w, {0.5 + 0.5 * I, 0.5 - 0.5 * I, 0.5 - 0.5 * I, 0.5 + 0.5 * I});
            break;
        }
        case Code::rx:
            pauli(slot, controls, a, 0);
            low_.rx(controls, w, -p[0]);
            break;
        case Code::ry:
            pauli(slot, controls, a, a);
            low_.ry(controls, w, -p[0]);
            break;
        case Code::rz:
            pauli(slot, controls, 0, a);
            low_.phase(controls, p[0] / 2);
            low_.phase(both, -p[0]);
            break;
        case Code::p:
            projector(slot, both);
            low_.phase(both, -p[0]);
            break;
        case Code::u:  // P(phi) RY(theta) P(lambda)
            projector(slot + 1, both);
            low_.phase(both, -p[1]);
            pauli(slot, controls, a, a);
            low_.ry(controls, w, -p[0]);
            projector(slot + 2, both);
            low_.phase(both, -p[2]);
            break;
        case Code::iswap:
            if (controls) {
                const complex I(0, 1), m[16] = {1, 0, 0, 0, 0, 0, -I, 0, 0, -I, 0, 0, 0, 0, 0, 1};
                low_.dense(controls, targets, 2, m);
                break;
            }
            low_.phase(a, -pi / 2);
            low_.phase(b, -pi / 2);
            low_.phase(a | b, pi);
            std::swap(wire[q[0]], wire[q[1]]);
            break;
        case Code::rxx:
        case Code::ryy:
        case Code::rzz:
        case Code::rzx: {
            const uint64_t x = code == Code::rzz ? 0 : code == Code::rzx ? b : a | b;
            const uint64_t z = code == Code::rxx ? 0 : code == Code::rzx ? a : a | b;
            pauli(slot, controls, x, z);
            low_.two_qubit(code, controls, w, v, -p[0]);
            break;
        }
        case Code::matrix: {
            const size_t index = static_cast<size_t>(p[0]);
            matrix(ops_.matrices[index], controls, targets, count);
            break;
        }
        default: low_.gate(ops_, i);  // x, y, z, h, swap are their own inverses
    }
}

}  // namespace

Elements lower_adjoint(const OpArrays& ops, uint64_t flipped, const uint8_t* wanted) {
    check(ops);
    return Adjoint(ops, flipped, wanted).run();
}

}  // namespace qrealm
