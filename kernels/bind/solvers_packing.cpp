// Vector bin packing for Python.
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "../optimize/packing.h"
#include "solvers.h"

namespace qrealm {

namespace {

PackingSearch begin(Matrix<int32_t> demand, Vector<int32_t> capacity, int least_bins, uint64_t seed, Vector<int32_t> hint,
                    const PackingTuning& tuning) {
    if (demand.shape(1) != capacity.shape(0) || capacity.shape(0) > size_t(PackingProblem::RESOURCES_MAX))
        throw std::invalid_argument("demand must be (items, resources), capacity (resources,)");
    if (hint.shape(0) != 0 && hint.shape(0) != demand.shape(0))
        throw std::invalid_argument("a hint must name a bin for each item");
    const PackingProblem problem(demand.data(), capacity.data(), int(demand.shape(0)), int(demand.shape(1)), least_bins);
    return PackingSearch(problem, seed, std::vector<int>(hint.data(), hint.data() + hint.shape(0)), tuning);
}

void bind(nb::module_& m) {
    nb::class_<PackingSearch>(m, "PackingSearch")
        .def("__init__",
             [](PackingSearch* self, Matrix<int32_t> demand, Vector<int32_t> capacity, int least_bins, uint64_t seed,
                Vector<int32_t> hint, double hottest, double coldest, double unevenness, bool full_bins) {
                 new (self) PackingSearch(begin(demand, capacity, least_bins, seed, hint, {hottest, coldest, unevenness, full_bins}));
             },
             nb::arg("demand"), nb::arg("capacity"), nb::arg("least_bins"), nb::arg("seed"), nb::arg("hint"),
             nb::arg("hottest"), nb::arg("coldest"), nb::arg("unevenness"), nb::arg("full_bins"))
        .def("advance", &PackingSearch::advance, nb::arg("units"), nb::arg("seconds_left"),
             nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("done", &PackingSearch::done)
        .def_prop_ro("best_bins", &PackingSearch::best_bins)
        .def_prop_ro("target", &PackingSearch::target)
        .def("best", [](const PackingSearch& s) { return to_numpy(std::vector<int32_t>(s.best().begin(), s.best().end())); })
        .def("consistent", &PackingSearch::consistent);
}

const Registration registration(bind);

}  // namespace

}  // namespace qrealm
