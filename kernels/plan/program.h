// A plan: what the engine does, stage by stage, with every table that it needs.
//
// Memory is an array of blocks of 128 bytes: the real parts of W amplitudes, then their imaginary parts
// (W = 16 in single precision, 8 in double). log2(W) wires are the lanes inside a block. Every other wire w has
// a column: the block address of a basis state is the XOR of the columns of the wires that read one. So a CX
// between two such wires is one XOR of columns at planning time and never touches memory.
//
// A stage takes tiles (cosets of a subspace of block addresses) into a buffer that fits the L2 cache and runs
// its micro-ops there; only wires whose columns span that subspace ("rows") can be mixed.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "element.h"

namespace qrealm {

template <class T>
struct CacheAligned {
    using value_type = T;
    CacheAligned() = default;
    template <class U>
    CacheAligned(const CacheAligned<U>&) {}
    T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
    void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
    bool operator==(const CacheAligned&) const { return true; }
};
template <class T>
using Table = std::vector<T, CacheAligned<T>>;

template <class T>
struct Layout {
    static constexpr int lanes = 64 / sizeof(T);                 // amplitudes in a block
    static constexpr int lane_bits = sizeof(T) == 4 ? 4 : 3;
    static constexpr int block = 2 * lanes;                      // numbers in a block
};

enum class Micro : uint8_t { rotate, dense, phase, diagonal, transpose, scale, inner, rotate_inner, parities, contract };

// The bit of one wire that no tile mixes, as a parity of the bits of the tile's number.
struct OuterBit {
    uint32_t parity_mask;
    bool wanted;
};

// Phases that a wire outside the tile adds to a diagonal when it reads one, or two such wires when both do.
struct OuterPhase {
    uint32_t parity_mask;
    uint32_t and_mask;           // of the other one; 0: there is none
    complex constant;
    std::vector<complex> local;  // lanes, then low rows, then high rows
};

// Which wires a diagonal's tables speak of: all of it that does not depend on angles.
struct DiagonalShape {
    struct Outer {
        int wire;
        uint32_t parity;  // of the tile's number: what the wire reads
    };
    std::vector<int> lanes, low, high;  // wires of the lanes, of the low and of the high rows
    uint64_t common = 0;                // wires that every phase needs; their ones alone are visited
    std::vector<Outer> outer;           // other wires that choose the tile and have phases
};

// A number that an inner product gives for each tile, and where it goes.
struct Reading {
    int inner;                 // index into the elements' inner products
    int slot;                  // which derivative
    double weight = 0;         // what it is to be multiplied by
    uint32_t part = 0;         // rotate_inner: Y of wire `part` of the group, or Z of wire `part - group`; parities: which of
                               // `row_pairs` it is made of
    uint32_t sign_parity = 0;  // of the tile's number: turns the sign
    uint32_t lane_signs = 0;   // parities: lanes with Z
};

// Parities of rows: Z on the rows `high` and `low`, -1 where there is none. Rows are counted as in the index of `bases`.
struct RowPair {
    int high, low;
    bool operator==(const RowPair&) const = default;
};

template <class T>
struct MicroOp {
    Micro type{};
    uint8_t group = 0;                  // rotate, dense, transpose: how many row wires are mixed
    uint8_t forms = 0;                  // rotate: bit j set when wire j has its sine factored out
    uint8_t lane_bit[8] = {};           // transpose
    std::vector<uint32_t> bases;        // positions in the tile to start from (diagonal: low rows)
    std::vector<uint32_t> offsets;      // positions of a row group relative to a base (diagonal: high rows)
    std::vector<uint32_t> shift;        // for each bit of the tile's number, XOR on positions; empty when none
    std::vector<OuterBit> conditions;   // the op acts on a tile when all of these hold
    std::vector<uint32_t> sources;      // elements that it carries out; rotate, rotate_inner: the rotations, then the phases
    uint32_t lane_select = 0, lane_value = 0;  // dense, phase: acts on lanes that read lane_value on these bits
    DiagonalShape shape;                // diagonal, contract
    Table<T> table;                     // rotate: tangents; dense: matrix by lanes; phase: one block; diagonal: low rows; scale: factor
    Table<T> high;                      // diagonal: one block for each high row; rotate: phase of each row of a group, or
                                        // empty; rotate_inner: the same, but before the rotations
    Table<T> cross;                     // diagonal: one complex number for each (high, low); empty when all are 1
    std::vector<OuterPhase> outer;      // diagonal
    uint8_t num_local = 0;              // diagonal, contract: how many wires are lanes or rows
    complex constant = 1;               // diagonal: joins the outer phases
    // inner: bases with sign + come first, then those with sign -. partner leads from psi to lambda.
    uint32_t num_positive = 0;
    uint32_t partner = 0;               // inner, rotate_inner, parities, contract; diagonal: when not 0, acts on both states
    bool real = false;                  // inner: of the real part, not the imaginary one
    std::vector<Reading> readings;      // inner, rotate_inner, parities
    std::vector<RowPair> row_pairs;     // parities
    // How many numbers it gives for each tile. contract: two complex ones for each local wire.
    size_t num_results() const { return type == Micro::contract ? size_t(4) * num_local : readings.size(); }
    Table<T> lane_mask;                 // dense with lane controls and more than two targets: 1 where it acts
};

template <class T>
struct Stage {
    std::vector<uint32_t> row_offsets;  // block address of each tile position, relative to the tile's base
    std::vector<uint32_t> tile_columns; // block address of each bit of a tile's number
    std::vector<MicroOp<T>> ops;
    size_t num_results = 0;             // of all its ops
    bool in_place = false;              // one tile, which is the whole state
};

// Where the amplitudes of basis states are.
struct Placement {
    std::vector<uint8_t> lane_wires;   // wire of each lane bit
    std::vector<uint32_t> columns;     // block address of each wire (0 for lane wires)
    double log2_growth = 0;            // bound on how much larger stored amplitudes are than true ones
    double log2_growth_most = 0;       // the same whatever the numbers, of a program laid out to be reusable
};

struct Work {
    double moved_bytes = 0;  // to and from memory
    double flops = 0;
    int rotations = 0, dense = 0, diagonals = 0, transposes = 0, loads = 0;  // loads: passes over a tile in cache

    Work& operator+=(const Work& w) {
        moved_bytes += w.moved_bytes;
        flops += w.flops;
        rotations += w.rotations;
        dense += w.dense;
        diagonals += w.diagonals;
        transposes += w.transposes;
        loads += w.loads;
        return *this;
    }
};

template <class T>
struct Program {
    int num_qubits = 0;
    int num_wires = 0;
    std::vector<Stage<T>> stages;
    Placement placement;               // after the last stage
    std::vector<uint8_t> wire_of_qubit;
    uint64_t flipped = 0;              // wires
    complex scale = 1;                 // amplitudes are stored divided by this
    bool from_start = true;            // begins from `start`; otherwise from a given state
    std::vector<std::array<complex, 2>> contract;  // PlanOptions::contract
    bool keep_state = true;            // false: the last stage's tiles need not be written
    ProductState start;
    std::vector<uint8_t> start_block_wires, start_lane_wires;  // wire of each bit of a block address and of a lane
    Work work;
};

struct PlanOptions {
    uint32_t passes = pass_all;
    int tile_qubits = 0;  // 0: chosen for the caches
    int selector = -1;    // wire that chooses between two states kept in one memory; always local
    // For each wire a row vector: when all is done, lambda is contracted with those of all wires but one, for each one.
    const std::vector<std::array<complex, 2>>* contract = nullptr;
    bool keep_state = true; // false: what a run leaves behind is not read
    bool reusable = false;  // for other numbers in the same elements: nothing is laid out by a number
};

// Some of a circuit's elements, begin..end-1. The whole circuit's global phase belongs to the first ones.
struct Portion {
    const Elements& elements;
    size_t begin, end;
    explicit Portion(const Elements& e) : elements(e), begin(0), end(e.list.size()) {}
    Portion(const Elements& e, size_t b, size_t n) : elements(e), begin(b), end(n) {}
};

// Lays elements out over memory. `before` is null for a run from a product state.
template <class T>
Program<T> schedule(const Portion& portion, const ProductState& start, const Placement* before, const PlanOptions& options);

// Lays a circuit out in portions, so that the tables of a long one are never in memory together: body(program) is
// called for each in turn, and its program is gone afterwards.
template <class T, class F>
void for_portions(const Elements& e, const ProductState& start, const Placement* before, const PlanOptions& options, F&& body) {
    constexpr size_t most = size_t(1) << 13;  // elements; their tables take some tens of MiB
    Placement placement;
    size_t begin = 0;
    do {
        const size_t end = std::min(begin + most, e.list.size());
        Program<T> program = schedule<T>(Portion(e, begin, end), start, before, options);
        placement = program.placement;
        before = &placement;
        body(program);
        begin = end;
    } while (begin < e.list.size());
}

}  // namespace qrealm
