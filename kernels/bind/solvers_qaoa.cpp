// The quantum approximate optimization algorithm for Python.
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "../optimize/qaoa.h"
#include "../optimize/qaoa_one_hot.h"
#include "solvers.h"

namespace qrealm {

namespace {

using qaoa::Diagonal;

Diagonal diagonal_of(Vector<double> fields, Vector<int32_t> rows, Vector<int32_t> cols, Vector<double> weights, double unit) {
    const int qubits = int(fields.shape(0));
    if (qubits > 40 || rows.shape(0) != cols.shape(0) || rows.shape(0) != weights.shape(0))
        throw std::invalid_argument("up to 40 fields, and couplings as three equally long arrays");
    for (size_t k = 0; k < rows.shape(0); ++k) {
        const int32_t a = rows.data()[k], b = cols.data()[k];
        if (a < 0 || b < 0 || a >= qubits || b >= qubits || a == b) throw std::invalid_argument("a coupling of no two spins");
    }
    nb::gil_scoped_release release;
    return Diagonal(qubits, fields.data(), rows.data(), cols.data(), weights.data(), rows.shape(0), unit);
}

void check_angles(const Vector<double>& gammas, const Vector<double>& betas) {
    if (gammas.shape(0) == 0 || betas.shape(0) != gammas.shape(0) || gammas.shape(0) > 10000)
        throw std::invalid_argument("equally many gammas and betas, at least one");
}

// What all states can do.
template <class State>
nb::class_<State> bind_state(nb::module_& m, const char* name) {
    return nb::class_<State>(m, name)
        .def("gradient",
             [](State& self, Vector<double> gammas, Vector<double> betas) {
                 check_angles(gammas, betas);
                 const size_t layers = gammas.shape(0);
                 std::vector<double> slopes(2 * layers);
                 double value;
                 {
                     nb::gil_scoped_release release;
                     value = self.gradient(int(layers), gammas.data(), betas.data(), slopes.data(), slopes.data() + layers);
                 }
                 return nb::make_tuple(value, to_numpy(std::move(slopes)));
             },
             nb::arg("gammas"), nb::arg("betas"))
        .def("sample",
             [](State& self, Vector<double> gammas, Vector<double> betas, size_t shots, uint64_t seed) {
                 check_angles(gammas, betas);
                 std::vector<uint64_t> found;
                 {
                     nb::gil_scoped_release release;
                     self.prepare(int(gammas.shape(0)), gammas.data(), betas.data());
                     found = self.sample(shots, seed);
                 }
                 return to_numpy(std::move(found));
             },
             nb::arg("gammas"), nb::arg("betas"), nb::arg("shots"), nb::arg("seed"))
        .def("amplitudes",
             [](State& self, Vector<double> gammas, Vector<double> betas) {
                 check_angles(gammas, betas);
                 self.prepare(int(gammas.shape(0)), gammas.data(), betas.data());
                 return to_numpy(self.amplitudes());
             },
             nb::arg("gammas"), nb::arg("betas"));
}

template <class T>
void bind_qubits(nb::module_& m, const char* name) {
    using State = qaoa::State<T>;
    bind_state<State>(m, name).def(
        "__init__",
        [](State* self, const Diagonal& diagonal, int threads, bool mirrored) { new (self) State(diagonal, threads, mirrored); },
        nb::arg("diagonal"), nb::arg("threads"), nb::arg("mirrored"), nb::keep_alive<1, 2>());
}

void bind_one_hot(nb::module_& m) {
    using State = qaoa::OneHotState;
    bind_state<State>(m, "QaoaOneHotState")
        .def("__init__",
             [](State* self, Vector<int32_t> options, Vector<uint32_t> levels, Vector<double> costs) {
                 new (self) State({options.data(), options.data() + options.shape(0)},
                                  {levels.data(), levels.data() + levels.shape(0)},
                                  {costs.data(), costs.data() + costs.shape(0)});
             },
             nb::arg("options"), nb::arg("levels"), nb::arg("costs"));
}

void bind(nb::module_& m) {
    nb::class_<Diagonal>(m, "QaoaDiagonal")
        .def("__init__",
             [](Diagonal* self, Vector<double> fields, Vector<int32_t> rows, Vector<int32_t> cols, Vector<double> weights,
                double unit) { new (self) Diagonal(diagonal_of(fields, rows, cols, weights, unit)); },
             nb::arg("fields"), nb::arg("rows"), nb::arg("cols"), nb::arg("weights"), nb::arg("unit"))
        .def_ro("qubits", &Diagonal::qubits)
        .def_ro("lowest", &Diagonal::lowest)
        .def_ro("highest", &Diagonal::highest)
        .def_prop_ro("num_levels", [](const Diagonal& d) { return d.of_level.size(); })
        .def("at", [](const Diagonal& d, Vector<uint64_t> places) {
            std::vector<double> out(places.shape(0));
            for (size_t k = 0; k < out.size(); ++k) {
                if (places.data()[k] >> d.qubits) throw std::invalid_argument("a bit string of too many bits");
                out[k] = d.at(places.data()[k]);
            }
            return to_numpy(std::move(out));
        });
    bind_qubits<double>(m, "QaoaState");
    bind_qubits<float>(m, "QaoaStateSingle");
    bind_one_hot(m);
}

const Registration registration(bind);

}  // namespace

}  // namespace qrealm
