// Micro-ops from elements, inside one open tile.
#pragma once
#include "linear.h"
#include "program.h"

namespace qrealm {

// Largest number of rotations that share one load: radix 8 fills the registers without spilling.
template <class T>
constexpr int largest_group() { return 3; }

// Qubits of a tile: 512 KiB, half of a common L2 cache.
template <class T>
constexpr int default_tile_qubits(int num_wires) {
    const int largest = sizeof(T) == 4 ? 16 : 15;
    return num_wires <= largest ? num_wires : largest;
}

// Half of them index one table of a diagonal.
inline constexpr int max_tile_rows = 16;

// Which wire is where while a tile is open.
struct Frame {
    std::vector<int> lane_wires;
    std::vector<uint32_t> columns;        // block address of each wire; 0 for lanes
    std::vector<int> rows;                // wires that the tile mixes
    uint64_t rows_mask = 0;
    Subspace space{{}};                   // block addresses of a tile
    std::vector<uint32_t> tile_columns;   // block address of each bit of a tile's number
    std::vector<int> outer;               // wires that choose the tile

    void open(uint64_t tile, int num_wires, int block_bits);
    void close();
    int tile_bits() const { return static_cast<int>(tile_columns.size()); }

    bool in_lane(int w) const;
    int lane_slot(int w) const;           // -1 outside the lanes
    bool touches_lane(uint64_t mask) const { return lanes_of(mask) != 0; }
    uint64_t lanes_of(uint64_t mask) const;
    // A CX from a row to a wire that chooses the tile mixes tiles.
    bool leaves_tile(uint64_t control, uint64_t target) const { return (control & rows_mask) && !(target & rows_mask); }
    bool is_row(uint64_t mask) const { return !(mask & ~rows_mask); }
    bool is_local(uint64_t mask) const { return !(mask & ~rows_mask & ~lanes_of(mask)); }

    void apply_cx(int control, int target);
    uint32_t position(int row) const { return space.coordinates(columns[row]); }
    // Positions at which every wire of `without` reads zero.
    std::vector<uint32_t> bases(uint64_t without) const;
    // How an outer wire follows from the tile's number, and how the tile's number moves positions.
    uint32_t outer_parity(int w);
    std::vector<uint32_t> shift();

private:
    bool solved_ = false;
    std::vector<uint32_t> parities_;      // of each outer wire
    std::vector<uint32_t> shift_;
    void solve();
};

// These say where an op acts; its numbers are filled in afterwards (fill.h). `phases`: on wires of the group alone,
// applied after its rotations.
template <class T>
MicroOp<T> make_rotate(Frame& frame, const Elements& e, const std::vector<const Element*>& group,
                       const std::vector<const Element*>& phases);
template <class T>
MicroOp<T> make_dense(Frame& frame, const Elements& e, const Element& x);
template <class T>
MicroOp<T> make_scale();
template <class T>
MicroOp<T> make_transpose(Frame& frame, const std::vector<int>& in, const std::vector<int>& out);
// `selector`: a row that no phase is on, or -1; one table serves what it reads zero and one on. `reusable`: see PlanOptions.
template <class T>
void make_diagonals(Frame& frame, const Elements& e, const std::vector<const Element*>& phases, int selector, bool reusable,
                    std::vector<MicroOp<T>>& ops);

// `selector`: the wire between psi and lambda.
template <class T>
MicroOp<T> make_inner(Frame& frame, const Elements& e, const Element& x, int selector);
// Rotations, some of them with an inner product with Y.
template <class T>
MicroOp<T> make_rotate_inner(Frame& frame, const Elements& e, const std::vector<const Element*>& group, int selector);
template <class T>
MicroOp<T> make_parities(Frame& frame, const Elements& e, const std::vector<const Element*>& parities, int selector);
template <class T>
MicroOp<T> make_contract(Frame& frame, int selector);

}  // namespace qrealm
