// The moves of the annealing of assignments.
#include <algorithm>
#include <limits>

#include "assignment_annealing.h"

namespace qrealm {

namespace {

constexpr int TRIES = 8;
constexpr int CHAIN_LENGTH_MAX = 4;
constexpr size_t EMPTIED_ITEMS_MAX = 256;
constexpr size_t GROUP_ITEMS_MAX = 256;

}  // namespace

void AssignmentAnnealing::propose() {
    const double choice = random_.unit();
    if (!state_.left_out().empty() && choice < 0.25) return try_insert();
    if (!ruled_items_.empty() && choice < 0.35) return try_domain();
    if (!groups_.empty() && choice < 0.37) return try_group();
    if (choice < 0.65) {
        const int item = int(random_.below(uint32_t(problem_.num_items)));
        const bool out = problem_.may_leave_out && random_.below(8) == 0;
        const int to = out ? -1 : likely_bin(item);
        if (to >= 0 || out) try_shift(item, to);
        return;
    }
    if (choice < 0.94) return try_swap();
    if (packs_ && choice < (problem_.may_leave_out ? 0.97 : 0.95)) return try_empty_bin();
    try_chain();
}

int AssignmentAnnealing::any_bin(int item) {
    const size_t set = size_t(problem_.allowed_set[item]);
    const int32_t from = problem_.list_starts[set], to = problem_.list_starts[set + 1];
    if (from < to) return problem_.lists[size_t(from) + random_.below(uint32_t(to - from))];
    // A set without a list has at least three quarters of the bins, or none.
    for (int t = 0; t < 4 * TRIES; ++t) {
        const int bin = int(random_.below(uint32_t(problem_.num_bins)));
        if (problem_.is_allowed(item, bin)) return bin;
    }
    for (int bin = 0; bin < problem_.num_bins; ++bin)
        if (problem_.is_allowed(item, bin)) return bin;
    return -1;
}

int AssignmentAnnealing::used_bin(int item) {
    for (int t = 0; t < TRIES; ++t) {
        const int bin = state_.bin_of(int(random_.below(uint32_t(problem_.num_items))));
        if (bin >= 0 && problem_.is_allowed(item, bin)) return bin;
    }
    return any_bin(item);
}

int AssignmentAnnealing::likely_bin(int item) {
    const uint32_t choice = random_.below(16);
    const int current = problem_.current[item];
    if (current >= 0 && choice < 4 && state_.bin_of(item) != current && problem_.is_allowed(item, current)) return current;
    if (nearest_count_ && choice < 12) {
        const int bin = nearest_[size_t(item) * size_t(nearest_count_) + random_.below(uint32_t(nearest_count_))];
        if (problem_.is_allowed(item, bin)) return bin;
    }
    return packs_ && choice >= 4 ? used_bin(item) : any_bin(item);
}

int AssignmentAnnealing::bin_in_domain(int item, const AssignmentDomains& domains, int domain) {
    const uint32_t from = uint32_t(domains.starts[size_t(domain)]), to = uint32_t(domains.starts[size_t(domain) + 1]);
    for (int t = 0; t < TRIES; ++t) {
        const int bin = domains.bins[from + random_.below(to - from)];
        if (problem_.is_allowed(item, bin)) return bin;
    }
    return -1;
}

// Of a few bins, the one where the item costs least; rules are left to `finish`.
int AssignmentAnnealing::best_of(int item, int tries, int except) {
    int best = -1;
    double least = std::numeric_limits<double>::infinity();
    for (int t = 0; t < tries; ++t) {
        const int bin = t % 4 == 3 ? any_bin(item) : likely_bin(item);
        if (bin < 0 || bin == except || bin == state_.bin_of(item)) continue;
        const Change change = state_.shift_change(item, bin);
        if (strict_ && state_.overflow(bin) == 0 && change.penalty > 1e-12) continue;
        if (energy(change) < least) {
            least = energy(change);
            best = bin;
        }
    }
    return best;
}

bool AssignmentAnnealing::try_shift(int item, int to) {
    const int from = state_.bin_of(item);
    if (from == to) return false;
    Change change = state_.shift_change(item, to);
    change += state_.shift_rules(item, from, to);
    if (!accepts(change)) {
        state_.shift_rules(item, to, from);
        return false;
    }
    state_.apply(item, to, change);
    if (!is_touched_[size_t(item)]) {
        is_touched_[size_t(item)] = 1;
        touched_.push_back(item);
    }
    keep_best();
    return true;
}

void AssignmentAnnealing::try_swap() {
    const uint32_t n = uint32_t(problem_.num_items);
    const int one = int(random_.below(n));
    const int a = state_.bin_of(one);
    if (a < 0) return;
    int other = int(random_.below(n));
    if (nearest_count_ && random_.below(2)) {
        // With somebody in a bin that the item would like.
        const int bin = nearest_[size_t(one) * size_t(nearest_count_) + random_.below(uint32_t(nearest_count_))];
        const auto& list = state_.items_in(bin);
        if (!list.empty()) other = list[random_.below(uint32_t(list.size()))];
    }
    const int b = state_.bin_of(other);
    if (b < 0 || a == b || !problem_.is_allowed(one, b) || !problem_.is_allowed(other, a)) return;
    const size_t d = size_t(problem_.num_resources);
    swap_amount_.resize(d);
    for (size_t r = 0; r < d; ++r) swap_amount_[r] = problem_.demand_of(one)[r] - problem_.demand_of(other)[r];
    Change change = state_.exchange_change(a, b, swap_amount_.data(), 0);
    change.value += problem_.item_price(one, b) - problem_.item_price(one, a) + problem_.item_price(other, a) -
                    problem_.item_price(other, b);
    change += state_.shift_rules(one, a, b);
    change += state_.shift_rules(other, b, a);
    const bool accepted = accepts(change);
    state_.shift_rules(other, a, b);
    state_.shift_rules(one, b, a);
    if (!accepted) return;
    take(one, b);
    take(other, a);
    keep();
}

// An item goes to another bin; what has no room there any more goes on, and so forth.
void AssignmentAnnealing::try_chain() {
    int item = int(random_.below(uint32_t(problem_.num_items)));
    int to = likely_bin(item);
    if (to < 0 || to == state_.bin_of(item)) return;
    Change change = take(item, to);
    for (int length = 1; length < CHAIN_LENGTH_MAX && state_.overflow(to) > 0; ++length) {
        const auto& list = state_.items_in(to);
        int chosen = -1, next = -1;
        double least = std::numeric_limits<double>::infinity();
        for (int t = 0; t < 4; ++t) {
            const int other = list[random_.below(uint32_t(list.size()))];
            if (other == item) continue;
            const int bin = best_of(other, 3, to);
            if (bin < 0) continue;
            const double more = energy(state_.shift_change(other, bin));
            if (more < least) {
                least = more;
                chosen = other;
                next = bin;
            }
        }
        if (chosen < 0) break;
        change += take(chosen, next);
        item = chosen;
        to = next;
    }
    finish(change);
}

// All items of a bin go elsewhere: into an empty bin as a whole, or each to another one in use.
void AssignmentAnnealing::try_empty_bin() {
    int bin = -1;
    size_t fewest = EMPTIED_ITEMS_MAX + 1;
    for (int t = 0; t < 4; ++t) {
        const int other = state_.bin_of(int(random_.below(uint32_t(problem_.num_items))));
        if (other >= 0 && state_.items_in(other).size() < fewest) {
            fewest = state_.items_in(other).size();
            bin = other;
        }
    }
    if (bin < 0) return;
    emptied_ = state_.items_in(bin);
    Change change;
    if (random_.below(4) == 0) {
        const int to = any_bin(emptied_[0]);
        if (to < 0 || to == bin || !state_.items_in(to).empty()) return;
        for (int32_t item : emptied_)
            if (!problem_.is_allowed(item, to)) return;
        for (int32_t item : emptied_) change += take(item, to);
        return finish(change);
    }
    const bool out = problem_.may_leave_out && random_.below(2);
    for (int32_t item : emptied_) {
        const int to = best_of(item, 12, bin);
        const bool leave = out && (to < 0 || random_.below(2));
        if (to < 0 && !leave) break;
        change += take(item, leave ? -1 : to);
    }
    finish(change);
}

// All items of a rule that wants them together go to one domain.
void AssignmentAnnealing::try_group() {
    const AssignmentRule& rule = problem_.rules[size_t(groups_[random_.below(uint32_t(groups_.size()))])];
    if (rule.items.size() > GROUP_ITEMS_MAX) return;
    const AssignmentDomains& domains = problem_.domains[size_t(rule.domains)];
    const int target = likely_bin(rule.items[0]);
    if (target < 0) return;
    const int domain = domains.of[size_t(target)];
    Change change;
    for (int32_t item : rule.items) {
        const int from = state_.bin_of(item);
        if (from < 0 && random_.below(2)) continue;
        if (from >= 0 && domains.of[size_t(from)] == domain) continue;
        const int to = problem_.is_allowed(item, target) && random_.below(2) ? target : bin_in_domain(item, domains, domain);
        if (to >= 0 && to != from) change += take(item, to);
    }
    if (!trail_.empty()) finish(change);
}

// An item goes to another domain of one of its rules, or to where its group is.
void AssignmentAnnealing::try_domain() {
    const int item = ruled_items_[random_.below(uint32_t(ruled_items_.size()))];
    const int32_t first = problem_.rule_starts[size_t(item)], last = problem_.rule_starts[size_t(item) + 1];
    const size_t k = size_t(problem_.rules_of[size_t(first) + random_.below(uint32_t(last - first))]);
    const AssignmentRule& rule = problem_.rules[k];
    const AssignmentDomains& domains = problem_.domains[size_t(rule.domains)];
    int domain = int(random_.below(uint32_t(domains.count())));
    if (rule.kind == RuleKind::together) {
        const int bin = state_.bin_of(rule.items[random_.below(uint32_t(rule.items.size()))]);
        if (bin < 0) return;
        domain = domains.of[size_t(bin)];
    }
    const int to = bin_in_domain(item, domains, domain);
    if (to >= 0) try_shift(item, to);
}

// An item that is left out gets a bin, perhaps in the place of others.
void AssignmentAnnealing::try_insert() {
    const auto& out = state_.left_out();
    const int item = out[random_.below(uint32_t(out.size()))];
    const int to = random_.below(2) ? any_bin(item) : likely_bin(item);
    if (to < 0) return;
    Change change = take(item, to);
    for (int length = 0; length < CHAIN_LENGTH_MAX && state_.overflow(to) > 0; ++length) {
        const auto& list = state_.items_in(to);
        const int other = list[random_.below(uint32_t(list.size()))];
        if (other == item) continue;
        change += take(other, random_.below(2) ? -1 : best_of(other, 4, to));
    }
    // Demands of rules that the item brought with it may be met by leaving another member out.
    if (change.penalty > 1e-12 && problem_.rule_starts[size_t(item)] < problem_.rule_starts[size_t(item) + 1]) {
        const size_t k = size_t(problem_.rules_of[size_t(problem_.rule_starts[size_t(item)])]);
        const auto& members = problem_.rules[k].items;
        const int other = members[random_.below(uint32_t(members.size()))];
        if (other != item && state_.bin_of(other) >= 0) change += take(other, -1);
    }
    finish(change);
}

}  // namespace qrealm
