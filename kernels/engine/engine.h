// The hot loops, behind one table of functions for each instruction set. They know positions and numbers only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace qrealm {

// What a Pauli string needs of its sum: it moves nothing (norm), or its phase is real or imaginary.
enum class PauliPart { norm, real, imaginary };

inline constexpr size_t pauli_segment = 64;  // blocks

// Block positions are 32-bit: 2^32 blocks are 2^36 amplitudes, more than memory holds.
template <class T>
struct Engine {
    using Positions = const uint32_t*;
    // Butterflies of `group` wires; bit j of `forms` says that wire j has its sine factored out.
    void (*rotate[4][8])(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, const T* tangents);
    // The same, then each row of the group is multiplied by its phase.
    void (*rotate_phased[4][8])(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift,
                                 const T* tangents, const T* phases);
    // Dense matrices of one and two wires, given for every lane.
    void (*dense[3])(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, const T* matrix);
    // Dense matrix of `group` wires (up to six), one number for all lanes, where lane_mask is 1.
    void (*dense_wide)(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, int group,
                       const T* matrix, const T* lane_mask);
    void (*phase)(T* tile, Positions bases, size_t count, uint32_t shift, const T* block);
    // tile[low][high] *= low_table * high_table * cross, cross may be null; the same on the rows `partner` away, unless 0.
    void (*diagonal)(T* tile, Positions low, size_t num_low, Positions high, size_t num_high, uint32_t shift, uint32_t partner,
                     const T* low_table, const T* high_table, const T* cross);
    // Swaps lane bit lane_bits[j] with wire j of the group.
    void (*transpose)(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, int group,
                      const uint8_t* lane_bits);
    // out = sum of conj(tile[base ^ partner]) * tile[base] * lane_signs, real and imaginary part.
    void (*inner)(const T* tile, Positions bases, size_t count, uint32_t shift, uint32_t partner, const T* lane_signs, double* out);
    // The same butterflies on psi and on lambda, which is `partner` away; before them, for each wire of the group,
    // sums[wire] = Im <lambda| Y |psi>. Phased: each row of the group is multiplied by its phase first, and before
    // that sums[group + wire] = Im <lambda| Z |psi>.
    void (*rotate_inner[4][8])(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, uint32_t partner,
                               const T* tangents, double* sums);
    void (*rotate_inner_phased[4][8])(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, uint32_t partner,
                                      const T* tangents, const T* phases, double* sums);
    // out[i] = Im(conj(lambda) psi) at base i, for each lane.
    void (*imaginary)(const T* tile, Positions bases, size_t count, uint32_t shift, uint32_t partner, T* out);
    // Rows of lanes: total of each lane; out[i] = rows[i] - rows[i + count]; rows[i] += rows[i + count].
    void (*total)(const T* rows, size_t count, double* lane_totals);
    void (*difference)(const T* rows, size_t count, T* out);
    void (*fold)(T* rows, size_t count);
    // by_high[i] = sum over j of tile[low[j] ^ high[i]] * low_factors[j], by_low[j] += the sum over i with high_factors[i];
    // factors are complex, one for all lanes.
    void (*contract)(const T* tile, Positions low, size_t num_low, Positions high, size_t num_high, uint32_t shift,
                     const T* low_factors, const T* high_factors, T* by_high, T* by_low);
    void (*gather)(T* tile, const T* memory, Positions offsets, size_t count, uint32_t base);
    void (*scatter)(const T* tile, T* memory, Positions offsets, size_t count, uint32_t base);
    void (*scatter_past_cache)(const T* tile, T* memory, Positions offsets, size_t count, uint32_t base);
    // tile[p] = scalars[p] * lanes
    void (*product)(T* tile, const T* scalars, size_t count, const T* lanes);
    // sums[i] = sum of |amplitude|^2 over `blocks` blocks from block i * blocks on.
    void (*norms)(const T* memory, size_t blocks, size_t count, double* sums);
    // Pauli strings that move every basis state by the same XOR. For blocks begin..end-1 and each term,
    // sums[term] = sum of a part of conj(memory[y ^ move]) * sign(y) * memory[y]. Where blocks move, of each two that
    // trade places only the one is summed that reads zero on the lowest bit of the move.
    void (*pauli_sums[3])(const T* memory, size_t begin, size_t end, uint64_t block_move, int lane_move, size_t terms,
                          const uint64_t* block_signs, const T* lane_signs, double* sums);
    // out[i] += the part of H psi in block begin + i that strings of one move make: sum over patterns of
    // factors[pattern][y mod pauli_segment] * lane_signs[pattern] * memory[y], y the block that moves there; times i when
    // imaginary. At most pauli_segment blocks, which are aligned.
    void (*pauli_apply)(const T* memory, T* out, size_t begin, size_t count, uint64_t block_move, int lane_move, size_t patterns,
                        const T* lane_signs, const T* factors, bool imaginary);
    double (*dot)(const T* a, const T* b, size_t blocks);  // as real vectors
    void (*scale)(T* memory, size_t blocks, T factor);
    // `rounds` times `multiply_adds_per_round` multiply-adds in registers: what the processor can do at most.
    void (*multiply_add)(size_t rounds, T* out);
    size_t multiply_adds_per_round;
};

enum class InstructionSet { plain, avx2, avx512 };

const char* name_of(InstructionSet set);
bool usable(InstructionSet set);  // by the processor and enabled by the operating system
InstructionSet best_instruction_set();

template <class T>
const Engine<T>& engine(InstructionSet set);

}  // namespace qrealm
