// The quantum approximate optimization algorithm's state: what its passes are, and who runs which tiles.
#include "qaoa.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <stdexcept>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "../state/random.h"
#include "../state/team.h"

namespace qrealm::qaoa {

namespace {

constexpr size_t LEVELS_MAX = 4096;  // tables of cosines and sines that fit the smallest cache twice
constexpr int HIGH_BITS_MAX = 9;     // qubits of a group whose tiles have rows
constexpr size_t HIGH_TILE = 1 << 13, HIGH_RUN_LEAST = 16;
constexpr double LEVEL_ERROR_MAX = 1e-9;
constexpr size_t HUGE_PAGE = size_t(1) << 21;

const Loops& loops() {
#if defined(__x86_64__) && defined(__GNUC__)
    static const Loops* const best =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512bw")
            ? &QAOA_AVX512
        : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &QAOA_AVX2
                                                                          : &QAOA_PLAIN;
    return *best;
#else
    return QAOA_PLAIN;
#endif
}

}  // namespace

Pages::Pages(size_t bytes) {
    if (!bytes) return;
    const size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    data_ = std::aligned_alloc(bytes < HUGE_PAGE ? 64 : HUGE_PAGE, bytes < HUGE_PAGE ? (bytes + 63) / 64 * 64 : rounded);
    if (!data_) throw std::bad_alloc();
#if defined(__linux__)
    if (bytes >= HUGE_PAGE) madvise(data_, rounded, MADV_HUGEPAGE);
#endif
}

Pages::~Pages() { std::free(data_); }

Diagonal::Diagonal(int given, const double* fields, const int32_t* rows, const int32_t* cols, const double* weights,
                   size_t pairs, double unit)
    : qubits(std::max(given, QUBITS_LEAST)), values(size_t(1) << qubits) {
    std::vector<std::vector<std::pair<int, double>>> below(qubits);
    for (size_t k = 0; k < pairs; ++k) below[std::max(rows[k], cols[k])].emplace_back(std::min(rows[k], cols[k]), weights[k]);
    values[0] = 0;
    for (int q = 0; q < qubits; ++q) {
        // The upper half holds the field at spin q while it is built, by the same doubling.
        double *low = values.data(), *field = low + (size_t(1) << q);
        std::vector<double> coupling(q, 0.0);
        for (const auto& [other, weight] : below[q]) coupling[other] += weight;
        field[0] = q < given ? fields[q] : 0.0;
        for (int j = 0; j < q; ++j) {
            const double w = coupling[j];
            const size_t half = size_t(1) << j;
            for (size_t x = 0; x < half; ++x) {
                field[x + half] = field[x] - w;
                field[x] += w;
            }
        }
        for (size_t x = 0; x < size_t(1) << q; ++x) {
            const double e = low[x], f = field[x];
            low[x] = e + f;
            field[x] = e - f;
        }
    }
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    lowest = *least, highest = *most;
    centre = (lowest + highest) / 2;
    const double count = unit > 0 ? (highest - lowest) / unit + 1.5 : 0;
    if (count >= 1 && count < double(LEVELS_MAX)) {
        levels.resize(values.size());
        double worst = 0;
        for (size_t x = 0; x < values.size(); ++x) {
            const double level = std::nearbyint((values[x] - lowest) / unit);
            worst = std::max(worst, std::abs(lowest + level * unit - values[x]));
            levels[x] = uint16_t(level);
        }
        if (worst <= LEVEL_ERROR_MAX * std::max({1.0, std::abs(lowest), std::abs(highest)})) {
            of_level.resize(size_t(count));
            for (size_t l = 0; l < of_level.size(); ++l) of_level[l] = lowest + double(l) * unit - centre;
            std::vector<double>().swap(values);
            return;
        }
        std::vector<uint16_t>().swap(levels);
    }
    for (double& v : values) v -= centre;
}

template <class T>
State<T>::State(const Diagonal& diagonal, int threads, bool mirrored)
    : diagonal_(diagonal),
      threads_(std::max(1, threads)),
      qubits_(diagonal.qubits),
      block_bits_(std::min(diagonal.qubits, BLOCK_BITS)),
      mirrored_(mirrored),
      mixed_(diagonal.qubits + mirrored),
      pitch_((size_t(1) << block_bits_) + PAD),
      blocks_(size_t(1) << (qubits_ - block_bits_)),
      loops_(loops()) {
    groups_.push_back({0, block_bits_});
    const int high = qubits_ - block_bits_, parts = (high + HIGH_BITS_MAX - 1) / HIGH_BITS_MAX;
    for (int k = 0; k < parts; ++k) {
        const int first = high * k / parts, last = high * (k + 1) / parts;
        groups_.push_back({block_bits_ + first, last - first});
    }
    part_ = blocks_ * pitch_;
    psi_ = Pages(2 * part_ * sizeof(T));
}

template <class T>
size_t State<T>::tiles(int group) const {
    if (group == 0) return mirrored_ && blocks_ > 1 ? blocks_ / 2 : blocks_;
    const size_t rows = size_t(1) << groups_[group][1];
    const size_t block = size_t(1) << block_bits_;
    return blocks_ / rows * (block / std::clamp(HIGH_TILE / rows, HIGH_RUN_LEAST, block));
}

template <class T>
Tile<T> State<T>::tile(int group, size_t number) const {
    const size_t block = size_t(1) << block_bits_;
    Tile<T> t{};
    size_t place;
    if (group == 0) {
        t.rows = 1, t.run = block, t.pitch = pitch_, t.low = true;
        t.cost_first = number * block, t.cost_pitch = block;
        place = number * pitch_;
        if (mirrored_ && blocks_ > 1) {
            const ptrdiff_t away = ptrdiff_t(blocks_ - 1 - 2 * number);
            t.mirrored = true, t.mirror = away * ptrdiff_t(pitch_), t.mirror_costs = away * ptrdiff_t(block);
        }
    } else {
        const int first = groups_[group][0] - block_bits_;
        t.rows = size_t(1) << groups_[group][1];
        t.run = std::clamp(HIGH_TILE / t.rows, HIGH_RUN_LEAST, block);
        t.pitch = pitch_ << first, t.low = false;
        const size_t runs = block / t.run, others = number / runs, run = number % runs;
        const size_t below = others & ((size_t(1) << first) - 1), above = others >> first;
        const size_t start = below + (above << (first + groups_[group][1]));
        t.cost_first = start * block + run * t.run, t.cost_pitch = block << first;
        place = start * pitch_ + run * t.run;
    }
    t.psi_re = static_cast<T*>(psi_.get()) + place;
    t.psi_im = t.psi_re + part_;
    if (lambda_.get()) {
        t.lambda_re = static_cast<T*>(lambda_.get()) + place;
        t.lambda_im = t.lambda_re + part_;
    }
    const bool levels = !diagonal_.levels.empty();
    t.costs = {levels ? diagonal_.levels.data() : nullptr, levels ? nullptr : diagonal_.values.data(),
               levels ? diagonal_.of_level.data() : nullptr};
    return t;
}

template <class T>
typename State<T>::Mixer State<T>::mixer(double beta) {
    const double c = std::cos(beta), s = std::sin(beta);
    if (std::abs(c) >= std::abs(s)) return {false, s / c, std::abs(c)};
    return {true, -c / s, std::abs(s)};
}

template <class T>
Step<T> State<T>::phase(Do what, bool both, double angle, double factor) const {
    Step<T> step{what};
    step.both = both, step.angle = angle, step.factor = factor;
    for (const double cost : diagonal_.of_level) {
        step.cosines.push_back(T(factor * std::cos(angle * cost)));
        step.sines.push_back(T(factor * std::sin(angle * cost)));
    }
    return step;
}

template <class T>
Step<T> State<T>::mix(double beta) const {
    const Mixer m = mixer(beta);
    Step<T> step{Do::mix};
    step.swapped = m.swapped, step.tangent = m.tangent, step.shrink = m.largest * m.largest;
    return step;
}

template <class T>
std::vector<typename State<T>::Pass> State<T>::forward(int layers, const double* gammas, const double* betas) const {
    const int num_groups = int(groups_.size());
    std::vector<Pass> passes(1);
    for (int layer = 0; layer < layers; ++layer) {
        const double factor = std::pow(mixer(betas[layer]).largest, mixed_);
        const double even = layer == 0 ? std::pow(2.0, -0.5 * qubits_) : 1.0;
        passes.back().steps.push_back(phase(layer == 0 ? Do::fill : Do::phase, false, -gammas[layer], factor * even));
        for (int k = 0; k < num_groups; ++k) {
            const int group = layer % 2 ? num_groups - 1 - k : k;
            if (k > 0) passes.push_back({group, {}});
            passes.back().steps.push_back(mix(betas[layer]));
            if (group == 0 && mirrored_) {
                passes.back().steps.push_back(mix(betas[layer]));
                passes.back().steps.back().what = Do::mirror;
            }
        }
    }
    return passes;
}

template <class T>
std::vector<typename State<T>::Pass> State<T>::there_and_back(int layers, const double* gammas, const double* betas) const {
    const int num_groups = int(groups_.size());
    std::vector<Pass> passes = forward(layers, gammas, betas);
    Step<T> turn{Do::turn};
    passes.back().steps.push_back(turn);
    for (int layer = layers - 1; layer >= 0; --layer) {
        const double largest = mixer(betas[layer]).largest;
        int mixed = 0;
        for (int k = num_groups - 1; k >= 0; --k) {
            const int group = layer % 2 ? num_groups - 1 - k : k;
            if (k < num_groups - 1) passes.push_back({group, {}});
            Step<T> step = mix(-betas[layer]);
            step.both = true, step.slot = 2 + layers + layer, step.weight = 2 * std::pow(largest, 2 * mixed);
            passes.back().steps.push_back(step);
            mixed += groups_[group][1];
            if (group == 0 && mirrored_) {
                step.what = Do::mirror, step.weight = 2 * std::pow(largest, 2 * mixed);
                passes.back().steps.push_back(step);
                ++mixed;
            }
        }
        Step<T> slope{Do::slope};
        slope.slot = 2 + layer, slope.weight = 2 * std::pow(largest, 2 * mixed_);
        passes.back().steps.push_back(slope);
        if (layer) passes.back().steps.push_back(phase(Do::phase, true, gammas[layer], std::pow(largest, mixed_)));
    }
    return passes;
}

template <class T>
void State<T>::run(const std::vector<Pass>& passes, size_t slots, std::vector<double>& sums) {
    size_t most = 1;
    for (int group = 0; group < int(groups_.size()); ++group) most = std::max(most, tiles(group));
    std::vector<double> of_tile(most * slots, 0.0);
    const Poll poll;
    // A thread for less than two blocks costs more than it saves.
    Team team(int(std::min<size_t>(threads_, std::max<size_t>(1, blocks_ / 2))), poll);
    const RunTile<T> run_tile = [this] {
        if constexpr (sizeof(T) == 8) return loops_.in_double;
        else return loops_.in_single;
    }();
    team.run([&](int member) {
        for (const Pass& pass : passes) {
            const auto [first, last] = team.share(tiles(pass.group), member);
            for (size_t number = first; number < last; ++number)
                run_tile(tile(pass.group, number), pass.steps, of_tile.data() + number * slots);
            team.barrier(member);
        }
    });
    sums.assign(slots, 0.0);
    for (size_t number = 0; number < most; ++number)
        for (size_t slot = 0; slot < slots; ++slot) sums[slot] += of_tile[number * slots + slot];
}

template <class T>
double State<T>::gradient(int layers, const double* gammas, const double* betas, double* by_gammas, double* by_betas) {
    if (!lambda_.get()) lambda_ = Pages(2 * part_ * sizeof(T));
    std::vector<double> sums;
    run(there_and_back(layers, gammas, betas), 2 + 2 * size_t(layers), sums);
    // The norm is 1 but for rounding.
    for (int layer = 0; layer < layers; ++layer) {
        by_gammas[layer] = sums[2 + layer] / sums[1];
        by_betas[layer] = sums[2 + layers + layer] / sums[1];
    }
    return diagonal_.centre + sums[0] / sums[1];
}

template <class T>
void State<T>::prepare(int layers, const double* gammas, const double* betas) {
    std::vector<double> sums;
    run(forward(layers, gammas, betas), 1, sums);
}

template <class T>
std::vector<uint64_t> State<T>::sample(size_t shots, uint64_t seed) {
    const T* re = static_cast<const T*>(psi_.get());
    const T* im = re + part_;
    const size_t block = size_t(1) << block_bits_;
    std::vector<double> chance(blocks_, 0.0);
    for (size_t b = 0; b < blocks_; ++b)
        for (size_t k = b * pitch_; k < b * pitch_ + block; ++k) chance[b] += double(re[k] * re[k] + im[k] * im[k]);
    double all = 0;
    for (const double c : chance) all += c;
    const Draws draws(seed, 0);
    std::vector<double> places(shots);
    for (size_t k = 0; k < shots; ++k) places[k] = Draws::unit(draws(k)) * all;
    std::sort(places.begin(), places.end());
    std::vector<uint64_t> found;
    found.reserve(shots);
    double before = 0;
    for (size_t b = 0; b < blocks_ && found.size() < shots; ++b) {
        const double end = b + 1 < blocks_ ? before + chance[b] : all * 2;
        double sum = before;
        for (size_t k = 0; k < block && found.size() < shots && places[found.size()] < end; ++k) {
            const size_t place = b * pitch_ + k;
            sum += double(re[place] * re[place] + im[place] * im[place]);
            const bool last = k + 1 == block;
            while (found.size() < shots && places[found.size()] < (last ? end : sum)) found.push_back(b * block + k);
        }
        before += chance[b];
    }
    return found;
}

template <class T>
std::vector<double> State<T>::amplitudes() const {
    const T* re = static_cast<const T*>(psi_.get());
    const size_t block = size_t(1) << block_bits_;
    std::vector<double> out;
    out.reserve(2 * blocks_ * block);
    for (size_t b = 0; b < blocks_; ++b)
        for (size_t k = b * pitch_; k < b * pitch_ + block; ++k) out.push_back(double(re[k])), out.push_back(double(re[k + part_]));
    return out;
}

template class State<double>;
template class State<float>;

}  // namespace qrealm::qaoa
