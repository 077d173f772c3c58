// The Python module qrealm._kernels: checks shapes, releases the GIL, turns C++ exceptions into Python's.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "../state/counts.h"
#include "../state/gradient.h"
#include "../state/random.h"
#include "../state/state_vector.h"
#include "../state/sweep.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace qrealm {
namespace {

template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array = nb::ndarray<nb::numpy, T>;

template <class T>
Array<T> to_numpy(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    const size_t size = kept->size();
    return Array<T>(kept->data(), {size}, owner);
}

// What else to ask while a run goes on: a Python callable that raises to stop it. Released when the module goes.
nb::object& interrupt_check() {
    static auto* check = new nb::object();  // never destroyed: the interpreter is gone before static objects are
    return *check;
}

// Asks Python now and then whether somebody pressed Ctrl-C or cancelled the run.
const Poll& signals() {
    static const Poll poll = [] {
        nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) return true;
        if (!interrupt_check().is_valid()) return false;
        PyObject* answer = PyObject_CallNoArgs(interrupt_check().ptr());
        Py_XDECREF(answer);
        return answer == nullptr;
    };
    return poll;
}

// Runs without the GIL; a cancelled run becomes the exception that the signal handler raised.
template <class F>
auto without_gil(F&& body) {
    try {
        nb::gil_scoped_release release;
        return body();
    } catch (const Cancelled&) {
        if (PyErr_Occurred()) throw nb::python_error();
        throw;
    }
}

InstructionSet set_from(const std::string& name) {
    if (name == "auto") return best_instruction_set();
    for (InstructionSet s : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::plain})
        if (name == name_of(s)) {
            if (!usable(s)) throw nb::value_error(("this machine cannot run " + name).c_str());
            return s;
        }
    throw nb::value_error(("unknown instruction set " + name).c_str());
}

// A planned circuit: the op arrays, kept, and how to lay them out.
struct Plan {
    OpArrays ops;
    std::vector<uint8_t> codes, num_controls;
    std::vector<int32_t> qubit_offsets, qubits, param_offsets;
    std::vector<double> params;
    std::vector<std::vector<complex>> matrices;
    bool single;
    PlanOptions options;
    InstructionSet set;
    std::once_flag planned;  // one plan may be run from several threads
    std::variant<std::monostate, CountsPlan<float>, CountsPlan<double>> counts;
};

template <class T>
std::vector<T> copied(const Vector<T>& v) { return std::vector<T>(v.data(), v.data() + v.size()); }

std::unique_ptr<Plan> make_plan(int num_qubits, Vector<uint8_t> codes, Vector<uint8_t> num_controls, Vector<int32_t> qubit_offsets,
                                Vector<int32_t> qubits, Vector<int32_t> param_offsets, Vector<double> params, nb::list matrices,
                                bool single, uint32_t passes, const std::string& isa, int tile_qubits) {
    auto plan = std::make_unique<Plan>();
    const size_t n = codes.size();
    if (num_controls.size() != n || qubit_offsets.size() != n + 1 || param_offsets.size() != n + 1)
        throw nb::value_error("op arrays: lengths disagree");
    plan->codes = copied(codes);
    plan->num_controls = copied(num_controls);
    plan->qubit_offsets = copied(qubit_offsets);
    plan->qubits = copied(qubits);
    plan->param_offsets = copied(param_offsets);
    plan->params = copied(params);
    if (size_t(plan->qubit_offsets[n]) != plan->qubits.size() || size_t(plan->param_offsets[n]) != plan->params.size())
        throw nb::value_error("op arrays: last offsets disagree with lengths");
    for (nb::handle h : matrices) {
        auto m = nb::cast<nb::ndarray<const complex, nb::ndim<2>, nb::c_contig, nb::device::cpu>>(h);
        int k = 0;
        while ((size_t(1) << k) < m.shape(0)) ++k;
        if (m.shape(0) != m.shape(1) || m.shape(0) != size_t(1) << k || k < 1 || k > max_matrix_qubits)
            throw nb::value_error("matrix must be square, of 1 to 6 qubits");
        plan->matrices.emplace_back(m.data(), m.data() + m.shape(0) * m.shape(1));
        plan->ops.matrix_qubits.push_back(k);
    }
    for (const auto& m : plan->matrices) plan->ops.matrices.push_back(m.data());
    OpArrays& ops = plan->ops;
    ops.num_qubits = num_qubits;
    ops.num_ops = n;
    ops.codes = plan->codes.data();
    ops.num_controls = plan->num_controls.data();
    ops.qubit_offsets = plan->qubit_offsets.data();
    ops.qubits = plan->qubits.data();
    ops.param_offsets = plan->param_offsets.data();
    ops.params = plan->params.data();
    plan->single = single;
    plan->options = {passes, tile_qubits};
    plan->set = set_from(isa);
    return plan;
}

void plan_for_counts(Plan& plan) {
    std::call_once(plan.planned, [&plan] {
        if (plan.single) plan.counts = plan_counts<float>(plan.ops, plan.options);
        else plan.counts = plan_counts<double>(plan.ops, plan.options);
    });
}

nb::tuple counts_of(Plan& plan, uint64_t shots, uint64_t seed, int threads) {
    Counts result = without_gil([&] {
        plan_for_counts(plan);
        auto run = [&]<class T>(const CountsPlan<T>& counts) {
            Amplitudes<T> state;
            return run_counts(counts, plan.set, shots, seed, threads, signals(), state);
        };
        return plan.single ? run(std::get<CountsPlan<float>>(plan.counts)) : run(std::get<CountsPlan<double>>(plan.counts));
    });
    return nb::make_tuple(to_numpy(std::move(result.values)), to_numpy(std::move(result.counts)));
}

template <class T>
nb::dict describe_counts(const CountsPlan<T>& plan) {
    Work work;
    size_t stages = 0, largest = 0, ops = 0;
    for (const auto& part : plan.parts) {
        work += part.work;
        stages += part.stages;
        ops += part.micro_ops;
        largest = std::max(largest, size_t(2 * sizeof(T)) << part.num_wires);
    }
    nb::dict d;
    d["num_qubits"] = plan.num_qubits;
    d["components"] = plan.parts.size() + plan.lone.size();
    d["state_bytes"] = largest;
    d["stages"] = stages;
    d["passes"] = ops;
    d["rotations"] = work.rotations;
    d["dense"] = work.dense;
    d["diagonals"] = work.diagonals;
    d["transposes"] = work.transposes;
    d["moved_bytes"] = work.moved_bytes;
    d["flops"] = work.flops;
    return d;
}

// A fingerprint of everything that decides the plan: FNV-1a over the arrays and options, with a final mix.
uint64_t digest_of(const Plan& plan) {
    uint64_t hash = 0xcbf29ce484222325ull;
    auto add = [&hash](const void* data, size_t bytes) {
        for (size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3ull;
    };
    auto add_all = [&add](const auto& v) { add(v.data(), v.size() * sizeof(v[0])); };
    const int head[4] = {plan.ops.num_qubits, plan.single, int(plan.options.passes), plan.options.tile_qubits};
    add(head, sizeof head);
    add_all(plan.codes);
    add_all(plan.num_controls);
    add_all(plan.qubit_offsets);
    add_all(plan.qubits);
    add_all(plan.params);
    for (const auto& m : plan.matrices) add_all(m);
    return mix(hash);
}

nb::dict describe(Plan& plan) {
    plan_for_counts(plan);
    nb::dict d = plan.single ? describe_counts(std::get<CountsPlan<float>>(plan.counts)) : describe_counts(std::get<CountsPlan<double>>(plan.counts));
    char digest[17];
    std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(digest_of(plan)));
    d["digest"] = digest;
    d["precision"] = plan.single ? "single" : "double";
    d["instruction_set"] = name_of(plan.set);
    return d;
}

// One state of either precision.
class State {
public:
    State(int num_qubits, bool single, const std::string& isa) : state_(make(num_qubits, single, set_from(isa))) {}
    template <class S>
    explicit State(S&& s) : state_(std::forward<S>(s)) {}

    template <class F>
    auto visit(F&& f) { return std::visit(f, state_); }
    bool single() const { return state_.index() == 0; }

private:
    using Either = std::variant<StateVector<float>, StateVector<double>>;
    Either state_;
    static Either make(int n, bool single, InstructionSet set) {
        if (n < 1) throw nb::value_error("a state has at least 1 qubit");
        if (n > (single ? max_state_wires<float> : max_state_wires<double>))
            throw OutOfMemory("a state of " + std::to_string(n) + " qubits is more than any machine holds");
        if (single) return StateVector<float>(n, set);
        return StateVector<double>(n, set);
    }
};

nb::object to_array(State& state, int threads) {
    return state.visit([&]<class T>(StateVector<T>& s) -> nb::object {
        using C = std::complex<T>;
        const size_t size = size_t(1) << s.num_qubits();
        auto memory = std::make_unique<Memory>(size * sizeof(C));
        without_gil([&] { s.store(memory->as<T>(), threads, signals()); });
        C* data = memory->as<C>();
        nb::capsule owner(memory.release(), [](void* p) noexcept { delete static_cast<Memory*>(p); });
        return nb::cast(Array<C>(data, {size}, owner));
    });
}

void load(State& state, nb::object array, int threads) {
    state.visit([&]<class T>(StateVector<T>& s) {
        auto a = nb::cast<nb::ndarray<const std::complex<T>, nb::ndim<1>, nb::c_contig, nb::device::cpu>>(array);
        if (a.size() != size_t(1) << s.num_qubits()) throw nb::value_error("state must have 2^n amplitudes");
        without_gil([&] { s.load(reinterpret_cast<const T*>(a.data()), threads, signals()); });
    });
}

void check_qubit(State& state, int q) {
    state.visit([&](auto& s) {
        if (q < 0 || q >= s.num_qubits()) throw nb::value_error("qubit out of range");
    });
}

std::vector<PauliString> pauli_strings(const Vector<uint64_t>& x, const Vector<uint64_t>& z, int num_qubits) {
    if (x.size() != z.size()) throw nb::value_error("masks differ in length");
    std::vector<PauliString> out;
    for (size_t i = 0; i < x.size(); ++i) {
        if ((x.data()[i] | z.data()[i]) >> num_qubits) throw nb::value_error("qubit out of range");
        out.push_back({x.data()[i], z.data()[i]});
    }
    return out;
}

nb::tuple gradient_of(const Plan& plan, Vector<uint64_t> x_masks, Vector<uint64_t> z_masks, Vector<double> coefficients,
                      Vector<uint8_t> wanted, int threads) {
    const std::vector<PauliString> terms = pauli_strings(x_masks, z_masks, plan.ops.num_qubits);
    if (coefficients.size() != terms.size()) throw nb::value_error("one coefficient for each Pauli string");
    if (wanted.size() != plan.params.size()) throw nb::value_error("one mark for each parameter");
    const std::vector<double> c = copied(coefficients);
    std::vector<double> derivatives(plan.params.size());
    const double value = without_gil([&] {
        auto run = [&]<class T>(T) {
            GradientWorker<T> worker(plan.ops, wanted.data(), plan.options, plan.set, false);
            return worker.run(plan.params.data(), terms, c, threads, signals(), derivatives.data());
        };
        return plan.single ? run(float()) : run(double());
    });
    return nb::make_tuple(value, to_numpy(std::move(derivatives)));
}

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// An array of that shape, to be filled.
Array<double> new_array(std::initializer_list<size_t> shape) {
    size_t size = 1;
    for (size_t s : shape) size *= s;
    auto* kept = new std::vector<double>(size);
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
    return Array<double>(kept->data(), shape, owner);
}

void check_rows(const Plan& plan, const Matrix<double>& params) {
    if (params.shape(1) != plan.params.size()) throw nb::value_error("one column for each parameter");
}

nb::object sweep_expectations_of(const Plan& plan, Matrix<double> params, Vector<uint64_t> x_masks, Vector<uint64_t> z_masks,
                                 Vector<double> coefficients, const std::vector<size_t>& ends, int threads) {
    check_rows(plan, params);
    Observables observables{pauli_strings(x_masks, z_masks, plan.ops.num_qubits), copied(coefficients), ends};
    if (coefficients.size() != observables.terms.size()) throw nb::value_error("one coefficient for each Pauli string");
    size_t before = 0;
    for (size_t end : ends) {
        if (end < before || end > observables.terms.size()) throw nb::value_error("ends must ascend, up to the number of Pauli strings");
        before = end;
    }
    const size_t rows = params.shape(0);
    Array<double> values = new_array({rows, ends.size()});
    without_gil([&] {
        if (plan.single) sweep_expectations<float>(plan.ops, plan.options, plan.set, observables, params.data(), rows, threads, signals(), values.data());
        else sweep_expectations<double>(plan.ops, plan.options, plan.set, observables, params.data(), rows, threads, signals(), values.data());
    });
    return nb::cast(values);
}

// (values, one for each row; derivatives, a row for each).
nb::tuple sweep_gradients_of(const Plan& plan, Matrix<double> params, Vector<uint64_t> x_masks, Vector<uint64_t> z_masks,
                             Matrix<double> coefficients, Vector<uint8_t> wanted, int threads) {
    check_rows(plan, params);
    const std::vector<PauliString> terms = pauli_strings(x_masks, z_masks, plan.ops.num_qubits);
    const size_t rows = params.shape(0);
    if (coefficients.shape(0) != rows || coefficients.shape(1) != terms.size())
        throw nb::value_error("one coefficient for each row and Pauli string");
    if (wanted.size() != plan.params.size()) throw nb::value_error("one mark for each parameter");
    Array<double> values = new_array({rows}), derivatives = new_array({rows, plan.params.size()});
    without_gil([&] {
        auto run = [&]<class T>(T) {
            sweep_gradients<T>(plan.ops, plan.options, plan.set, terms, coefficients.data(), wanted.data(), params.data(), rows, threads,
                               signals(), values.data(), derivatives.data());
        };
        plan.single ? run(float()) : run(double());
    });
    return nb::make_tuple(values, derivatives);
}

// One (values, counts) for each row, as run_counts returns it.
nb::list sweep_counts_of(const Plan& plan, Matrix<double> params, uint64_t shots, Vector<uint64_t> seeds, int threads) {
    check_rows(plan, params);
    if (seeds.size() != params.shape(0)) throw nb::value_error("one seed for each row");
    std::vector<Counts> found = without_gil([&] {
        if (plan.single) return sweep_counts<float>(plan.ops, plan.options, plan.set, params.data(), seeds.size(), shots, seeds.data(), threads, signals());
        return sweep_counts<double>(plan.ops, plan.options, plan.set, params.data(), seeds.size(), shots, seeds.data(), threads, signals());
    });
    nb::list out;
    for (Counts& c : found) out.append(nb::make_tuple(to_numpy(std::move(c.values)), to_numpy(std::move(c.counts))));
    return out;
}

// Floating-point operations per second that multiply-adds in registers reach, all threads together.
template <class T>
double arithmetic_rate(InstructionSet set, int threads) {
    constexpr size_t rounds = 10'000'000;
    const Engine<T>& e = engine<T>(set);
    Team team(threads, signals());
    const auto begun = std::chrono::steady_clock::now();
    team.run([&](int) {
        T out[1] = {1};
        e.multiply_add(rounds, out);
        volatile T kept = out[0];
        (void)kept;
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return 2.0 * double(rounds) * double(e.multiply_adds_per_round) * team.size() / seconds;
}

void bind_state(nb::module_& m) {
    nb::class_<State>(m, "StateVector")
        .def(nb::init<int, bool, const std::string&>(), "num_qubits"_a, "single"_a, "isa"_a = "auto")
        .def_prop_ro("num_qubits", [](State& s) { return s.visit([](auto& x) { return x.num_qubits(); }); })
        .def_prop_ro("nbytes", [](State& s) { return s.visit([](auto& x) { return x.bytes(); }); })
        .def_prop_ro("single", &State::single)
        .def("apply", [](State& s, const Plan& plan, int threads) {
            s.visit([&](auto& x) {
                if (plan.ops.num_qubits != x.num_qubits()) throw nb::value_error("plan and state differ in qubits");
                without_gil([&] { x.apply(plan.ops, plan.options, threads, signals()); });
            });
        }, "plan"_a, "threads"_a = 1)
        .def("load", &load, "amplitudes"_a, "threads"_a = 1)
        .def("to_array", &to_array, "threads"_a = 1)
        .def("amplitudes", [](State& s, Vector<uint64_t> basis) {
            std::vector<complex> out(basis.size());
            s.visit([&](auto& x) {
                for (size_t i = 0; i < out.size(); ++i) {
                    if (basis.data()[i] >> x.num_qubits()) throw nb::value_error("basis state out of range");
                    out[i] = x.amplitude(basis.data()[i]);
                }
            });
            return to_numpy(std::move(out));
        }, "basis"_a)
        .def("probabilities", [](State& s, const std::vector<int>& qubits, int threads) {
            for (int q : qubits) check_qubit(s, q);
            return to_numpy(s.visit([&](auto& x) { return without_gil([&] { return x.probabilities(qubits, threads, signals()); }); }));
        }, "qubits"_a, "threads"_a = 1)
        .def("sample", [](State& s, uint64_t shots, uint64_t seed, int threads) {
            return to_numpy(s.visit([&](auto& x) { return without_gil([&] { return x.sample(shots, seed, threads, signals()); }); }));
        }, "shots"_a, "seed"_a, "threads"_a = 1)
        .def("expectation", [](State& s, Vector<uint64_t> x_masks, Vector<uint64_t> z_masks, int threads) {
            return to_numpy(s.visit([&](auto& x) {
                const std::vector<PauliString> terms = pauli_strings(x_masks, z_masks, x.num_qubits());
                return without_gil([&] { return x.expectations(terms, threads, signals()); });
            }));
        }, "x_masks"_a, "z_masks"_a, "threads"_a = 1)
        .def("collapse", [](State& s, int qubit, bool outcome, int threads) {
            check_qubit(s, qubit);
            return s.visit([&](auto& x) { return without_gil([&] { return x.collapse(qubit, outcome, threads, signals()); }); });
        }, "qubit"_a, "outcome"_a, "threads"_a = 1)
        .def("norm", [](State& s, int threads) {
            return s.visit([&](auto& x) { return without_gil([&] { return x.norm(threads, signals()); }); });
        }, "threads"_a = 1)
        .def("copy", [](State& s, int threads) {
            return s.visit([&](auto& x) { return State(without_gil([&] { return x.copy(threads, signals()); })); });
        }, "threads"_a = 1);
}

}  // namespace
}  // namespace qrealm

NB_MODULE(_kernels, m) {
    using namespace qrealm;
    m.doc() = "qrealm's compiled kernels: planned state-vector simulation.";
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const OutOfMemory& e) {
            PyErr_SetString(PyExc_MemoryError, e.what());
        }
    });
    m.def("op_codes", [] {
        nb::dict d;
        for (size_t i = 0; i < static_cast<size_t>(Code::count_); ++i) d[code_table[i].name] = i;
        return d;
    });
    m.def("instruction_sets", [] {
        nb::list out;
        for (InstructionSet s : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::plain})
            if (usable(s)) out.append(name_of(s));
        return out;
    });
    m.def("set_interrupt_check", [](nb::object check) { interrupt_check() = std::move(check); }, "check"_a.none());
    nb::module_::import_("atexit").attr("register")(nb::cpp_function([] { interrupt_check().reset(); }));
    nb::dict passes;
    for (const PassRow& row : pass_table) passes[row.name] = row.bit;
    m.attr("PLANNER_PASSES") = passes;
    nb::class_<Plan>(m, "Plan")
        .def("describe", &describe)
        .def("states_at_once", [](const Plan& plan, size_t rows, int threads) {
            return plan.single ? sweep_states<float>(plan.ops.num_qubits, rows, threads) : sweep_states<double>(plan.ops.num_qubits, rows, threads);
        }, "rows"_a, "threads"_a)
        .def("gradients_at_once", [](const Plan& plan, size_t rows, int threads) {
            const int n = plan.ops.num_qubits;
            return plan.single ? sweep_gradient_states<float>(n, rows, threads) : sweep_gradient_states<double>(n, rows, threads);
        }, "rows"_a, "threads"_a);
    m.def("plan", &make_plan, "num_qubits"_a, "codes"_a, "num_controls"_a, "qubit_offsets"_a, "qubits"_a, "param_offsets"_a, "params"_a,
          "matrices"_a, nb::kw_only(), "single"_a, "passes"_a = uint32_t(pass_all), "isa"_a = "auto", "tile_qubits"_a = 0);
    m.def("run_counts", &counts_of, "plan"_a, "shots"_a, "seed"_a, "threads"_a = 1);
    m.def("sweep_expectations", &sweep_expectations_of, "plan"_a, "params"_a, "x_masks"_a, "z_masks"_a, "coefficients"_a, "ends"_a,
          "threads"_a = 1);
    m.def("sweep_counts", &sweep_counts_of, "plan"_a, "params"_a, "shots"_a, "seeds"_a, "threads"_a = 1);
    m.def("gradient", &gradient_of, "plan"_a, "x_masks"_a, "z_masks"_a, "coefficients"_a, "wanted"_a, "threads"_a = 1);
    m.def("sweep_gradients", &sweep_gradients_of, "plan"_a, "params"_a, "x_masks"_a, "z_masks"_a, "coefficients"_a, "wanted"_a,
          "threads"_a = 1);
    m.def("arithmetic_rate", [](bool single, int threads, const std::string& isa) {
        const InstructionSet set = set_from(isa);
        return without_gil([&] { return single ? arithmetic_rate<float>(set, threads) : arithmetic_rate<double>(set, threads); });
    }, "single"_a, "threads"_a = 1, "isa"_a = "auto");
    bind_state(m);
}
