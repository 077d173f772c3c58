// Writes gates as elements, keeping track of renamed and flipped wires.
#pragma once
#include "element.h"

namespace qrealm {

class Lowering {
public:
    Lowering(int num_qubits, uint64_t flipped);

    Elements out;

    void gate(const OpArrays& ops, size_t i);
    uint64_t flipped() const { return flip_; }

    // The pieces that gates are made of. Wires, not qubits.
    static uint64_t bit(int w) { return uint64_t(1) << w; }
    void phase(uint64_t mask, double angle);
    void cx(int c, int t);
    void unitary(uint64_t controls, int w, Matrix2 m);
    void controlled_x(uint64_t controls, int w);
    void dense(uint64_t controls, const int* targets, int k, const complex* m);
    void rx(uint64_t controls, int w, double angle);
    void ry(uint64_t controls, int w, double angle);
    void two_qubit(Code code, uint64_t controls, int a, int b, double angle, int slot = -1);
    void matrix(uint64_t controls, const int* targets, int k, const complex* m);
    void diagonal(uint64_t controls, const int* targets, int k, const complex* entries);
    // Inner products for derivatives: of a Pauli string under controls; of Z on one or two wires; and RY or RX with that
    // of its own generator before it (RX without, when slot is -1).
    void inner(uint64_t controls, uint64_t x, uint64_t z, double coefficient, int slot);
    void parity(uint64_t z, double coefficient, int slot);
    void turn(int w, double angle, int slot);
    void turn_x(uint64_t controls, int w, double angle, int slot);

private:
    uint64_t flip_;  // wires whose stored value is the opposite of the qubit's

    uint64_t wanted(uint64_t mask) const { return mask & ~flip_; }
    void flip(int w) { flip_ ^= bit(w); }
    int add_inner(uint64_t x, uint64_t z, double coefficient, int slot);
};

// Throws std::invalid_argument when the arrays do not describe gates.
void check(const OpArrays& ops);

}  // namespace qrealm
