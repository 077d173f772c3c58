// Annealing of assignments for Python.
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <tuple>

#include "../optimize/assignment_annealing.h"
#include "solvers.h"

namespace qrealm {

namespace {

// kind, whether it is a demand, weight, skew, index of its domains, items.
using RuleRow = std::tuple<int, bool, double, int, int, std::vector<int32_t>>;
// Domain of each bin, how many domains.
using DomainsRow = std::tuple<std::vector<int32_t>, int>;

// The kernel and the arrays that it reads.
struct BoundAnnealing {
    std::vector<nb::object> kept;
    std::unique_ptr<AssignmentAnnealing> search;
};

void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

std::vector<int32_t> to_vector(const Vector<int32_t>& values) {
    return std::vector<int32_t>(values.data(), values.data() + values.shape(0));
}

void add_rules(AssignmentProblem& problem, const std::vector<DomainsRow>& domains, const std::vector<RuleRow>& rules) {
    for (const auto& [of, count] : domains) {
        expect(int(of.size()) == problem.num_bins, "domains must be given for every bin");
        for (int32_t domain : of) expect(domain >= 0 && domain < count, "a domain is out of range");
        problem.domains.emplace_back(of.data(), problem.num_bins, count);
    }
    for (const auto& [kind, is_demand, weight, skew, index, items] : rules) {
        expect(kind >= 0 && kind <= 2 && index >= 0 && index < int(domains.size()), "a rule is out of range");
        for (int32_t item : items) expect(item >= 0 && item < problem.num_items, "a rule's item is out of range");
        problem.rules.push_back({RuleKind(kind), is_demand, weight, skew, index, items});
    }
}

void begin(BoundAnnealing* self, Matrix<double> demand, Matrix<double> capacity, Vector<double> bin_cost,
           Vector<double> left_out_price, Vector<int32_t> allowed_set, Matrix<uint8_t> allowed, Vector<int32_t> current,
           Vector<double> move_price, Matrix<double> placement_cost, const std::vector<double>& weights, bool may_leave_out,
           const std::vector<DomainsRow>& domains, const std::vector<RuleRow>& rules, uint64_t seed, Vector<int32_t> hint,
           double hottest, double coldest) {
    AssignmentProblem problem;
    const size_t n = demand.shape(0), d = demand.shape(1), m = capacity.shape(0);
    expect(capacity.shape(1) == d && bin_cost.shape(0) == m && left_out_price.shape(0) == n && allowed_set.shape(0) == n &&
               allowed.shape(1) == m && current.shape(0) == n && move_price.shape(0) == n && weights.size() == 5,
           "the arrays of an assignment do not fit together");
    expect(placement_cost.shape(0) == 0 || (placement_cost.shape(0) == n && placement_cost.shape(1) == m),
           "placement_cost must be (items, bins)");
    problem.num_items = int(n);
    problem.num_bins = int(m);
    problem.num_resources = int(d);
    problem.num_sets = int(allowed.shape(0));
    for (size_t i = 0; i < n; ++i) {
        expect(allowed_set.data()[i] >= 0 && allowed_set.data()[i] < problem.num_sets, "an allowed set is out of range");
        expect(current.data()[i] >= -1 && current.data()[i] < int(m), "a current bin is out of range");
    }
    problem.demand = demand.data();
    problem.capacity = capacity.data();
    problem.bin_cost = bin_cost.data();
    problem.left_out_price = left_out_price.data();
    problem.move_price = move_price.data();
    problem.placement_cost = placement_cost.shape(0) ? placement_cost.data() : nullptr;
    problem.allowed_set = allowed_set.data();
    problem.allowed = allowed.data();
    problem.current = current.data();
    problem.may_leave_out = may_leave_out;
    problem.weight_bins = weights[0];
    problem.weight_cost = weights[1];
    problem.weight_balance = weights[2];
    problem.weight_fragmentation = weights[3];
    problem.weight_moves = weights[4];
    add_rules(problem, domains, rules);
    new (self) BoundAnnealing();
    self->kept = {nb::cast(demand),  nb::cast(capacity), nb::cast(bin_cost),   nb::cast(left_out_price), nb::cast(allowed_set),
                  nb::cast(allowed), nb::cast(current),  nb::cast(move_price), nb::cast(placement_cost)};
    const AnnealingTuning tuning{hottest, coldest};
    self->search = std::make_unique<AssignmentAnnealing>(std::move(problem), seed, to_vector(hint), tuning);
}

void bind(nb::module_& m) {
    nb::class_<BoundAnnealing>(m, "AssignmentAnnealing")
        .def("__init__", &begin, nb::arg("demand"), nb::arg("capacity"), nb::arg("bin_cost"), nb::arg("left_out_price"),
             nb::arg("allowed_set"), nb::arg("allowed"), nb::arg("current"), nb::arg("move_price"), nb::arg("placement_cost"),
             nb::arg("weights"), nb::arg("may_leave_out"), nb::arg("domains"), nb::arg("rules"), nb::arg("seed"),
             nb::arg("hint"), nb::arg("hottest"), nb::arg("coldest"))
        .def("advance", [](BoundAnnealing& s, uint64_t units, double seconds) { return s.search->advance(units, seconds); },
             nb::arg("units"), nb::arg("seconds_left"), nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("found", [](const BoundAnnealing& s) { return s.search->found(); })
        .def_prop_ro("best_value", [](const BoundAnnealing& s) { return s.search->best_value(); })
        .def("best", [](const BoundAnnealing& s) { return to_numpy(std::vector<int32_t>(s.search->best())); })
        .def_prop_ro("value", [](const BoundAnnealing& s) { return s.search->state().value(); })
        .def_prop_ro("penalty", [](const BoundAnnealing& s) { return s.search->state().penalty(); })
        .def_prop_ro("keeps_demands", [](const BoundAnnealing& s) { return s.search->state().keeps_demands(); })
        .def("answer", [](const BoundAnnealing& s) { return to_numpy(std::vector<int32_t>(s.search->state().bins())); });
}

const Registration registration(bind);

}  // namespace

}  // namespace qrealm
