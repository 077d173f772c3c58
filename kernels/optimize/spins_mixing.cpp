#include "spins_mixing.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "instruction_sets.h"

namespace qrealm::spins {

namespace {

constexpr int PLANES = 4;  // after each sweep

QREALM_FOR_EVERY_CPU
void add_scaled(float* out, const float* vector, float factor, size_t count) {
    for (size_t k = 0; k < count; ++k) out[k] += factor * vector[k];
}

double normal(Generator& generator) {
    const double radius = std::sqrt(-2 * std::log(1 - generator.unit()));
    return radius * std::cos(2 * std::numbers::pi * generator.unit());
}

double length(const float* vector, size_t count) {
    double sum = 0;
    for (size_t k = 0; k < count; ++k) sum += double(vector[k]) * double(vector[k]);
    return std::sqrt(sum);
}

}  // namespace

Mixing::Mixing(const RealProblem& problem, uint32_t rank, uint64_t seed)
    : graph_(problem),
      rank_(rank),
      width_((rank + LANES - 1) / LANES),
      generator_(seed, 2),
      vectors_((problem.size + 1) * width_) {
    for (size_t i = 0; i <= graph_.size(); ++i) {
        float* vector = vectors_[i * width_].at;
        std::fill_n(vector, width_ * LANES, 0.0f);
        for (size_t k = 0; k < rank_; ++k) vector[k] = float(normal(generator_));
        const float norm = float(length(vector, rank_));
        for (size_t k = 0; k < rank_; ++k) vector[k] /= norm;
    }
}

void Mixing::field_at(size_t i, float* out) const {
    const size_t count = width_ * LANES, size = graph_.size();
    std::fill_n(out, count, 0.0f);
    if (i == size) {
        for (size_t j = 0; j < size; ++j)
            if (graph_.fields[j] != 0) add_scaled(out, vectors_[j * width_].at, graph_.fields_single[j], count);
        return;
    }
    for (int32_t k = graph_.starts[i]; k < graph_.starts[i + 1]; ++k)
        add_scaled(out, vectors_[size_t(graph_.neighbours[size_t(k)]) * width_].at, graph_.weights_single[size_t(k)], count);
    if (graph_.fields[i] != 0) add_scaled(out, vectors_[size * width_].at, graph_.fields_single[i], count);
}

void Mixing::turn(size_t i) {
    std::vector<float> field(width_ * LANES);
    field_at(i, field.data());
    const double norm = length(field.data(), rank_);
    if (norm == 0) return;
    float* vector = vectors_[i * width_].at;
    for (size_t k = 0; k < rank_; ++k) vector[k] = float(-double(field[k]) / norm);
}

void Mixing::cut() {
    const size_t size = graph_.size();
    std::vector<double> plane(rank_);
    for (double& entry : plane) entry = normal(generator_);
    const auto side = [&](size_t i) {
        double sum = 0;
        for (size_t k = 0; k < rank_; ++k) sum += plane[k] * double(vectors_[i * width_].at[k]);
        return sum;
    };
    const double up = graph_.has_fields && side(size) < 0 ? -1 : 1;
    std::vector<int8_t> spins(size);
    for (size_t i = 0; i < size; ++i) spins[i] = up * side(i) < 0 ? -1 : 1;
    best_.offer(graph_, spins);
}

void Mixing::advance(uint64_t sweeps) {
    for (; sweeps > 0; --sweeps) {
        for (size_t i = 0; i <= graph_.size(); ++i) turn(i);
        for (int k = 0; k < PLANES; ++k) cut();
    }
}

std::vector<double> Mixing::lengths() const {
    std::vector<double> out(graph_.size() + 1);
    std::vector<float> field(width_ * LANES);
    for (size_t i = 0; i < out.size(); ++i) {
        field_at(i, field.data());
        out[i] = length(field.data(), rank_);
    }
    return out;
}

double Mixing::value() const {
    double sum = 0;
    std::vector<float> field(width_ * LANES);
    for (size_t i = 0; i <= graph_.size(); ++i) {
        field_at(i, field.data());
        for (size_t k = 0; k < rank_; ++k) sum += 0.5 * double(field[k]) * double(vectors_[i * width_].at[k]);
    }
    return sum;
}

}  // namespace qrealm::spins
