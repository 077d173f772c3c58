// Packings whose bins are all filled to the brim, found as an exact cover.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "packing.h"

namespace qrealm {

// What a search for full bins may cost: bins listed, steps of listing, steps of covering.
struct FullBinLimits {
    size_t patterns = 1u << 17;
    uint64_t listing = 1u << 25;
    uint64_t covering = 1u << 25;
};

// A packing into `num_bins` bins, as the bin of each item, or empty when none was found. No bin of such a packing may
// waste more of a resource than all bins together have to spare. Where that leaves few enough bins, those with up to
// one item more than the average are listed, and covers of the items by them searched for, the item with the
// fewest bins left first (D. E. Knuth, "Dancing links", 2000), with restarts.
std::vector<int> full_bin_packing(const PackingProblem& problem, int num_bins, const FullBinLimits& limits,
                                  Generator& random);

}  // namespace qrealm
