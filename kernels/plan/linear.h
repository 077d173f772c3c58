// Small linear algebra over GF(2): vectors are the bits of a 32-bit word.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace qrealm {

// A subspace in reduced echelon form: each basis vector owns its highest bit, which no other has.
struct Subspace {
    std::vector<uint32_t> basis;  // ascending
    uint32_t pivots = 0;

    explicit Subspace(std::vector<uint32_t> vectors) {
        for (uint32_t v : vectors) {
            for (uint32_t b : basis)
                if (v >> top(b) & 1) v ^= b;
            if (!v) continue;
            for (uint32_t& b : basis)
                if (b >> top(v) & 1) b ^= v;
            basis.push_back(v);
            pivots |= 1u << top(v);
        }
        std::sort(basis.begin(), basis.end());
    }

    // The representative of v's coset that has no pivot bit.
    uint32_t representative(uint32_t v) const {
        for (uint32_t b : basis)
            if (v >> top(b) & 1) v ^= b;
        return v;
    }

    // Coordinates of v's part in the subspace: its pivot bits, packed.
    uint32_t coordinates(uint32_t v) const { return pack(v, pivots); }

    static int top(uint32_t v) { return 31 - __builtin_clz(v); }

    static uint32_t pack(uint32_t v, uint32_t mask) {
        uint32_t out = 0;
        for (int i = 0; mask; mask &= mask - 1, ++i)
            if (v & mask & (~mask + 1)) out |= 1u << i;
        return out;
    }
};

// All sums of the given vectors, the first one varying fastest.
inline std::vector<uint32_t> span(const std::vector<uint32_t>& vectors) {
    std::vector<uint32_t> out(size_t(1) << vectors.size());
    size_t filled = 1;
    out[0] = 0;
    for (uint32_t v : vectors) {
        for (size_t i = 0; i < filled; ++i) out[filled + i] = out[i] ^ v;
        filled *= 2;
    }
    return out;
}

// Inverse of the square matrix whose columns are given; row r of the result is a mask over the columns' space.
// The columns must be independent.
inline std::vector<uint32_t> inverse_rows(const std::vector<uint32_t>& columns) {
    const size_t n = columns.size();
    std::vector<uint32_t> rows(n, 0), inverse(n);
    for (size_t c = 0; c < n; ++c)
        for (size_t r = 0; r < n; ++r)
            if (columns[c] >> r & 1) rows[r] |= 1u << c;
    for (size_t r = 0; r < n; ++r) inverse[r] = 1u << r;
    for (size_t c = 0; c < n; ++c) {
        size_t p = c;
        while (!(rows[p] >> c & 1)) ++p;
        std::swap(rows[p], rows[c]);
        std::swap(inverse[p], inverse[c]);
        for (size_t r = 0; r < n; ++r)
            if (r != c && (rows[r] >> c & 1)) {
                rows[r] ^= rows[c];
                inverse[r] ^= inverse[c];
            }
    }
    return inverse;
}

}  // namespace qrealm
