// Which wires the next tile mixes.
#include <algorithm>

#include "scheduler.h"

namespace qrealm {
namespace {

uint64_t bit(int w) { return uint64_t(1) << w; }

}  // namespace

// How much work a tile of the chosen wires could do, adding wires in program order while there is room.
template <class T>
double Scheduler<T>::gain(uint64_t chosen, int room, uint64_t* used) {
    Blocked blocked;
    double work = 0;
    const int end = static_cast<int>(nodes_.size());
    for (int i = first_; i < end; i = nodes_[i].next) {
        const Node& n = nodes_[i];
        if (blocked.allows(n)) {
            const uint64_t missing = n.g & ~chosen;
            const int count = __builtin_popcountll(missing);
            if (count <= room) {
                chosen |= missing;
                room -= count;
                if (n.element->kind == Kind::rotation) work += 0.4;
                else if (n.element->kind == Kind::dense) work += 2.2;
                else work += 0.01;
                // A CX out of the tile waits for the tile to close, and what depends on it waits too.
                if (n.x && !(n.x & chosen) && (n.z & chosen)) {
                    blocked.add(n);
                    if (nothing_more(blocked)) break;
                }
                continue;
            }
        }
        blocked.add(n);
        if (nothing_more(blocked)) break;
    }
    *used = chosen;
    return work;
}

// The wires of the next tile, by the share of its time that is work. Memory is slower in small chunks: a tile that
// holds the lowest address bits is read in longer runs.
template <class T>
uint64_t Scheduler<T>::choose_tile() {
    // Lanes are in every tile, and so is the wire that selects one of two states.
    uint64_t lanes = 0;
    for (int w : frame_.lane_wires) lanes |= bit(w);
    const uint64_t fixed = options_.selector < 0 ? 0 : bit(options_.selector);
    if (tile_rows_ == block_bits_) return bit(num_wires_) - 1;
    std::vector<int> by_address;  // wires outside the lanes, the lowest address first
    for (int w = 0; w < num_wires_; ++w)
        if (frame_.columns[w]) by_address.push_back(w);
    std::sort(by_address.begin(), by_address.end(), [&](int a, int b) { return frame_.columns[a] < frame_.columns[b]; });

    uint64_t best = 0;
    double best_share = -1;
    auto consider = [&](uint64_t seed) {
        seed |= fixed;
        const int room = tile_rows_ - __builtin_popcountll(seed & ~lanes);
        if (room < 0) return false;
        uint64_t used = 0;
        const double work = gain(seed | lanes, room, &used);
        for (size_t i = 0; __builtin_popcountll(used & ~lanes) < tile_rows_; ++i) used |= bit(by_address[i]);
        const double share = work / (work + memory_cost(used & ~lanes));
        if (share <= best_share + 1e-9) return false;
        best_share = share;
        best = used;
        return true;
    };
    uint64_t low = 0;
    for (int k = 0; k <= 3; low |= bit(by_address[k++])) {
        consider(low);
        for (int w = 0; w < e_.num_wires; ++w) consider(low | bit(w));
    }
    // Exchange one wire at a time while it helps.
    for (int rounds = 0; rounds < 4; ++rounds) {
        const uint64_t rows = best & ~lanes & ~fixed;
        bool better = false;
        for (uint64_t out = rows; out && !better; out &= out - 1) {
            const uint64_t without = rows & ~(out & (~out + 1));
            better = consider(without);
            for (uint64_t in = all_ & ~best; in && !better; in &= in - 1) better = consider(without | (in & (~in + 1)));
        }
        if (!better) break;
    }
    return best;
}

// What it costs to read and write a tile, in the unit of `gain`: a millisecond for 2^25 single-precision amplitudes
// on two cores. Measured with chunks of 128, 256, 512 ... bytes.
template <class T>
double Scheduler<T>::memory_cost(uint64_t rows) const {
    constexpr double cost[] = {22.0, 15.0, 12.5, 11.5, 11.0};
    std::vector<uint32_t> columns;
    for (; rows; rows &= rows - 1) columns.push_back(frame_.columns[__builtin_ctzll(rows)]);
    const Subspace space(columns);
    size_t run = 0;
    while (run < 4 && run < space.basis.size() && space.basis[run] == 1u << run) ++run;
    return cost[run];
}

template double Scheduler<float>::gain(uint64_t, int, uint64_t*);
template double Scheduler<double>::gain(uint64_t, int, uint64_t*);
template uint64_t Scheduler<float>::choose_tile();
template uint64_t Scheduler<double>::choose_tile();
template double Scheduler<float>::memory_cost(uint64_t) const;
template double Scheduler<double>::memory_cost(uint64_t) const;

}  // namespace qrealm
