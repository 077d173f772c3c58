// Pauli strings as they act on memory: P|y> = phase (-1)^{parity(y & signs)} |y ^ move>, y a physical index.
#pragma once
#include <map>
#include <vector>

#include "readout.h"
#include "state_vector.h"

namespace qrealm {

// Strings that move every basis state by the same XOR, all with real phases or all with imaginary ones: one pass over
// memory serves them all.
struct PauliGroup {
    uint64_t block_move = 0;
    int lane_move = 0;
    std::vector<size_t> terms;          // indices into the list of strings
    std::vector<uint64_t> block_signs;
    std::vector<unsigned> lane_signs;
    std::vector<complex> phases;
};

// Strings ready to be summed over a state, for as long as its layout stays.
template <class T>
struct PauliReadout {
    std::vector<PauliGroup> groups;
    std::vector<Table<T>> lane_signs;  // of each group: one number for each term and lane
    size_t num_terms = 0;
};

inline std::vector<PauliGroup> group_by_move(const std::vector<PauliString>& terms, const Placement& placement, uint64_t flipped, int lane_bits) {
    const std::vector<uint64_t> columns = physical_columns(placement, lane_bits);
    const std::vector<uint64_t> wires = wires_of_physical(placement, lane_bits);
    const complex powers[4] = {1, {0, 1}, -1, {0, -1}};
    std::map<std::pair<uint64_t, bool>, PauliGroup> groups;
    for (size_t t = 0; t < terms.size(); ++t) {
        uint64_t move = 0, signs = 0;
        for (uint64_t m = terms[t].x; m; m &= m - 1) move ^= columns[__builtin_ctzll(m)];
        for (size_t b = 0; b < wires.size(); ++b)
            if (__builtin_parityll(wires[b] & terms[t].z)) signs |= uint64_t(1) << b;
        const int power = __builtin_popcountll(terms[t].x & terms[t].z) & 3;
        PauliGroup& g = groups[{move, power & 1}];
        g.block_move = move >> lane_bits;
        g.lane_move = int(move & ((1u << lane_bits) - 1));
        g.terms.push_back(t);
        g.block_signs.push_back(signs >> lane_bits);
        g.lane_signs.push_back(unsigned(signs & ((1u << lane_bits) - 1)));
        const double sign = __builtin_parityll(flipped & terms[t].z) ? -1.0 : 1.0;
        g.phases.push_back(sign * powers[power]);
    }
    std::vector<PauliGroup> out;
    for (auto& [move, g] : groups) out.push_back(std::move(g));
    return out;
}

}  // namespace qrealm
