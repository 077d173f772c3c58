// Python's view of the spin solvers.
#include <nanobind/stl/vector.h>

#include <memory>
#include <new>
#include <stdexcept>

#include "../optimize/spins_annealing.h"
#include "../optimize/spins_bifurcation.h"
#include "../optimize/spins_mixing.h"
#include "../optimize/spins_path.h"
#include "../optimize/spins_tabu.h"
#include "../optimize/spins_tempering.h"
#include "solvers.h"

namespace qrealm {
namespace {

using namespace nb::literals;
using spins::RealProblem;
using spins::WholeProblem;
using Indices = Vector<int32_t>;
using Reals = Vector<double>;

template <class Weights>
void check(const Indices& starts, const Indices& neighbours, const Weights& weights, const Weights& fields) {
    if (starts.size() != fields.size() + 1 || neighbours.size() != weights.size() ||
        neighbours.size() != size_t(starts(fields.size())))
        throw std::invalid_argument("rows, neighbours, weights and fields do not fit together");
}

WholeProblem whole(const Indices& starts, const Indices& neighbours, const Indices& weights, const Indices& fields) {
    check(starts, neighbours, weights, fields);
    return {fields.size(), starts.data(), neighbours.data(), weights.data(), fields.data()};
}

RealProblem real(const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields) {
    check(starts, neighbours, weights, fields);
    return {fields.size(), starts.data(), neighbours.data(), weights.data(), fields.data()};
}

// What all searches have.
template <class Kernel>
nb::class_<Kernel> searched(nb::module_& m, const char* name) {
    return nb::class_<Kernel>(m, name)
        .def("advance", &Kernel::advance, "work"_a, nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("improvements", &Kernel::improvements)
        .def("best_spins", [](const Kernel& self) { return to_numpy(std::vector<int8_t>(self.best_spins())); });
}

template <class Kernel, class Weights, auto problem_of>
void bind_annealing(nb::module_& m, const char* name) {
    searched<Kernel>(m, name).def(
        "__init__",
        [](Kernel* self, const Indices& starts, const Indices& neighbours, const Weights& weights, const Weights& fields,
           double hot, double cold, uint64_t first_sweeps, double growth, uint64_t sweeps_max, uint64_t seed) {
            new (self) Kernel(problem_of(starts, neighbours, weights, fields), {hot, cold, first_sweeps, growth, sweeps_max},
                              seed);
        },
        "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "hot"_a, "cold"_a, "first_sweeps"_a, "growth"_a,
        "sweeps_max"_a, "seed"_a);
}

template <class Kernel, class Weights, auto problem_of>
void bind_tempering(nb::module_& m, const char* name) {
    searched<Kernel>(m, name)
        .def(
            "__init__",
            [](Kernel* self, const Indices& starts, const Indices& neighbours, const Weights& weights, const Weights& fields,
               double hot, double cold, uint32_t rungs, uint32_t sweeps_between, uint64_t seed) {
                new (self) Kernel(problem_of(starts, neighbours, weights, fields), {hot, cold, rungs, sweeps_between}, seed);
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "hot"_a, "cold"_a, "rungs"_a,
            "sweeps_between"_a, "seed"_a)
        .def("exchanged", [](const Kernel& self) { return to_numpy(self.exchanged()); });
}

void bind_path(nb::module_& m) {
    using spins::PathIntegral;
    searched<PathIntegral>(m, "PathIntegral")
        .def(
            "__init__",
            [](PathIntegral* self, const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields,
               double temperature, double transverse_field, uint64_t first_sweeps, double growth, uint64_t sweeps_max,
               uint64_t seed) {
                new (self) PathIntegral(real(starts, neighbours, weights, fields),
                                        {temperature, transverse_field, first_sweeps, growth, sweeps_max}, seed);
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "temperature"_a, "transverse_field"_a,
            "first_sweeps"_a, "growth"_a, "sweeps_max"_a, "seed"_a);
}

void bind_bifurcation(nb::module_& m) {
    using spins::Bifurcation;
    searched<Bifurcation>(m, "Bifurcation")
        .def(
            "__init__",
            [](Bifurcation* self, const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields,
               bool discrete, bool in_turn, double time_step, double strength, uint64_t first_steps, double growth, uint64_t steps_max,
               uint64_t seed) {
                new (self) Bifurcation(real(starts, neighbours, weights, fields),
                                       {discrete, in_turn, time_step, strength, first_steps, growth, steps_max}, seed);
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "discrete"_a, "in_turn"_a, "time_step"_a, "strength"_a,
            "first_steps"_a, "growth"_a, "steps_max"_a, "seed"_a);
}

void bind_tabu(nb::module_& m) {
    using spins::Tabu;
    searched<Tabu>(m, "Tabu")
        .def(
            "__init__",
            [](Tabu* self, const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields,
               const Vector<int8_t>& hint, uint32_t tenure, uint64_t patience, uint32_t elite, uint64_t seed) {
                const RealProblem problem = real(starts, neighbours, weights, fields);
                if (hint.size() && hint.size() != problem.size) throw std::invalid_argument("the hint has another length");
                new (self) Tabu(problem, {tenure, patience, elite}, hint.size() ? hint.data() : nullptr, seed);
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "hint"_a, "tenure"_a, "patience"_a, "elite"_a,
            "seed"_a)
        .def_prop_ro("starts", &Tabu::starts)
        .def("change_error", &Tabu::change_error);
}

void bind_mixing(nb::module_& m) {
    using spins::Mixing;
    searched<Mixing>(m, "Mixing")
        .def(
            "__init__",
            [](Mixing* self, const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields,
               uint32_t rank, uint64_t seed) {
                new (self) Mixing(real(starts, neighbours, weights, fields), rank, seed);
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, nb::kw_only(), "rank"_a, "seed"_a)
        .def("lengths", [](const Mixing& self) { return to_numpy(self.lengths()); })
        .def("value", &Mixing::value);
}

// The copies by themselves, so that their statistics can be checked.
struct PackedHolder {
    std::unique_ptr<spins::PackedCopies> copies;  // aligned by itself, which Python's objects are not
};

struct LanesHolder {
    spins::RealGraph graph;
    std::unique_ptr<spins::Lanes> copies;
};

void bind_copies(nb::module_& m) {
    nb::class_<PackedHolder>(m, "PackedCopies")
        .def(
            "__init__",
            [](PackedHolder* self, const Indices& starts, const Indices& neighbours, const Indices& weights,
               const Indices& fields, uint64_t seed) {
                new (self) PackedHolder{
                    std::make_unique<spins::PackedCopies>(whole(starts, neighbours, weights, fields), seed)};
                self->copies->scatter();
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, "seed"_a)
        .def("sweep",
             [](PackedHolder& self, const std::vector<double>& temperatures) {
                 if (temperatures.size() == 1) self.copies->set_temperature(temperatures[0]);
                 else self.copies->set_temperatures(temperatures);
                 self.copies->sweep();
             })
        .def("exchange",
             [](PackedHolder& self, const std::vector<uint64_t>& mask) {
                 spins::Word word;
                 for (size_t limb = 0; limb < size_t(spins::LIMBS); ++limb) word.bits[limb] = mask.at(limb);
                 self.copies->exchange(word);
             })
        .def("energies",
             [](PackedHolder& self) {
                 std::vector<int64_t> energies;
                 self.copies->energies(energies);
                 return to_numpy(std::move(energies));
             })
        .def("lowest",
             [](PackedHolder& self) {
                 int copy = 0;
                 const int64_t energy = self.copies->lowest(copy);
                 return nb::make_tuple(energy, copy);
             })
        .def("read", [](const PackedHolder& self, int copy) {
            std::vector<int8_t> spins(self.copies->size());
            self.copies->read(copy, spins.data());
            return to_numpy(std::move(spins));
        });
    nb::class_<LanesHolder>(m, "LaneCopies")
        .def(
            "__init__",
            [](LanesHolder* self, const Indices& starts, const Indices& neighbours, const Reals& weights, const Reals& fields,
               uint64_t seed) {
                new (self) LanesHolder{spins::RealGraph(real(starts, neighbours, weights, fields)), nullptr};
                self->copies = std::make_unique<spins::Lanes>(self->graph, seed);
                self->copies->scatter();
            },
            "starts"_a, "neighbours"_a, "weights"_a, "fields"_a, "seed"_a)
        .def("sweep",
             [](LanesHolder& self, double temperature) {
                 spins::Row<float> beta;
                 for (float& lane : beta.at) lane = float(1 / temperature);
                 self.copies->sweep(beta);
             })
        .def("sweep_path",
             [](LanesHolder& self, double beta, double ring) {
                 self.copies->sweep_path(float(beta), float(ring));
                 self.copies->sweep_columns(float(beta));
             })
        .def("energies",
             [](const LanesHolder& self) {
                 std::vector<double> energies;
                 self.copies->energies(energies);
                 return to_numpy(std::move(energies));
             })
        .def("field_error", [](const LanesHolder& self) { return self.copies->field_error(); })
        .def("read", [](const LanesHolder& self, int lane) {
            std::vector<int8_t> spins(self.graph.size());
            self.copies->read(lane, spins.data());
            return to_numpy(std::move(spins));
        });
}

void bind_spins(nb::module_& m) {
    bind_copies(m);
    bind_annealing<spins::PackedAnnealing, Indices, whole>(m, "PackedAnnealing");
    bind_annealing<spins::LanesAnnealing, Reals, real>(m, "LanesAnnealing");
    bind_tempering<spins::PackedTempering, Indices, whole>(m, "PackedTempering");
    bind_tempering<spins::LanesTempering, Reals, real>(m, "LanesTempering");
    bind_path(m);
    bind_bifurcation(m);
    bind_tabu(m);
    bind_mixing(m);
}

const Registration registration(bind_spins);

}  // namespace
}  // namespace qrealm
