#include "spins_lanes.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "instruction_sets.h"

namespace qrealm::spins {

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace {

ALWAYS_INLINE uint32_t rotate(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

// -ln(u) of a random u in (0, 1): the exponent of u, and a polynomial for its mantissa (error 1e-4).
ALWAYS_INLINE float exponential(uint32_t random) {
    const float u = float(random >> 8) * 0x1p-24f + 0x1p-25f;
    const uint32_t bits = std::bit_cast<uint32_t>(u);
    const float m = std::bit_cast<float>((bits & 0x7fffffu) | 0x3f800000u);
    const float exponent = float(int32_t(bits >> 23) - 127);
    const float log2 =
        exponent - 2.5056147f + m * (4.0496169f + m * (-2.0994023f + m * (0.6355111f + m * -0.0800109f)));
    return -0.6931472f * log2;
}

ALWAYS_INLINE void draw_exponentials(LaneSource& source, Row<float>& out) {
    for (int l = 0; l < LANES; ++l) {
        const uint32_t a = source.s[0].at[l], b = source.s[1].at[l], c = source.s[2].at[l], d = source.s[3].at[l];
        const uint32_t c1 = c ^ a, d1 = d ^ b;
        source.s[1].at[l] = b ^ c1;
        source.s[0].at[l] = a ^ d1;
        source.s[2].at[l] = c1 ^ (b << 9);
        source.s[3].at[l] = rotate(d1, 11);
        out.at[l] = exponential(rotate(a + d, 7) + a);
    }
}

// Flips by `change` (-2 s where a spin flips, else 0), and their fields around.
ALWAYS_INLINE void flip(const RealGraph& graph, Row<float>* spins, Row<float>* fields, size_t i, const Row<float>& change) {
    for (int l = 0; l < LANES; ++l) spins[i].at[l] += change.at[l];
    for (int32_t k = graph.starts[i]; k < graph.starts[i + 1]; ++k) {
        const float weight = graph.weights_single[size_t(k)];
        Row<float>& field = fields[graph.neighbours[size_t(k)]];
        for (int l = 0; l < LANES; ++l) field.at[l] += weight * change.at[l];
    }
}

QREALM_FOR_EVERY_CPU
void sweep_lanes(const RealGraph& graph, Row<float>* spins, Row<float>* fields, const Row<float>& beta, LaneSource& source) {
    for (size_t i = 0; i < graph.size(); ++i) {
        Row<float> draws, change;
        draw_exponentials(source, draws);
        int some = 0;
        for (int l = 0; l < LANES; ++l) {
            const float gain = 2 * spins[i].at[l] * fields[i].at[l];
            const bool accepted = -gain * beta.at[l] < draws.at[l];
            change.at[l] = accepted ? -2 * spins[i].at[l] : 0.0f;
            some |= accepted;
        }
        if (some) flip(graph, spins, fields, i, change);
    }
}

QREALM_FOR_EVERY_CPU
void sweep_slices(const RealGraph& graph, Row<float>* spins, Row<float>* fields, float beta, float ring, LaneSource& source) {
    for (size_t i = 0; i < graph.size(); ++i) {
        Row<float> draws;
        draw_exponentials(source, draws);
        for (int parity = 0; parity < 2; ++parity) {
            float around[LANES + 2];
            for (int l = 0; l < LANES; ++l) around[l + 1] = spins[i].at[l];
            around[0] = spins[i].at[LANES - 1];
            around[LANES + 1] = spins[i].at[0];
            Row<float> change;
            int some = 0;
            for (int l = 0; l < LANES; ++l) {
                const float own = spins[i].at[l];
                const float cost = 2 * own * (ring * (around[l] + around[l + 2]) - beta * fields[i].at[l]);
                const bool accepted = (l % 2 == parity) & (cost < draws.at[l]);
                change.at[l] = accepted ? -2 * own : 0.0f;
                some |= accepted;
            }
            if (some) flip(graph, spins, fields, i, change);
        }
    }
}

QREALM_FOR_EVERY_CPU
void fields_of(const RealGraph& graph, const Row<float>* spins, Row<float>* fields) {
    for (size_t i = 0; i < graph.size(); ++i) {
        Row<float> sum;
        for (int l = 0; l < LANES; ++l) sum.at[l] = graph.fields_single[i];
        for (int32_t k = graph.starts[i]; k < graph.starts[i + 1]; ++k) {
            const float weight = graph.weights_single[size_t(k)];
            const Row<float>& other = spins[graph.neighbours[size_t(k)]];
            for (int l = 0; l < LANES; ++l) sum.at[l] += weight * other.at[l];
        }
        fields[i] = sum;
    }
}

QREALM_FOR_EVERY_CPU
void energies_of(const RealGraph& graph, const Row<float>* spins, const Row<float>* fields, double* out) {
    for (int l = 0; l < LANES; ++l) out[l] = 0;
    for (size_t i = 0; i < graph.size(); ++i)
        for (int l = 0; l < LANES; ++l)
            out[l] += 0.5 * double(spins[i].at[l]) * (double(fields[i].at[l]) + graph.fields[i]);
}

}  // namespace

RealGraph::RealGraph(const RealProblem& problem)
    : starts(problem.starts, problem.starts + problem.size + 1),
      neighbours(problem.neighbours, problem.neighbours + problem.starts[problem.size]),
      weights(problem.weights, problem.weights + problem.starts[problem.size]),
      fields(problem.fields, problem.fields + problem.size),
      weights_single(weights.begin(), weights.end()),
      fields_single(fields.begin(), fields.end()) {
    has_fields = std::any_of(fields.begin(), fields.end(), [](double field) { return field != 0; });
}

double RealGraph::energy(const int8_t* spins) const {
    double sum = 0;
    for (size_t i = 0; i < size(); ++i) {
        double field = 2 * fields[i];
        for (int32_t k = starts[i]; k < starts[i + 1]; ++k) field += weights[size_t(k)] * spins[neighbours[size_t(k)]];
        sum += 0.5 * field * spins[i];
    }
    return sum;
}

LaneSource::LaneSource(uint64_t seed, uint64_t stream) {
    const Draws draws(seed, stream);
    for (size_t word = 0; word < 4; ++word)
        for (size_t l = 0; l < size_t(LANES); ++l) s[word].at[l] = uint32_t(draws(word * LANES + l) >> 32) | (word == 0);
}

Lanes::Lanes(const RealGraph& graph, uint64_t seed)
    : graph_(graph), source_(seed, 1), generator_(seed, 2), spins_(graph.size()), fields_(graph.size()) {}

void Lanes::scatter() {
    for (Row<float>& row : spins_) {
        const uint64_t random = generator_();
        for (int l = 0; l < LANES; ++l) row.at[l] = random >> l & 1 ? -1.0f : 1.0f;
    }
    refresh();
}

void Lanes::refresh() { fields_of(graph_, spins_.data(), fields_.data()); }

void Lanes::sweep(const Row<float>& beta) { sweep_lanes(graph_, spins_.data(), fields_.data(), beta, source_); }

void Lanes::sweep_path(float beta, float ring) {
    sweep_slices(graph_, spins_.data(), fields_.data(), beta, ring, source_);
}

void Lanes::sweep_columns(float beta) {
    for (size_t i = 0; i < spins_.size(); ++i) {
        float gain = 0;
        for (int l = 0; l < LANES; ++l) gain += 2 * spins_[i].at[l] * fields_[i].at[l];
        if (-gain * beta >= -std::log(1 - generator_.unit())) continue;
        Row<float> change;
        for (int l = 0; l < LANES; ++l) change.at[l] = -2 * spins_[i].at[l];
        flip(graph_, spins_.data(), fields_.data(), i, change);
    }
}

void Lanes::energies(std::vector<double>& out) const {
    out.resize(size_t(LANES));
    energies_of(graph_, spins_.data(), fields_.data(), out.data());
}

void Lanes::read(int lane, int8_t* spins) const {
    for (size_t i = 0; i < spins_.size(); ++i) spins[i] = int8_t(spins_[i].at[lane]);
}

double Lanes::field_error() const {
    std::vector<Row<float>> anew(fields_.size());
    fields_of(graph_, spins_.data(), anew.data());
    double worst = 0;
    for (size_t i = 0; i < anew.size(); ++i)
        for (int l = 0; l < LANES; ++l) worst = std::max(worst, double(std::abs(anew[i].at[l] - fields_[i].at[l])));
    return worst;
}

void BestSpins::offer(const RealGraph& graph, const std::vector<int8_t>& candidate) {
    const double value = graph.energy(candidate.data());
    if (!spins.empty() && value >= energy) return;
    spins = candidate;
    energy = value;
    ++improvements;
}

}  // namespace qrealm::spins
