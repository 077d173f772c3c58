// Programs that are laid out once and filled in again for other numbers.
#pragma once
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "../plan/fill.h"

namespace qrealm {

inline constexpr size_t most_structures = 4;   // kept by each thread
inline constexpr size_t most_elements = size_t(1) << 13;

// Programs laid out for some structures, the one used last in front, and what else belongs to each.
template <class T, class Extra>
class Known {
public:
    struct Entry {
        Elements structure;
        Placement before;  // where the amplitudes were
        Program<T> program;
        std::optional<Extra> extra;
    };

    // The program of these elements with their numbers. It stays valid until the next call. `before` as for schedule.
    Entry& get(const Elements& e, const ProductState& start, const PlanOptions& options, const Placement* before = nullptr) {
        for (size_t i = 0; i < entries_.size(); ++i) {
            if (!same_structure(entries_[i]->structure, e) || (before && !fits(entries_[i]->before, *before))) continue;
            if (i) std::swap(entries_[0], entries_[i]);
            refill(entries_[0]->program, e, start, before, options);
            return *entries_[0];
        }
        if (entries_.size() == most_structures) entries_.pop_back();
        entries_.insert(entries_.begin(), std::make_unique<Entry>(Entry{e, before ? *before : Placement(), schedule<T>(Portion(e), start, before, options), {}}));
        return *entries_[0];
    }

private:
    static bool fits(const Placement& a, const Placement& b) {
        return a.columns == b.columns && a.lane_wires == b.lane_wires && a.log2_growth_most >= b.log2_growth_most;
    }
    std::vector<std::unique_ptr<Entry>> entries_;
};

inline PlanOptions reusable(PlanOptions options) {
    options.reusable = true;
    return options;
}

}  // namespace qrealm
