// What comes in: flat arrays of gates, as `PackedCircuit` holds them in Python.
#pragma once
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qrealm {

using complex = std::complex<double>;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

// Codes of the gates that the kernel knows. Controls are a separate number, so CX is X with one control.
enum class Code : uint8_t {
    gphase = 0, x, y, z, h, s, sdg, t, tdg, sx, sxdg, rx, ry, rz, p, u, swap, iswap, rxx, ryy, rzz, rzx, matrix,
    count_
};

struct CodeRow {
    const char* name;
    int num_targets;  // -1: told by the matrix
    int num_params;
};

inline constexpr CodeRow code_table[] = {
    {"GPHASE", 0, 1}, {"X", 1, 0},    {"Y", 1, 0},    {"Z", 1, 0},    {"H", 1, 0},     {"S", 1, 0},
    {"SDG", 1, 0},    {"T", 1, 0},    {"TDG", 1, 0},  {"SX", 1, 0},   {"SXDG", 1, 0},  {"RX", 1, 1},
    {"RY", 1, 1},     {"RZ", 1, 1},   {"P", 1, 1},    {"U", 1, 3},    {"SWAP", 2, 0},  {"ISWAP", 2, 0},
    {"RXX", 2, 1},    {"RYY", 2, 1},  {"RZZ", 2, 1},  {"RZX", 2, 1},  {"MATRIX", -1, 1},
};
static_assert(sizeof(code_table) / sizeof(code_table[0]) == static_cast<size_t>(Code::count_));

inline constexpr int max_qubits = 62;         // a basis index is a 64-bit word with room to spare
inline constexpr int max_matrix_qubits = 6;   // the widest dense matrix that the engine multiplies

struct OpArrays {
    int num_qubits = 0;
    size_t num_ops = 0;
    const uint8_t* codes = nullptr;
    const uint8_t* num_controls = nullptr;
    const int32_t* qubit_offsets = nullptr;  // num_ops + 1 entries
    const int32_t* qubits = nullptr;         // controls first, then targets
    const int32_t* param_offsets = nullptr;  // num_ops + 1 entries
    const double* params = nullptr;
    std::vector<const complex*> matrices;    // row-major, first target = least significant bit
    std::vector<int> matrix_qubits;
};

}  // namespace qrealm
