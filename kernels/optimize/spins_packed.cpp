#include "spins_packed.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "spins_packed_copies.h"

namespace qrealm::spins {

namespace {

int bits_of(uint64_t value) {
    int bits = 0;
    while (value >> bits) ++bits;
    return bits;
}

// Smallest number of bits of g that leaves out less than this.
constexpr double TAIL = 1e-3;
constexpr int FRESH_MIN = 24;

// Probability that bit p of the geometric part is 1, and (last) that an odd D's g is not 0.
double chance_of(int p, double temperature) {
    if (temperature <= 0) return 0;
    if (p == THRESHOLD_PLANES_MAX) return std::exp(-2 / temperature);
    return 1 / (1 + std::exp(4 / temperature * std::ldexp(1.0, p)));
}

// Rounded up or down at random, so that the mean is exact.
uint32_t rounded(double chance, Generator& generator) {
    const double scaled = std::ldexp(chance, CHANCE_BITS) + generator.unit();
    return std::min(uint32_t(scaled), (1u << CHANCE_BITS) - 1);
}

}  // namespace

WordSource::WordSource(uint64_t seed, uint64_t stream) {
    const Draws draws(seed, stream);
    for (int limb = 0; limb < LIMBS; ++limb) {
        s0.bits[limb] = draws(uint64_t(limb));
        s1.bits[limb] = draws(uint64_t(limb + LIMBS)) | 1;
    }
}

const PackedLoops& packed_loops() {
#if defined(__x86_64__) && defined(__GNUC__)
    static const PackedLoops* const best = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                                               ? &PACKED_AVX512
                                           : __builtin_cpu_supports("avx2") ? &PACKED_AVX2
                                                                            : &PACKED_PLAIN;
    return *best;
#else
    return PACKED_PLAIN;
#endif
}

PackedCopies::PackedCopies(const WholeProblem& problem, uint64_t seed)
    : loops_(packed_loops()), source_(seed, 1), generator_(seed, 2) {
    build(problem);
    state_.table.resize(TABLE);
    fresh_ = int(std::clamp<size_t>(problem.size / 16, FRESH_MIN, TABLE));
}

void PackedCopies::build(const WholeProblem& problem) {
    const size_t size = problem.size;
    state_.size = int(size);
    const auto row_of = [&](size_t i) { return std::pair{problem.starts[i], problem.starts[i + 1]}; };
    // Spins of equal degree stand together: the loops over their edges then run alike.
    order_.resize(size);
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
        return row_of(size_t(a)).second - row_of(size_t(a)).first < row_of(size_t(b)).second - row_of(size_t(b)).first;
    });
    std::vector<uint32_t> place(size);
    for (size_t i = 0; i < size; ++i) place[size_t(order_[i])] = uint32_t(i);
    uint32_t heaviest = 1;
    for (size_t k = 0; k < size_t(problem.starts[size]); ++k)
        heaviest = std::max(heaviest, uint32_t(std::abs(problem.weights[k])));
    for (size_t i = 0; i < size; ++i) heaviest = std::max(heaviest, uint32_t(std::abs(problem.fields[i])));
    state_.weight_planes = bits_of(heaviest);
    state_.edges.resize(size_t(state_.weight_planes));
    const uint32_t constant = uint32_t(size), half = uint32_t(size) + 1;
    int64_t total_max = 0;
    state_.inputs.reserve(size_t(problem.starts[size]) + 4 * size);
    state_.edges[0].reserve(size_t(problem.starts[size]) / 2 + size);
    for (size_t i = 0; i < size; ++i) {
        const size_t old = size_t(order_[i]);
        const auto [first, last] = row_of(old);
        int64_t total = std::abs(problem.fields[old]);
        for (int32_t k = first; k < last; ++k) total += std::abs(problem.weights[k]);
        for (int p = 0; p < state_.weight_planes; ++p) {
            state_.starts.push_back(uint32_t(state_.inputs.size()));
            const auto connect = [&](uint32_t other, int32_t weight) {
                if (!(uint32_t(std::abs(weight)) >> p & 1)) return;
                state_.inputs.push_back(weight > 0 ? half + other : other);
                if (other == constant || other > i)
                    state_.edges[size_t(p)].push_back({weight > 0 ? half + other : other, uint32_t(i)});
            };
            for (int32_t k = first; k < last; ++k) connect(place[size_t(problem.neighbours[k])], problem.weights[k]);
            connect(constant, problem.fields[old]);
            const size_t multiple = p == 0 ? 4 : 2;
            while ((state_.inputs.size() - state_.starts.back()) % multiple) state_.inputs.push_back(uint32_t(i));
        }
        state_.totals.push_back(int32_t(total));
        total_max = std::max(total_max, total);
        loosest_ += total + std::abs(problem.fields[old]);
    }
    loosest_ /= 2;
    state_.starts.push_back(uint32_t(state_.inputs.size()));
    // A g of all ones is always accepted: it need not be larger.
    state_.threshold_planes = std::clamp(bits_of(uint64_t(total_max + 1) / 2), 1, THRESHOLD_PLANES_MAX);
    state_.count_planes = std::max(3, bits_of(uint64_t(total_max) / 2 + (uint64_t(1) << state_.threshold_planes)));
    if (state_.count_planes > COUNT_PLANES_MAX || bits_of(uint64_t(loosest_)) >= ENERGY_PLANES)
        throw std::invalid_argument("weights are too large to be counted in bits");
    state_.words.resize(2 * (size + 1));
    state_.words[size] = Word{};
    state_.words[2 * size + 1].bits = ~Bits{};
}

void PackedCopies::scatter() {
    const size_t half = size_t(state_.size) + 1;
    for (size_t i = 0; i < size_t(state_.size); ++i) {
        for (int limb = 0; limb < LIMBS; ++limb) state_.words[i].bits[limb] = generator_();
        state_.words[half + i].bits = ~state_.words[i].bits;
    }
    table_is_old_ = true;
}

void PackedCopies::set_planes(double hottest) {
    state_.drawn_planes = 0;
    if (hottest <= 0) return;
    state_.drawn_planes = state_.threshold_planes;
    while (state_.drawn_planes < THRESHOLD_PLANES_MAX &&
           std::exp(-4 / hottest * std::ldexp(1.0, state_.drawn_planes)) > TAIL)
        ++state_.drawn_planes;
}

void PackedCopies::set_temperature(double temperature) {
    set_planes(temperature);
    for (int p = 0; p <= THRESHOLD_PLANES_MAX; ++p) {
        Chance& chance = state_.chances[size_t(p)];
        const uint32_t whole = rounded(chance_of(p, temperature), generator_);
        chance.never = whole == 0;
        for (int b = 0; b < CHANCE_BITS; ++b) chance.planes[size_t(b)].bits = Bits{} - uint64_t(whole >> b & 1);
    }
}

void PackedCopies::set_temperatures(const std::vector<double>& temperatures) {
    set_planes(*std::max_element(temperatures.begin(), temperatures.end()));
    for (int p = 0; p <= THRESHOLD_PLANES_MAX; ++p) {
        Chance& chance = state_.chances[size_t(p)];
        chance = Chance{};
        for (size_t copy = 0; copy < size_t(COPIES); ++copy) {
            const uint32_t whole = rounded(chance_of(p, temperatures[copy]), generator_);
            chance.never = chance.never && whole == 0;
            for (int b = 0; b < CHANCE_BITS; ++b)
                chance.planes[size_t(b)].bits[copy / 64] |= uint64_t(whole >> b & 1) << (copy % 64);
        }
    }
    table_is_old_ = true;
}

void PackedCopies::sweep() {
    loops_.refresh(state_, source_, table_is_old_ ? TABLE : fresh_);
    table_is_old_ = false;
    loops_.sweep(state_, generator_);
}

int64_t PackedCopies::lowest(int& copy) {
    Word planes[ENERGY_PLANES];
    loops_.energies(state_, planes);
    Bits left = ~Bits{};
    int64_t dear = 0;
    for (int p = ENERGY_PLANES; p-- > 0;) {
        const Bits smaller = left & ~planes[p].bits;
        uint64_t some = 0;
        for (int limb = 0; limb < LIMBS; ++limb) some |= smaller[limb];
        if (some) left = smaller;
        else dear |= int64_t(1) << p;
    }
    copy = 0;
    while (!(left[copy / 64] >> (copy % 64) & 1)) ++copy;
    return 2 * dear - loosest_;
}

void PackedCopies::energies(std::vector<int64_t>& out) {
    Word planes[ENERGY_PLANES];
    loops_.energies(state_, planes);
    out.assign(size_t(COPIES), -loosest_);
    const int used = bits_of(uint64_t(loosest_));
    for (size_t limb = 0; limb < size_t(LIMBS); ++limb)
        for (int p = 0; p < used; ++p) {
            const uint64_t bits = planes[p].bits[limb];
            for (size_t k = 0; k < 64; ++k) out[limb * 64 + k] += int64_t(bits >> k & 1) << (p + 1);
        }
}

void PackedCopies::read(int copy, int8_t* spins) const {
    for (size_t i = 0; i < size_t(state_.size); ++i)
        spins[order_[i]] = state_.words[i].bits[copy / 64] >> (copy % 64) & 1 ? -1 : 1;
}

}  // namespace qrealm::spins
