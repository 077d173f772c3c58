// The planner's own alphabet: everything is a one-qubit matrix, a factor on "all these bits are one", a phase as a
// rule, a CX, or a dense matrix with controls; gradients add inner products, those of Z alone as parities. Swaps and X
// gates are gone: they renamed and flipped wires.
#pragma once
#include <array>
#include <cmath>
#include <vector>

#include "../ops.h"

namespace qrealm {

using Matrix2 = std::array<complex, 4>;

enum class Kind : uint8_t { unitary1, rotation, phase, cx, dense, inner, parity };

struct Element {
    Kind kind;
    uint8_t wire = 0;          // unitary1, rotation, cx target, dense: first target
    uint8_t num_targets = 0;   // dense
    int data = -1;             // index into `unitaries` (unitary1), `matrices` (dense) or `inners` (inner, parity, and
                               // rotation where it is not -1: the product with Y on its wire, taken before it)
    uint64_t mask = 0;         // phase: its wires; cx, dense, inner: control wires; parity: wires with Z, one or two
    uint64_t value = 0;        // the values those wires must have
    double angle = 0;          // phase; rotation: RY angle
    int before = -1;           // rotation: index into `befores`, or none
    bool unitary = true;       // unitary1
    double log = 0;            // phase: ln of its magnitude; minus infinity where it is zero
    double common = 0;         // phase, rotation: ln of a factor of the whole state that comes with it
};

// Matrices that are further from unitary than this are applied to the letter.
inline constexpr double unitary_tolerance = 1e-13;

// What a phase multiplies by. Most have magnitude one, and no angle gives exactly one.
inline complex factor_of(double angle, double log) {
    if (log == 0) return angle ? std::polar(1.0, angle) : complex(1);
    return std::polar(std::exp(log), angle);
}

// What is diagonal on a rotation's wire and comes just before it: parities of the wire alone, then a phase on its one.
struct Before {
    double angle = 0;
    std::vector<int> parities;  // indices into `inners`
};

struct DenseMatrix {
    std::vector<uint8_t> targets;  // wire of each bit of the matrix index, least significant first
    std::vector<complex> entries;  // row-major, 2^k by 2^k
};

// coefficient * Im <lambda| P |psi> on the basis states that the controls allow, with P a Pauli string. Both states
// lie in one memory; `which` is the wire that reads zero on psi and one on lambda. It adds to a derivative.
struct Inner {
    uint64_t x = 0, z = 0;     // wires with X or Y, wires with Z or Y
    double coefficient = 1;    // includes signs of flipped wires
    int slot = 0;              // which derivative
};

// A circuit in the planner's alphabet, together with what has been taken out of it.
struct Elements {
    int num_wires = 0;
    std::vector<Element> list;
    std::vector<Matrix2> unitaries;
    std::vector<DenseMatrix> matrices;
    std::vector<Inner> inners;
    std::vector<Before> befores;
    double global_phase = 0;
    std::vector<uint8_t> wire_of_qubit;   // where each qubit ended
    uint64_t flipped = 0;                 // wires whose value reads inverted at the end

    // Wrapped, or thousands of half turns would cost the last digits.
    void add_global_phase(double angle) { global_phase = std::remainder(global_phase + angle, 6.283185307179586); }

    uint32_t index_of(const Element* e) const { return static_cast<uint32_t>(e - list.data()); }
    // diag(d0, d1) on a wire, whatever their magnitudes: the larger one is taken out, so that no amplitude grows.
    void add_diagonal(int w, complex d0, complex d1);

    uint64_t support(const Element& e) const;
    uint64_t targets(const Element& e) const;  // wires on which the element is neither diagonal nor a CX target
};

// `flipped`: qubits whose stored value starts inverted.
Elements lower(const OpArrays& ops, uint64_t flipped = 0);

// The inverse of a circuit, with an inner product before the inverse of each gate that has a wanted parameter: run on
// psi = U|0> and lambda = H psi together, they are the derivatives of <H> (Jones and Gacon, arXiv:2009.02823).
// Slot i of the inner products is ops.params[i].
Elements lower_adjoint(const OpArrays& ops, uint64_t flipped, const uint8_t* wanted);

Matrix2 multiply(const Matrix2& a, const Matrix2& b);
bool is_unitary(const complex* m, int num_qubits, double tolerance);

// Planner passes, each of which can be switched off to test the others.
enum Pass : uint32_t {
    pass_merge = 1u << 0,      // neighbouring one-qubit gates become one
    pass_fuse = 1u << 1,       // runs of gates on one pair of wires become one dense matrix
    pass_absorb = 1u << 2,     // first gates act on the product state that a run starts from
    pass_strip = 1u << 3,      // what cannot change a sample is not run; last CX gates move to the read-out
    pass_factor = 1u << 4,     // independent groups of qubits are run apart
    pass_group = 1u << 5,      // several rotations for each load of a row group
    pass_attach = 1u << 6,     // phases on the wires of a row group alone are applied with its rotations
    pass_all = (1u << 7) - 1,
};

struct PassRow {
    const char* name;
    uint32_t bit;
};
inline constexpr PassRow pass_table[] = {
    {"merge", pass_merge}, {"fuse", pass_fuse},     {"absorb", pass_absorb},
    {"strip", pass_strip}, {"factor", pass_factor}, {"group", pass_group},
    {"attach", pass_attach},
};

// Amplitudes of the product state that a run starts from, one pair for each wire.
struct ProductState {
    std::vector<std::array<complex, 2>> wires;
    explicit ProductState(int n = 0) : wires(n, {complex(1), complex(0)}) {}
};

// All passes below that are on, up to rotations, phases, CX and matrices. `start`: the product state that the run begins
// with, which first gates may change; null when it begins with any other.
Elements simplified(Elements e, uint32_t passes, ProductState* start);

void merge_neighbours(Elements& e);
void fuse_pairs(Elements& e);
void absorb_first_gates(Elements& e, ProductState& start);
void split_unitaries(Elements& e);   // unitary1 -> phase, RY, phase; a dense matrix where it is no such product
// Phases and parities of one wire go with the rotation that takes a derivative after them, where they would need a pass
// over the state of their own.
void attach_before(Elements& e);
// Takes out of `e` what no inner product comes after, or could tell.
void drop_unread(Elements& e);
// Takes out of `e` what cannot change a sample; returns the CX gates (control, target) to apply to sampled bits, in order.
std::vector<std::pair<uint8_t, uint8_t>> strip_tail(Elements& e);

}  // namespace qrealm
