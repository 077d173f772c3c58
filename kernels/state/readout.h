// From basis states to memory and back: both ways are XORs of one word per bit.
#pragma once
#include <array>
#include <vector>

#include "../plan/linear.h"
#include "../plan/program.h"

namespace qrealm {

// A linear map of up to 64 bits, by tables of bytes.
class BitMap {
public:
    BitMap() = default;
    explicit BitMap(const std::vector<uint64_t>& columns) {
        bytes_ = (columns.size() + 7) / 8;
        tables_.resize(bytes_);
        for (size_t t = 0; t < bytes_; ++t) {
            tables_[t][0] = 0;
            for (size_t b = 0, filled = 1; b < 8; ++b, filled *= 2) {
                const uint64_t c = t * 8 + b < columns.size() ? columns[t * 8 + b] : 0;
                for (size_t i = 0; i < filled; ++i) tables_[t][filled + i] = tables_[t][i] ^ c;
            }
        }
    }
    uint64_t operator()(uint64_t v) const {
        uint64_t out = 0;
        for (size_t t = 0; t < bytes_; ++t) out ^= tables_[t][v >> (8 * t) & 255];
        return out;
    }

private:
    size_t bytes_ = 0;
    std::vector<std::array<uint64_t, 256>> tables_;
};

// Physical index (block * lanes + lane) of each wire's bit.
inline std::vector<uint64_t> physical_columns(const Placement& p, int lane_bits) {
    std::vector<uint64_t> out(p.columns.size());
    for (size_t w = 0; w < out.size(); ++w) out[w] = uint64_t(p.columns[w]) << lane_bits;
    for (size_t j = 0; j < p.lane_wires.size(); ++j) out[p.lane_wires[j]] = uint64_t(1) << j;
    return out;
}

// The other way: which wires read one, for each bit of a physical index.
inline std::vector<uint64_t> wires_of_physical(const Placement& p, int lane_bits) {
    std::vector<uint32_t> columns;
    std::vector<int> wires;
    for (size_t w = 0; w < p.columns.size(); ++w)
        if (p.columns[w]) {
            columns.push_back(p.columns[w]);
            wires.push_back(static_cast<int>(w));
        }
    const std::vector<uint32_t> rows = inverse_rows(columns);
    std::vector<uint64_t> out(lane_bits + columns.size(), 0);
    for (size_t j = 0; j < p.lane_wires.size(); ++j) out[j] = uint64_t(1) << p.lane_wires[j];
    for (size_t r = 0; r < rows.size(); ++r)
        for (size_t b = 0; b < columns.size(); ++b)
            if (rows[r] >> b & 1) out[lane_bits + b] |= uint64_t(1) << wires[r];
    return out;
}

}  // namespace qrealm
