// Vector bin packing: items with several demands into as few equal bins as possible.
//
// The search keeps a number of bins fixed and makes the overflow (what loads exceed capacities by, summed over bins and
// resources) small by simulated annealing, with a small reward for unevenly filled bins, which keeps free room in one
// piece; at overflow 0 the packing is kept and one bin is taken away. Where the bins
// would have to be filled to the brim, exactly full bins are enumerated first and an exact cover by them is looked for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "random.h"

namespace qrealm {

// Demands as whole numbers, each resource scaled so that capacities are about equal; rounded up, so that what fits here
// fits in truth. Rows are padded with zeros to `stride` numbers.
struct PackingProblem {
    int num_items = 0;
    int stride = 0;
    std::vector<int32_t> demand;    // num_items x stride
    std::vector<int32_t> capacity;  // stride
    std::vector<float> share;       // of a bin that each item takes, mean over the resources
    int least_bins = 0;             // no packing has fewer

    static constexpr int RESOURCES_MAX = 64;

    PackingProblem() = default;
    PackingProblem(const int32_t* demands, const int32_t* capacities, int items, int resources, int least);
    const int32_t* row(int item) const { return &demand[size_t(item) * size_t(stride)]; }
};

// For each item the others that fit into one bin with it; empty when nearly all do, or when there are too many items.
struct Mates {
    std::vector<uint32_t> first, items;  // those of item i are items[first[i]] to items[first[i + 1]]

    Mates() = default;
    explicit Mates(const PackingProblem& problem);
};

// Items in bins, with loads and overflows kept up to date.
class Packing {
public:
    Packing() = default;
    Packing(const PackingProblem& problem, const std::vector<int>& bin_of, int num_bins);

    // Takes a bin away; its items go where they add the least overflow.
    void close_bin(const PackingProblem& problem, int bin);
    void move(const PackingProblem& problem, int item, int to);

    int num_bins = 0;
    int64_t overflow = 0;
    std::vector<int> bin_of, place;            // of each item: its bin, and where it stands in the bin's list
    std::vector<int32_t> load, bin_overflow;   // num_bins x stride; num_bins
    std::vector<std::vector<int>> items;       // of each bin
    std::vector<int> over, over_place;         // bins that overflow; where each stands there, -1 for none

    // The lists alone, without loads: an item goes to a bin; two change places; a bin overflows or no longer does.
    void relocate(int item, int to);
    void exchange(int a, int b);
    void relist(int bin);
};

struct PackingTuning {
    double hottest = 0.003, coldest = 0.00001;  // temperatures, as shares of a bin's capacity
    double unevenness = 0.01;                   // reward for the sum of the squares of how full bins are
    bool full_bins = true;                      // whether to look for an exact cover by full bins first
};

class PackingSearch {
public:
    // `hint`: bin of each item, or empty.
    PackingSearch(PackingProblem problem, uint64_t seed, const std::vector<int>& hint, const PackingTuning& tuning);

    // Does so many units (of STEPS_PER_UNIT proposals each), or fewer when it is done or the seconds are over.
    uint64_t advance(uint64_t units, double seconds_left);

    bool done() const { return best_bins_ <= problem_.least_bins || problem_.num_items == 0; }
    // One more than are tried for while there is no packing.
    int best_bins() const { return best_bins_; }
    // Bin of each item; empty while there is no packing.
    const std::vector<int>& best() const { return best_; }
    int target() const { return state_.num_bins; }
    // Whether loads, lists and overflow equal their recomputation.
    bool consistent() const;

    static constexpr uint64_t STEPS_PER_UNIT = 4096;

private:
    void take(const std::vector<int>& bin_of, int num_bins);
    void construct();
    void next_target();
    void try_full_bins();
    void anneal(uint64_t steps);

    PackingProblem problem_;
    Mates mates_;
    Generator random_;
    std::vector<int> best_;
    int best_bins_ = 0;
    Packing state_;
    PackingTuning tuning_;
    uint64_t run_steps_ = 0, run_done_ = 0;  // proposals of this annealing run, and those made
    double scale_ = 1;
    bool full_bins_tried_ = false;
};

}  // namespace qrealm
