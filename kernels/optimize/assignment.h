// Items on bins in general: capacities, allowed bins, rules over failure domains and every part of the objective, kept up
// to date shift by shift. The definition of value and demands is in qrealm/optimize/problems/evaluate.py.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qrealm {

enum class RuleKind : int32_t { together = 0, apart = 1, spread = 2 };

// Which domain each bin is in; and the bins of each domain, as a CSR table.
struct AssignmentDomains {
    AssignmentDomains(const int32_t* domain_of, int num_bins, int num_domains);
    std::vector<int32_t> of, starts, bins;
    int count() const { return int(starts.size()) - 1; }
};

struct AssignmentRule {
    RuleKind kind;
    bool is_demand;   // its amount must be 0; else each unit costs `weight`
    double weight;
    int32_t skew;     // of a spread
    int32_t domains;  // index of its AssignmentDomains
    std::vector<int32_t> items;
};

// The arrays belong to the caller and outlive this: with a price for each pair of item and bin they are large.
struct AssignmentProblem {
    int num_items = 0, num_bins = 0, num_resources = 0;
    const double* demand = nullptr;          // items x resources
    const double* capacity = nullptr;        // bins x resources
    const double* bin_cost = nullptr;        // bins
    const double* left_out_price = nullptr;  // items
    const double* move_price = nullptr;      // items
    const double* placement_cost = nullptr;  // items x bins, or null
    const int32_t* allowed_set = nullptr;    // items: row of `allowed`
    const uint8_t* allowed = nullptr;        // sets x bins
    int num_sets = 0;
    const int32_t* current = nullptr;        // items: bin now, -1 for none
    bool may_leave_out = false;
    double weight_bins = 0, weight_cost = 0, weight_balance = 0, weight_fragmentation = 0, weight_moves = 0;
    std::vector<AssignmentDomains> domains;
    std::vector<AssignmentRule> rules;

    // Fills what follows. `tolerance`: share of a capacity by which sums of demands may miss it.
    void prepare(double tolerance);
    std::vector<double> limit, share_of, overflow_of;  // bins x resources: capacity and tolerance; 1/capacity or 0; its scale
    std::vector<int32_t> rule_starts, rules_of;        // of each item
    std::vector<int32_t> list_starts, lists;           // of each allowed set: its bins

    bool is_allowed(int item, int bin) const { return allowed[size_t(allowed_set[item]) * size_t(num_bins) + size_t(bin)]; }
    const double* demand_of(int item) const { return demand + size_t(item) * size_t(num_resources); }
    // What an item costs where it is, -1 for nowhere.
    double item_price(int item, int bin) const {
        if (bin < 0) return left_out_price[item];
        double price = 0;
        if (placement_cost) price += weight_cost * placement_cost[size_t(item) * size_t(num_bins) + size_t(bin)];
        if (current[item] >= 0 && bin != current[item]) price += weight_moves * move_price[item];
        return price;
    }
};

// Value of the objective, and by how much demands are missed: overflow as shares of capacities, and units of rules.
struct Change {
    double value = 0, penalty = 0;
    Change& operator+=(const Change& other) {
        value += other.value;
        penalty += other.penalty;
        return *this;
    }
};

class AssignmentState {
public:
    AssignmentState(const AssignmentProblem& problem, const std::vector<int32_t>& bin_of);

    // What a shift would change, rules left aside. `to` is -1 for nowhere.
    Change shift_change(int item, int to);
    // What it changes if items leave bin a for b: `amount` in sum, `count` more than come back. Item prices left aside.
    Change exchange_change(int a, int b, const double* amount, int count);
    // Takes an item from one bin to another in the books of the rules alone.
    Change shift_rules(int item, int from, int to);
    // The shift itself; returns what it changed, rules included.
    Change shift(int item, int to);
    // The shift itself when its changes are known and the rules are done.
    void apply(int item, int to, const Change& change);

    bool keeps_demands() const { return overflowing_ == 0 && missed_units_ == 0; }
    double value() const { return total_.value; }
    double penalty() const { return total_.penalty; }
    // Everything from scratch, so that rounding does not add up.
    void recompute();

    int bin_of(int item) const { return bin_of_[size_t(item)]; }
    const std::vector<int32_t>& bins() const { return bin_of_; }
    const std::vector<int32_t>& items_in(int bin) const { return items_[size_t(bin)]; }
    const std::vector<int32_t>& left_out() const { return items_.back(); }
    double overflow(int bin) const { return overflow_[size_t(bin)]; }
    double fullest_share(int bin) const;

private:
    struct Tally {
        int32_t used = 0, largest = 0, smallest = 0;
        int64_t excess = 0;
    };
    struct BinTerms {
        double value, overflow;
    };
    BinTerms terms(int bin, const double* load, int count) const;
    int64_t amount(size_t rule) const;
    void count_rule(size_t rule, int domain, int step);
    size_t list_of(int bin) const { return bin < 0 ? items_.size() - 1 : size_t(bin); }

    const AssignmentProblem& problem_;
    std::vector<int32_t> bin_of_, place_;       // of each item: its bin, and where it stands in the bin's list
    std::vector<std::vector<int32_t>> items_;   // of each bin; the last list holds what is left out
    std::vector<double> load_;                  // bins x resources
    std::vector<double> value_, overflow_;      // of each bin
    std::vector<double> sum_, square_sum_;      // of the shares taken, for each resource
    std::vector<size_t> count_starts_, histogram_starts_;
    std::vector<int32_t> counts_, histogram_;   // items in each domain of each rule; of spreads: domains with each count
    std::vector<Tally> tallies_;
    std::vector<double> row_a_, row_b_;
    Change total_;
    int overflowing_ = 0;
    int64_t missed_units_ = 0;
};

}  // namespace qrealm
