// The state of the quantum approximate optimization algorithm (E. Farhi et al., arXiv:1411.4028) for a cost that is a
// quadratic form of spins: value and gradient by all angles, and samples.
//
// A layer is exp(-i beta sum X) exp(-i gamma cost), applied to the even superposition. The cost of every bit string is
// computed once. The mixer is applied as (1 - i tan(beta) X) on every qubit: the missing factor cos(beta)^n is part of the
// next phases (beyond 45 degrees X (1 + i cot(beta) X), so that nothing grows). Qubits are mixed in groups; a pass over the
// state takes one tile after the other into the cache and does all that can be done there. The phases of a layer act on any
// tile, so the last group of one layer is the first of the next: p layers of G groups are p (G - 1) + 1 passes. Gradients
// are adjoint: lambda = cost psi is taken back together with psi, layer by layer.
//
// Without fields, all spins can be turned over at no cost. Then one spin is fixed at +1, half the state is kept, and the
// mixer of that spin turns all others over: it mixes the first string with the last and so on, tiles with their mirrors.
//
// Sums are taken per tile and then over the tiles in order: they do not depend on the number of threads.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace qrealm::qaoa {

constexpr int QUBITS_LEAST = 5;  // smaller problems get qubits that no cost depends on
constexpr int BLOCK_BITS = 13;   // qubits of the lowest group, whose tiles are contiguous
constexpr size_t PAD = 32;       // amplitudes between blocks: rows of a tile fall into different sets of the cache

enum class Do : uint8_t { fill, phase, mix, mirror, turn, slope };

// One thing to do with a tile. `fill`: an even superposition, with phases. `phase`: times factor exp(i angle cost).
// `mix`: 1 - i tangent X on the group's qubits; with `both`, first `sums[slot] += weight Im<lambda|sum X|psi>`.
// `mirror`: the same for the product of X on all qubits. `turn`: sums[slot] += cost, sums[slot + 1] += norm, lambda = cost psi. `slope`: sums[slot] += weight Im<lambda|cost|psi>.
template <class T>
struct Step {
    Do what;
    bool both = false;
    bool swapped = false;
    int slot = 0;
    double tangent = 0, weight = 1, shrink = 1, factor = 1, angle = 0;  // weight shrinks with each qubit mixed
    std::vector<T> cosines{}, sines{};  // by level, factor included; empty where costs have no levels
};

// Costs by index: levels that stand for values, or the values themselves.
struct Costs {
    const uint16_t* levels = nullptr;
    const double* values = nullptr;
    const double* of_level = nullptr;
};

template <class T>
struct Tile {
    T *psi_re, *psi_im, *lambda_re, *lambda_im;
    size_t rows, run, pitch;        // of amplitudes; a low tile is one row
    bool low;                       // the group's qubits are those inside a row, else those that number rows
    size_t cost_first, cost_pitch;  // index of the first row's costs
    Costs costs;
    bool mirrored;  // a low tile that goes together with its mirror, which is so far away
    ptrdiff_t mirror, mirror_costs;
};

template <class T>
using RunTile = void (*)(const Tile<T>& tile, const std::vector<Step<T>>& steps, double* sums);
struct Loops {
    RunTile<double> in_double;
    RunTile<float> in_single;
};
extern const Loops QAOA_PLAIN, QAOA_AVX2, QAOA_AVX512;

// Energies sum_i fields_i s_i + sum_k weights_k s_row s_col of all bit strings; bit 1 is spin -1.
struct Diagonal {
    // `unit` > 0 promises that all energies are the first one plus a multiple of it; where that holds and the levels are few,
    // they are kept as 16-bit levels.
    Diagonal(int qubits, const double* fields, const int32_t* rows, const int32_t* cols, const double* weights, size_t pairs,
             double unit);
    double at(size_t index) const { return centre + (levels.empty() ? values[index] : of_level[levels[index]]); }
    int qubits;
    double lowest, highest, centre;
    std::vector<double> values;  // minus the centre
    std::vector<uint16_t> levels;
    std::vector<double> of_level;
};

class Pages {  // memory in huge pages where the system has them
public:
    explicit Pages(size_t bytes = 0);
    ~Pages();
    Pages(Pages&& other) noexcept : data_(other.data_) { other.data_ = nullptr; }
    Pages& operator=(Pages&& other) noexcept {
        std::swap(data_, other.data_);
        return *this;
    }
    void* get() const { return data_; }

private:
    void* data_ = nullptr;
};

// T is the type of the amplitudes' parts.
template <class T>
class State {
public:
    // `diagonal` must outlive it.
    // `mirrored`: the diagonal is that of a problem without fields whose last spin is fixed at +1.
    State(const Diagonal& diagonal, int threads, bool mirrored);

    // Expected cost at gammas and betas, `layers` each, and its derivatives by them.
    double gradient(int layers, const double* gammas, const double* betas, double* by_gammas, double* by_betas);
    // Prepares the state without looking at it.
    void prepare(int layers, const double* gammas, const double* betas);
    // Of the state prepared last: samples, in an order that says nothing; amplitudes up to a common phase, shape (2^n, 2).
    std::vector<uint64_t> sample(size_t shots, uint64_t seed);
    std::vector<double> amplitudes() const;

private:
    struct Pass {
        int group = 0;
        std::vector<Step<T>> steps;
    };
    struct Mixer {
        bool swapped;
        double tangent, largest;  // largest of |cos| and |sin|
    };
    static Mixer mixer(double beta);
    std::vector<Pass> forward(int layers, const double* gammas, const double* betas) const;
    std::vector<Pass> there_and_back(int layers, const double* gammas, const double* betas) const;
    Step<T> phase(Do what, bool both, double angle, double factor) const;
    Step<T> mix(double beta) const;
    void run(const std::vector<Pass>& passes, size_t slots, std::vector<double>& sums);
    size_t tiles(int group) const;
    Tile<T> tile(int group, size_t number) const;

    const Diagonal& diagonal_;
    int threads_, qubits_, block_bits_;
    bool mirrored_;
    int mixed_;  // qubits that are mixed, the fixed one included
    size_t pitch_, blocks_, row_run_ = 0;
    std::vector<std::array<int, 2>> groups_;  // {first qubit, qubits}
    Pages psi_, lambda_;
    size_t part_ = 0;  // amplitudes with padding
    const Loops& loops_;
};

extern template class State<double>;
extern template class State<float>;

}  // namespace qrealm::qaoa
