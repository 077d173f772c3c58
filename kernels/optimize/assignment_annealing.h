// Simulated annealing of an assignment with moves of its own: shifts, swaps, ejection chains, bins emptied into others,
// groups taken to another domain.
#pragma once
#include <string>

#include "assignment.h"
#include "random.h"

namespace qrealm {

struct AnnealingTuning {
    double hottest = 1.0, coldest = 0.01;  // temperatures, as shares of what a shift typically changes
};

class AssignmentAnnealing {
public:
    // `hint`: bin of each item, or empty.
    AssignmentAnnealing(AssignmentProblem problem, uint64_t seed, const std::vector<int32_t>& hint,
                        const AnnealingTuning& tuning);
    AssignmentAnnealing(const AssignmentAnnealing&) = delete;
    AssignmentAnnealing& operator=(const AssignmentAnnealing&) = delete;

    // Does so many units (of PROPOSALS_PER_UNIT proposals each), or fewer when the seconds are over.
    uint64_t advance(uint64_t units, double seconds_left);

    bool found() const { return found_; }
    double best_value() const { return best_value_; }
    const std::vector<int32_t>& best() const { return best_; }
    const AssignmentState& state() const { return state_; }

    static constexpr uint64_t PROPOSALS_PER_UNIT = 1024;

private:
    struct Step {
        int item, from;
    };
    std::vector<int32_t> construct(const std::vector<int32_t>& hint);
    void measure();
    void begin_run();
    void set_temperature();
    void propose();
    void keep_best();
    void back_to_best();

    bool try_shift(int item, int to);
    void try_swap();
    void try_chain();
    void try_empty_bin();
    void try_group();
    void try_domain();
    void try_insert();

    Change take(int item, int to);
    void keep();
    void finish(const Change& change);
    double energy(const Change& change) const { return change.value + weight_ * change.penalty; }
    bool accepts(const Change& change);
    // Bins that the item may go to; -1 when none was met.
    int any_bin(int item);
    int used_bin(int item);
    int likely_bin(int item);
    int bin_in_domain(int item, const AssignmentDomains& domains, int domain);
    int best_of(int item, int tries, int except);

    const AssignmentProblem problem_;
    Generator random_;
    AnnealingTuning tuning_;
    AssignmentState state_;
    std::vector<int32_t> nearest_;  // of each item: bins with the least price, where bins have prices
    int nearest_count_ = 0;
    std::vector<int32_t> ruled_items_, groups_;
    std::vector<int32_t> best_, touched_;  // items that are elsewhere now, or were, since the best was kept
    std::vector<uint8_t> is_touched_;
    bool found_ = false;
    double best_value_ = 0;
    std::vector<Step> trail_;
    std::vector<double> swap_amount_;
    std::vector<int32_t> emptied_;
    bool strict_ = false;  // this run keeps demands always
    double typical_ = 1, least_ = 1, heat_ = 1;
    double temperature_ = 1, weight_ = 1, first_weight_ = 1;
    uint64_t run_ = 0, run_length_ = 0, run_done_ = 0, block_ = 64, units_done_ = 0;
    bool packs_ = false;
};

}  // namespace qrealm
