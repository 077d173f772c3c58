// The quantum alternating operator ansatz over one-hot states.
#include "qaoa_one_hot.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../state/random.h"
#include "instruction_sets.h"

namespace qrealm::qaoa {

namespace {

constexpr size_t BLOCK = 1 << 14;  // states, at most
constexpr size_t COLUMNS = 256;  // states that differ in one item's option, times these, are mixed at a time

// Rows of one item's options, for `count` settings of the other items from the setting `first`.
struct Columns {
    size_t stride, options, first, count;

    template <class F>
    void each_run(F&& visit) const {  // visit(column, place of option 0, length)
        for (size_t column = 0; column < count;) {
            const size_t inner = (first + column) % stride, outer = (first + column) / stride;
            const size_t length = std::min(count - column, stride - inner);
            visit(column, outer * options * stride + inner, length);
            column += length;
        }
    }
    void gather(const double* from, double* rows) const {
        each_run([&](size_t column, size_t place, size_t length) {
            for (size_t k = 0; k < options; ++k)
                for (size_t x = 0; x < length; ++x) rows[k * COLUMNS + column + x] = from[place + k * stride + x];
        });
    }
    void scatter(const double* rows, double* to) const {
        each_run([&](size_t column, size_t place, size_t length) {
            for (size_t k = 0; k < options; ++k)
                for (size_t x = 0; x < length; ++x) to[place + k * stride + x] = rows[k * COLUMNS + column + x];
        });
    }
};

// out = U in for the circulant matrix with the first row `u`.
QREALM_FOR_EVERY_CPU void multiply(size_t options, const double* u_re, const double* u_im, const double* in_re,
                                   const double* in_im, double* out_re, double* out_im) {
    for (size_t k = 0; k < options; ++k) {
        double* re = out_re + k * COLUMNS;
        double* im = out_im + k * COLUMNS;
        std::fill_n(re, COLUMNS, 0.0);
        std::fill_n(im, COLUMNS, 0.0);
        for (size_t j = 0; j < options; ++j) {
            const size_t apart = k >= j ? k - j : k + options - j;
            const double a = u_re[apart], b = u_im[apart];
            const double *x = in_re + j * COLUMNS, *y = in_im + j * COLUMNS;
            for (size_t c = 0; c < COLUMNS; ++c) {
                re[c] += a * x[c] - b * y[c];
                im[c] += a * y[c] + b * x[c];
            }
        }
    }
}

// First row of exp(-i beta H), H moving to both neighbours on a ring; two options have one link.
void ring(size_t options, double beta, std::vector<double>& re, std::vector<double>& im) {
    re.assign(options, 0.0);
    im.assign(options, 0.0);
    const double turn = 2 * M_PI / double(options);
    for (size_t j = 0; j < options; ++j)
        for (size_t k = 0; k < options; ++k) {
            const double level = (options == 2 ? 1.0 : 2.0) * std::cos(turn * double(k));
            const double angle = turn * double(j * k % options) - beta * level;
            re[j] += std::cos(angle) / double(options);
            im[j] += std::sin(angle) / double(options);
        }
}

}  // namespace

OneHotState::OneHotState(std::vector<int> options, std::vector<uint32_t> levels, std::vector<double> costs)
    : options_(std::move(options)), levels_(std::move(levels)), costs_(std::move(costs)) {
    size_t states = 1;
    for (const int count : options_) {
        if (count < 1) throw std::invalid_argument("an item without options");
        states *= size_t(count);
    }
    if (states != levels_.size() || costs_.empty()) throw std::invalid_argument("one level for each state");
    for (const uint32_t level : levels_)
        if (level >= costs_.size()) throw std::invalid_argument("a level without a cost");
    const auto [least, most] = std::minmax_element(costs_.begin(), costs_.end());
    centre_ = (*least + *most) / 2;
    for (double& cost : costs_) cost -= centre_;
    cosines_.resize(costs_.size());
    sines_.resize(costs_.size());
}

void OneHotState::phase(Parts& state, double angle) {
    for (size_t l = 0; l < costs_.size(); ++l) cosines_[l] = std::cos(angle * costs_[l]), sines_[l] = std::sin(angle * costs_[l]);
    for (size_t x = 0; x < levels_.size(); ++x) {
        const double c = cosines_[levels_[x]], s = sines_[levels_[x]], re = state.re[x];
        state.re[x] = re * c - state.im[x] * s;
        state.im[x] = re * s + state.im[x] * c;
    }
}

void OneHotState::mix(Parts& state, double beta) const {
    struct Item {
        size_t options, stride;
        std::vector<double> u_re, u_im;
    };
    std::vector<Item> items;
    size_t stride = 1, most = 1, block = 1, inside = 0;  // items inside a block that fits the cache
    for (const int count : options_) {
        const size_t options = size_t(count);
        Item item{options, stride, {}, {}};
        ring(options, beta, item.u_re, item.u_im);
        items.push_back(std::move(item));
        stride *= options, most = std::max(most, options);
        if (stride <= BLOCK) block = stride, inside = items.size();
    }
    std::vector<double> rows(4 * most * COLUMNS, 0.0);
    const auto mix_item = [&](const Item& item, size_t start, size_t size) {
        if (item.options == 1) return;
        double *in_re = rows.data(), *in_im = in_re + most * COLUMNS, *out_re = in_im + most * COLUMNS,
               *out_im = out_re + most * COLUMNS, *re = state.re.data() + start, *im = state.im.data() + start;
        const size_t others = size / item.options;
        for (size_t first = 0; first < others; first += COLUMNS) {
            const Columns columns{item.stride, item.options, first, std::min(COLUMNS, others - first)};
            columns.gather(re, in_re);
            columns.gather(im, in_im);
            multiply(item.options, item.u_re.data(), item.u_im.data(), in_re, in_im, out_re, out_im);
            columns.scatter(out_re, re);
            columns.scatter(out_im, im);
        }
    };
    for (size_t start = 0; start < levels_.size(); start += block)
        for (size_t k = 0; k < inside; ++k) mix_item(items[k], start, block);
    for (size_t k = inside; k < items.size(); ++k) mix_item(items[k], 0, levels_.size());
}

// Im<lambda|sum H|psi>.
double OneHotState::slope_by_beta() const {
    double sum = 0;
    size_t stride = 1;
    for (const int count : options_) {
        const size_t options = size_t(count), block = options * stride;
        const size_t links = options > 2 ? options : options - 1;
        for (size_t base = 0; base < levels_.size(); base += block)
            for (size_t k = 0; k < links; ++k) {
                const size_t a = base + k * stride, b = base + (k + 1 == options ? 0 : k + 1) * stride;
                for (size_t x = 0; x < stride; ++x)
                    sum += lambda_.re[a + x] * psi_.im[b + x] - lambda_.im[a + x] * psi_.re[b + x] +
                           lambda_.re[b + x] * psi_.im[a + x] - lambda_.im[b + x] * psi_.re[a + x];
            }
        stride = block;
    }
    return sum;
}

void OneHotState::prepare(int layers, const double* gammas, const double* betas) {
    psi_.re.assign(levels_.size(), 1 / std::sqrt(double(levels_.size())));
    psi_.im.assign(levels_.size(), 0.0);
    for (int layer = 0; layer < layers; ++layer) {
        phase(psi_, -gammas[layer]);
        mix(psi_, betas[layer]);
    }
}

double OneHotState::gradient(int layers, const double* gammas, const double* betas, double* by_gammas, double* by_betas) {
    prepare(layers, gammas, betas);
    lambda_ = psi_;
    double value = 0;
    for (size_t x = 0; x < levels_.size(); ++x) {
        const double cost = costs_[levels_[x]];
        value += cost * (psi_.re[x] * psi_.re[x] + psi_.im[x] * psi_.im[x]);
        lambda_.re[x] *= cost;
        lambda_.im[x] *= cost;
    }
    for (int layer = layers - 1; layer >= 0; --layer) {
        by_betas[layer] = 2 * slope_by_beta();
        mix(psi_, -betas[layer]);
        mix(lambda_, -betas[layer]);
        double slope = 0;
        for (size_t x = 0; x < levels_.size(); ++x)
            slope += costs_[levels_[x]] * (lambda_.re[x] * psi_.im[x] - lambda_.im[x] * psi_.re[x]);
        by_gammas[layer] = 2 * slope;
        if (layer) phase(psi_, gammas[layer]), phase(lambda_, gammas[layer]);
    }
    return centre_ + value;
}

std::vector<uint64_t> OneHotState::sample(size_t shots, uint64_t seed) const {
    double all = 0;
    for (size_t x = 0; x < levels_.size(); ++x) all += psi_.re[x] * psi_.re[x] + psi_.im[x] * psi_.im[x];
    const Draws draws(seed, 0);
    std::vector<double> places(shots);
    for (size_t k = 0; k < shots; ++k) places[k] = Draws::unit(draws(k)) * all;
    std::sort(places.begin(), places.end());
    std::vector<uint64_t> found;
    double sum = 0;
    for (size_t x = 0; x < levels_.size() && found.size() < shots; ++x) {
        sum += psi_.re[x] * psi_.re[x] + psi_.im[x] * psi_.im[x];
        while (found.size() < shots && places[found.size()] < sum) found.push_back(x);
    }
    return found;
}

std::vector<double> OneHotState::amplitudes() const {
    std::vector<double> out;
    for (size_t x = 0; x < levels_.size(); ++x) out.push_back(psi_.re[x]), out.push_back(psi_.im[x]);
    return out;
}

}  // namespace qrealm::qaoa
