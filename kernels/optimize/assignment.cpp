#include "assignment.h"

#include <algorithm>
#include <cmath>

namespace qrealm {

AssignmentDomains::AssignmentDomains(const int32_t* domain_of, int num_bins, int num_domains)
    : of(domain_of, domain_of + num_bins), starts(size_t(num_domains) + 1, 0), bins(size_t(num_bins)) {
    for (int32_t domain : of) ++starts[size_t(domain) + 1];
    for (size_t d = 0; d < size_t(num_domains); ++d) starts[d + 1] += starts[d];
    std::vector<int32_t> next(starts.begin(), starts.end() - 1);
    for (int32_t bin = 0; bin < num_bins; ++bin) bins[size_t(next[size_t(of[size_t(bin)])]++)] = bin;
}

void AssignmentProblem::prepare(double tolerance) {
    const size_t d = size_t(num_resources), m = size_t(num_bins), n = size_t(num_items);
    limit.resize(m * d);
    share_of.resize(m * d);
    overflow_of.resize(m * d);
    for (size_t r = 0; r < d; ++r) {
        double mean = 0;
        for (size_t b = 0; b < m; ++b) mean += capacity[b * d + r] / double(m);
        if (mean <= 0) {
            for (size_t i = 0; i < n; ++i) mean = std::max(mean, demand[i * d + r]);
        }
        const double other = mean > 0 ? 1.0 / mean : 1.0;
        for (size_t at = r; at < m * d; at += d) {
            limit[at] = capacity[at] * (1 + tolerance);
            share_of[at] = capacity[at] > 0 ? 1.0 / capacity[at] : 0.0;
            overflow_of[at] = capacity[at] > 0 ? share_of[at] : other;
        }
    }
    rule_starts.assign(n + 1, 0);
    for (const AssignmentRule& rule : rules)
        for (int32_t item : rule.items) ++rule_starts[size_t(item) + 1];
    for (size_t i = 0; i < n; ++i) rule_starts[i + 1] += rule_starts[i];
    rules_of.resize(size_t(rule_starts[n]));
    std::vector<int32_t> next(rule_starts.begin(), rule_starts.end() - 1);
    for (size_t k = 0; k < rules.size(); ++k)
        for (int32_t item : rules[k].items) rules_of[size_t(next[size_t(item)]++)] = int32_t(k);
    list_starts.assign(size_t(num_sets) + 1, 0);
    lists.clear();
    for (size_t s = 0; s < size_t(num_sets); ++s) {
        // A set of most bins needs no list: bins drawn at random are in it soon enough.
        const uint8_t* row = allowed + s * m;
        const size_t size = size_t(std::count(row, row + m, uint8_t(1)));
        if (size * 4 < m * 3)
            for (size_t b = 0; b < m; ++b)
                if (row[b]) lists.push_back(int32_t(b));
        list_starts[s + 1] = int32_t(lists.size());
    }
}

AssignmentState::AssignmentState(const AssignmentProblem& problem, const std::vector<int32_t>& bin_of)
    : problem_(problem), bin_of_(bin_of), place_(bin_of.size()), items_(size_t(problem.num_bins) + 1),
      load_(size_t(problem.num_bins) * size_t(problem.num_resources)), value_(size_t(problem.num_bins)),
      overflow_(size_t(problem.num_bins)), sum_(size_t(problem.num_resources)),
      square_sum_(size_t(problem.num_resources)), tallies_(problem.rules.size()), row_a_(size_t(problem.num_resources)),
      row_b_(size_t(problem.num_resources)) {
    size_t counts = 0, entries = 0;
    for (const AssignmentRule& rule : problem.rules) {
        count_starts_.push_back(counts);
        histogram_starts_.push_back(entries);
        counts += size_t(problem.domains[size_t(rule.domains)].count());
        if (rule.kind == RuleKind::spread) entries += rule.items.size() + 2;
    }
    counts_.resize(counts);
    histogram_.resize(entries);
    for (size_t i = 0; i < bin_of_.size(); ++i) {
        auto& list = items_[list_of(bin_of_[i])];
        place_[i] = int32_t(list.size());
        list.push_back(int32_t(i));
    }
    recompute();
}

void AssignmentState::recompute() {
    const size_t d = size_t(problem_.num_resources), m = size_t(problem_.num_bins);
    std::fill(load_.begin(), load_.end(), 0.0);
    std::fill(sum_.begin(), sum_.end(), 0.0);
    std::fill(square_sum_.begin(), square_sum_.end(), 0.0);
    total_ = Change{};
    overflowing_ = 0;
    for (size_t i = 0; i < bin_of_.size(); ++i) {
        total_.value += problem_.item_price(int(i), bin_of_[i]);
        if (bin_of_[i] < 0) continue;
        for (size_t r = 0; r < d; ++r) load_[size_t(bin_of_[i]) * d + r] += problem_.demand_of(int(i))[r];
    }
    for (size_t b = 0; b < m; ++b) {
        const BinTerms now = terms(int(b), &load_[b * d], int(items_[b].size()));
        value_[b] = now.value;
        overflow_[b] = now.overflow;
        total_ += {now.value, now.overflow};
        overflowing_ += now.overflow > 0;
        for (size_t r = 0; r < d; ++r) {
            const double share = load_[b * d + r] * problem_.share_of[b * d + r];
            sum_[r] += share;
            square_sum_[r] += share * share;
        }
    }
    for (size_t r = 0; r < d && m; ++r) {
        const double mean = sum_[r] / double(m);
        total_.value += problem_.weight_balance / double(d) * (square_sum_[r] / double(m) - mean * mean);
    }
    std::fill(counts_.begin(), counts_.end(), 0);
    std::fill(histogram_.begin(), histogram_.end(), 0);
    std::fill(tallies_.begin(), tallies_.end(), Tally{});
    missed_units_ = 0;
    for (size_t k = 0; k < problem_.rules.size(); ++k) {
        const AssignmentRule& rule = problem_.rules[k];
        const AssignmentDomains& domains = problem_.domains[size_t(rule.domains)];
        if (rule.kind == RuleKind::spread) histogram_[histogram_starts_[k]] = domains.count();
        for (int32_t item : rule.items)
            if (bin_of(item) >= 0) count_rule(k, domains.of[size_t(bin_of(item))], 1);
        const int64_t missed = amount(k);
        if (rule.is_demand) {
            missed_units_ += missed;
            total_.penalty += double(missed);
        } else {
            total_.value += rule.weight * double(missed);
        }
    }
}

AssignmentState::BinTerms AssignmentState::terms(int bin, const double* load, int count) const {
    if (count == 0) return {0, 0};
    const size_t d = size_t(problem_.num_resources), at = size_t(bin) * d;
    double overflow = 0, largest = 0, smallest = 1;
    for (size_t r = 0; r < d; ++r) {
        const double share = load[r] * problem_.share_of[at + r];
        largest = std::max(largest, share);
        smallest = std::min(smallest, share);
        const double over = load[r] - problem_.limit[at + r];
        if (over > 0) overflow += over * problem_.overflow_of[at + r];
    }
    double value = problem_.weight_bins + problem_.weight_cost * problem_.bin_cost[bin];
    if (d) value += problem_.weight_fragmentation / problem_.num_bins * (largest - smallest);
    return {value, overflow};
}

Change AssignmentState::exchange_change(int a, int b, const double* amount, int count) {
    const size_t d = size_t(problem_.num_resources);
    Change change;
    const int count_a = a < 0 ? 0 : int(items_[size_t(a)].size()) - count;
    const int count_b = b < 0 ? 0 : int(items_[size_t(b)].size()) + count;
    // An empty bin holds nothing, whatever rounding has left over.
    for (size_t r = 0; r < d && a >= 0; ++r) row_a_[r] = count_a ? load_[size_t(a) * d + r] - amount[r] : 0.0;
    for (size_t r = 0; r < d && b >= 0; ++r) row_b_[r] = count_b ? load_[size_t(b) * d + r] + amount[r] : 0.0;
    if (a >= 0) {
        const BinTerms now = terms(a, row_a_.data(), count_a);
        change += {now.value - value_[size_t(a)], now.overflow - overflow_[size_t(a)]};
    }
    if (b >= 0) {
        const BinTerms now = terms(b, row_b_.data(), count_b);
        change += {now.value - value_[size_t(b)], now.overflow - overflow_[size_t(b)]};
    }
    if (problem_.weight_balance == 0) return change;
    const double m = problem_.num_bins;
    for (size_t r = 0; r < d; ++r) {
        double sum = 0, squares = 0;
        for (const int bin : {a, b}) {
            if (bin < 0) continue;
            const size_t at = size_t(bin) * d + r;
            const double before = load_[at] * problem_.share_of[at];
            const double after = (bin == a ? row_a_ : row_b_)[r] * problem_.share_of[at];
            sum += after - before;
            squares += (after - before) * (after + before);
        }
        change.value += problem_.weight_balance / double(d) * (squares / m - sum * (2 * sum_[r] + sum) / (m * m));
    }
    return change;
}

Change AssignmentState::shift_change(int item, int to) {
    const int from = bin_of(item);
    Change change = exchange_change(from, to, problem_.demand_of(item), 1);
    change.value += problem_.item_price(item, to) - problem_.item_price(item, from);
    return change;
}

int64_t AssignmentState::amount(size_t rule) const {
    const Tally& tally = tallies_[rule];
    switch (problem_.rules[rule].kind) {
        case RuleKind::together: return std::max(0, tally.used - 1);
        case RuleKind::apart: return tally.excess;
        default: return std::max(0, tally.largest - tally.smallest - problem_.rules[rule].skew);
    }
}

void AssignmentState::count_rule(size_t rule, int domain, int step) {
    int32_t& count = counts_[count_starts_[rule] + size_t(domain)];
    const int32_t before = count;
    count += step;
    Tally& tally = tallies_[rule];
    if (problem_.rules[rule].kind != RuleKind::spread) {
        tally.used += (count > 0) - (before > 0);
        tally.excess += std::max(0, count - 1) - std::max(0, before - 1);
        return;
    }
    int32_t* domains_with = &histogram_[histogram_starts_[rule]];
    --domains_with[before];
    ++domains_with[count];
    // Counts change by one, so the extremes do as well.
    if (step > 0) {
        tally.largest = std::max(tally.largest, count);
        if (before == tally.smallest && domains_with[before] == 0) ++tally.smallest;
    } else {
        tally.smallest = std::min(tally.smallest, count);
        if (before == tally.largest && domains_with[before] == 0) --tally.largest;
    }
}

Change AssignmentState::shift_rules(int item, int from, int to) {
    Change change;
    for (int32_t at = problem_.rule_starts[size_t(item)]; at < problem_.rule_starts[size_t(item) + 1]; ++at) {
        const size_t k = size_t(problem_.rules_of[size_t(at)]);
        const AssignmentRule& rule = problem_.rules[k];
        const auto& domain_of = problem_.domains[size_t(rule.domains)].of;
        const int before = from < 0 ? -1 : domain_of[size_t(from)], after = to < 0 ? -1 : domain_of[size_t(to)];
        if (before == after) continue;
        const int64_t amount_before = amount(k);
        if (before >= 0) count_rule(k, before, -1);
        if (after >= 0) count_rule(k, after, 1);
        const int64_t more = amount(k) - amount_before;
        if (rule.is_demand) {
            missed_units_ += more;
            change.penalty += double(more);
        } else {
            change.value += rule.weight * double(more);
        }
    }
    return change;
}

void AssignmentState::apply(int item, int to, const Change& change) {
    const size_t d = size_t(problem_.num_resources);
    const double* amount = problem_.demand_of(item);
    const int from = bin_of(item);
    auto& old_list = items_[list_of(from)];
    const size_t hole = size_t(place_[size_t(item)]);
    old_list[hole] = old_list.back();
    place_[size_t(old_list[hole])] = int32_t(hole);
    old_list.pop_back();
    auto& new_list = items_[list_of(to)];
    place_[size_t(item)] = int32_t(new_list.size());
    new_list.push_back(item);
    bin_of_[size_t(item)] = to;
    for (const int bin : {from, to}) {
        if (bin < 0) continue;
        const double sign = bin == from ? -1.0 : 1.0;
        double* load = &load_[size_t(bin) * d];
        const double* share_of = &problem_.share_of[size_t(bin) * d];
        const int count = int(items_[size_t(bin)].size());
        for (size_t r = 0; r < d; ++r) {
            const double before = load[r] * share_of[r];
            load[r] = count ? load[r] + sign * amount[r] : 0.0;
            const double after = load[r] * share_of[r];
            sum_[r] += after - before;
            square_sum_[r] += (after - before) * (after + before);
        }
        const BinTerms now = terms(bin, load, count);
        overflowing_ += (now.overflow > 0) - (overflow_[size_t(bin)] > 0);
        value_[size_t(bin)] = now.value;
        overflow_[size_t(bin)] = now.overflow;
    }
    total_ += change;
}

Change AssignmentState::shift(int item, int to) {
    const int from = bin_of(item);
    if (from == to) return {};
    Change change = shift_change(item, to);
    change += shift_rules(item, from, to);
    apply(item, to, change);
    return change;
}

double AssignmentState::fullest_share(int bin) const {
    const size_t d = size_t(problem_.num_resources), at = size_t(bin) * d;
    double largest = 0;
    for (size_t r = 0; r < d; ++r) largest = std::max(largest, load_[at + r] * problem_.share_of[at + r]);
    return largest;
}

}  // namespace qrealm
