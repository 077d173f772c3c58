#include "emit.h"

namespace qrealm {
namespace {
uint64_t bit(int w) { return uint64_t(1) << w; }
}  // namespace

void Frame::open(uint64_t tile, int num_wires, int block_bits) {
    rows.clear();
    outer.clear();
    rows_mask = 0;
    std::vector<uint32_t> vectors;
    for (int w = 0; w < num_wires; ++w) {
        if (in_lane(w)) continue;
        if (tile >> w & 1) {
            rows.push_back(w);
            rows_mask |= bit(w);
            vectors.push_back(columns[w]);
        } else {
            outer.push_back(w);
        }
    }
    space = Subspace(vectors);
    tile_columns.clear();
    for (int b = 0; b < block_bits; ++b)
        if (!(space.pivots >> b & 1)) tile_columns.push_back(1u << b);
    solved_ = false;
}

void Frame::close() {
    rows.clear();
    rows_mask = 0;
    outer.clear();
    tile_columns.clear();
}

bool Frame::in_lane(int w) const { return lane_slot(w) >= 0; }

int Frame::lane_slot(int w) const {
    for (size_t j = 0; j < lane_wires.size(); ++j)
        if (lane_wires[j] == w) return static_cast<int>(j);
    return -1;
}

uint64_t Frame::lanes_of(uint64_t mask) const {
    uint64_t out = 0;
    for (int w : lane_wires) out |= mask & bit(w);
    return out;
}

void Frame::apply_cx(int control, int target) {
    columns[control] ^= columns[target];
    solved_ = false;
}

std::vector<uint32_t> Frame::bases(uint64_t without) const {
    std::vector<uint32_t> vectors;
    for (int w : rows)
        if (!(without & bit(w))) vectors.push_back(position(w));
    return span(Subspace(vectors).basis);
}

void Frame::solve() {
    if (solved_) return;
    uint32_t free_bits = 0;
    for (uint32_t c : tile_columns) free_bits |= c;
    std::vector<uint32_t> cols;
    for (int w : outer) cols.push_back(Subspace::pack(space.representative(columns[w]), free_bits));
    parities_ = inverse_rows(cols);
    shift_.assign(tile_columns.size(), 0);
    bool any = false;
    for (size_t o = 0; o < outer.size(); ++o) {
        const uint32_t v = space.coordinates(columns[outer[o]]);
        for (size_t j = 0; j < shift_.size(); ++j)
            if (parities_[o] >> j & 1) shift_[j] ^= v;
    }
    for (uint32_t s : shift_) any |= s != 0;
    if (!any) shift_.clear();
    solved_ = true;
}

uint32_t Frame::outer_parity(int w) {
    solve();
    for (size_t o = 0; o < outer.size(); ++o)
        if (outer[o] == w) return parities_[o];
    return 0;
}

std::vector<uint32_t> Frame::shift() {
    solve();
    return shift_;
}

}  // namespace qrealm
