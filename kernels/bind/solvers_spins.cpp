// Python's view of the spin solvers.
#include "solvers.h"

#include "../optimize/spins_annealing.h"

namespace qrealm {
namespace {

using spins::WholeProblem;
using Indices = Vector<int32_t>;

WholeProblem whole(const Indices& starts, const Indices& neighbours, const Indices& weights, const Indices& fields) {
    const size_t size = fields.size();
    if (starts.size() != size + 1 || neighbours.size() != weights.size() || neighbours.size() != size_t(starts(size)))
        throw std::invalid_argument("rows, neighbours, weights and fields do not fit together");
    return {size, starts.data(), neighbours.data(), weights.data(), fields.data()};
}

nb::ndarray<nb::numpy, int8_t> spins_of(const std::vector<int8_t>& spins) { return to_numpy(std::vector<int8_t>(spins)); }

void bind_spins(nb::module_& m) {
    using spins::PackedAnnealing;
    nb::class_<PackedAnnealing>(m, "PackedAnnealing")
        .def(
            "__init__",
            [](PackedAnnealing* self, const Indices& starts, const Indices& neighbours, const Indices& weights,
               const Indices& fields, double hot, double cold, uint64_t first_sweeps, double growth, uint64_t sweeps_max,
               uint64_t seed) {
                new (self) PackedAnnealing(whole(starts, neighbours, weights, fields),
                                           {hot, cold, first_sweeps, growth, sweeps_max}, seed);
            },
            nb::arg("starts"), nb::arg("neighbours"), nb::arg("weights"), nb::arg("fields"), nb::kw_only(), nb::arg("hot"),
            nb::arg("cold"), nb::arg("first_sweeps"), nb::arg("growth"), nb::arg("sweeps_max"), nb::arg("seed"))
        .def("advance", &PackedAnnealing::advance, nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("best_energy", [](const PackedAnnealing& self) { return double(self.best_energy()); })
        .def_prop_ro("improvements", &PackedAnnealing::improvements)
        .def_prop_ro("coolings", &PackedAnnealing::coolings)
        .def("best_spins", [](const PackedAnnealing& self) { return spins_of(self.best_spins()); });
}

const Registration registration(bind_spins);

}  // namespace
}  // namespace qrealm
