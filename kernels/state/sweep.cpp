#include "sweep.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gradient.h"
#include "known.h"
#include "pauli.h"

namespace qrealm {
namespace {

// States up to this size are run one on each thread: they stay in its cache. Larger ones are run by all threads together.
constexpr size_t largest_own_bytes = size_t(4) << 20;
constexpr size_t least_rows = 4;        // of a thread: starting it takes as long as some rows of a small circuit

// body(worker, row, threads, poll) for every row; make() makes a worker, one for each of `states`.
template <class Make, class Body>
void for_rows(size_t rows, int states, int threads, const Poll& poll, Make&& make, Body&& body) {
    if (states == 1) {
        auto worker = make();
        Team watch(1, poll);
        for (size_t r = 0; r < rows; ++r) {
            body(*worker, r, threads, poll);
            watch.check(0);
        }
        return;
    }
    Team team(states, poll);
    std::atomic<size_t> next{0};
    const Poll ended = [&team] { return team.stopped(); };
    team.run([&](int member) {
        auto worker = make();
        for (size_t r = next++; r < rows; r = next++) {
            body(*worker, r, 1, member == 0 ? poll : ended);
            team.check(member);
        }
    });
}

template <class T>
class ExpectationWorker {
public:
    ExpectationWorker(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const Observables& observables)
        : ops_(ops), options_(reusable(options)), observables_(observables), state_(ops.num_qubits, set), found_(observables.terms.size()) {}

    void run(const double* params, int threads, const Poll& poll, double* values) {
        ops_.params = params;
        ProductState start(wires_for<T>(ops_.num_qubits));
        const Elements e = simplified(lower(ops_), options_.passes, &start);
        if (e.list.size() > most_elements) {
            state_.restart();
            state_.apply(ops_, options_, threads, poll);
            state_.expectations(state_.prepare(observables_.terms), found_.data(), threads, poll);
        } else {
            auto& known = known_.get(e, start, options_);
            state_.start_with(e, known.program, threads, poll);
            if (!known.extra) known.extra = state_.prepare(observables_.terms);
            state_.expectations(*known.extra, found_.data(), threads, poll);
        }
        size_t t = 0;
        for (size_t k = 0; k < observables_.ends.size(); ++k) {
            values[k] = 0;
            for (; t < observables_.ends[k]; ++t) values[k] += observables_.coefficients[t] * found_[t];
        }
    }

private:
    OpArrays ops_;
    PlanOptions options_;
    const Observables& observables_;
    StateVector<T> state_;
    Known<T, PauliReadout<T>> known_;
    std::vector<double> found_;
};

template <class T>
class CountsWorker {
public:
    CountsWorker(const OpArrays& ops, const PlanOptions& options, InstructionSet set) : ops_(ops), options_(reusable(options)), set_(set) {}

    Counts run(const double* params, uint64_t shots, uint64_t seed, int threads, const Poll& poll) {
        ops_.params = params;
        CountsPlan<T> plan = cut_for_counts<T>(ops_, options_);
        if (known_.size() < plan.parts.size()) known_.resize(plan.parts.size());
        std::vector<Program<T>*> lent(plan.parts.size(), nullptr);
        for (size_t i = 0; i < plan.parts.size(); ++i) {
            auto& part = plan.parts[i];
            if (part.too_large || part.elements.list.size() > most_elements) continue;  // refused, or run in portions
            lent[i] = &known_[i].get(part.elements, part.start, options_).program;
            part.program = std::move(*lent[i]);
        }
        // Also when the run is stopped: the programs would be gone.
        struct Return {
            CountsPlan<T>& plan;
            std::vector<Program<T>*>& lent;
            ~Return() {
                for (size_t i = 0; i < lent.size(); ++i)
                    if (lent[i]) *lent[i] = std::move(*plan.parts[i].program);
            }
        } back{plan, lent};
        return run_counts(plan, set_, shots, seed, threads, poll, state_);
    }

private:
    struct Nothing {};
    OpArrays ops_;
    PlanOptions options_;
    InstructionSet set_;
    std::vector<Known<T, Nothing>> known_;  // of each part
    Amplitudes<T> state_;
};

}  // namespace

// What is no number of qubits is refused when the first row is run.
template <class T>
int sweep_states(int num_qubits, size_t rows, int threads) {
    const bool small = num_qubits < 1 || (num_qubits <= max_state_wires<T> && size_t(2 * sizeof(T)) << wires_for<T>(num_qubits) <= largest_own_bytes);
    return small ? int(std::max<size_t>(1, std::min(size_t(std::max(threads, 1)), rows / least_rows))) : 1;
}

template <class T>
void sweep_expectations(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const Observables& observables,
                        const double* params, size_t rows, int threads, const Poll& poll, double* values) {
    if (ops.num_qubits > max_state_wires<T>) throw OutOfMemory("a state of " + std::to_string(ops.num_qubits) + " qubits is more than any machine holds");
    const size_t width = size_t(ops.param_offsets[ops.num_ops]), count = observables.ends.size();
    for_rows(
        rows, sweep_states<T>(ops.num_qubits, rows, threads), threads, poll,
        [&] { return std::make_unique<ExpectationWorker<T>>(ops, options, set, observables); },
        [&](ExpectationWorker<T>& worker, size_t row, int own, const Poll& watch) {
            worker.run(params + row * width, own, watch, values + row * count);
        });
}

template <class T>
std::vector<Counts> sweep_counts(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const double* params, size_t rows,
                                 uint64_t shots, const uint64_t* seeds, int threads, const Poll& poll) {
    const size_t width = size_t(ops.param_offsets[ops.num_ops]);
    std::vector<Counts> out(rows);
    for_rows(
        rows, sweep_states<T>(ops.num_qubits, rows, threads), threads, poll,
        [&] { return std::make_unique<CountsWorker<T>>(ops, options, set); },
        [&](CountsWorker<T>& worker, size_t row, int own, const Poll& watch) {
            out[row] = worker.run(params + row * width, shots, seeds[row], own, watch);
        });
    return out;
}

template <class T>
int sweep_gradient_states(int num_qubits, size_t rows, int threads) { return sweep_states<T>(num_qubits + 1, rows, threads); }

template <class T>
void sweep_gradients(const OpArrays& ops, const PlanOptions& options, InstructionSet set, const std::vector<PauliString>& terms,
                     const double* coefficients, const uint8_t* wanted, const double* params, size_t rows, int threads, const Poll& poll,
                     double* values, double* derivatives) {
    if (ops.num_qubits > max_state_wires<T>) throw OutOfMemory("a state of " + std::to_string(ops.num_qubits) + " qubits is more than any machine holds");
    const size_t width = size_t(ops.param_offsets[ops.num_ops]);
    for_rows(
        rows, sweep_gradient_states<T>(ops.num_qubits, rows, threads), threads, poll,
        [&] { return std::make_unique<GradientWorker<T>>(ops, wanted, options, set, rows > 1); },
        [&](GradientWorker<T>& worker, size_t row, int own, const Poll& watch) {
            // Each row has terms of its own: those with a coefficient.
            std::vector<PauliString> strings;
            std::vector<double> factors;
            for (size_t t = 0; t < terms.size(); ++t)
                if (const double c = coefficients[row * terms.size() + t]; c != 0) {
                    strings.push_back(terms[t]);
                    factors.push_back(c);
                }
            values[row] = worker.run(params + row * width, strings, factors, own, watch, derivatives + row * width);
        });
}

#define INSTANTIATE(T)                                                                                                          \
    template int sweep_gradient_states<T>(int, size_t, int);                                                                    \
    template void sweep_gradients<T>(const OpArrays&, const PlanOptions&, InstructionSet, const std::vector<PauliString>&,      \
                                     const double*, const uint8_t*, const double*, size_t, int, const Poll&, double*, double*); \
    template int sweep_states<T>(int, size_t, int);                                                                             \
    template void sweep_expectations<T>(const OpArrays&, const PlanOptions&, InstructionSet, const Observables&, const double*, \
                                        size_t, int, const Poll&, double*);                                                    \
    template std::vector<Counts> sweep_counts<T>(const OpArrays&, const PlanOptions&, InstructionSet, const double*, size_t,    \
                                                 uint64_t, const uint64_t*, int, const Poll&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace qrealm
