// The hot loops, behind one table of functions for each instruction set. They know positions and numbers only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace qrealm {

// What a Pauli string needs of its sum: it moves nothing (norm), or its phase is real or imaginary.
enum class PauliPart { norm, real, imaginary };

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
    // tile[low][high] *= low_table * high_table * cross, cross may be null.
    void (*diagonal)(T* tile, Positions low, size_t num_low, Positions high, size_t num_high, uint32_t shift,
                     const T* low_table, const T* high_table, const T* cross);
    // Swaps lane bit lane_bits[j] with wire j of the group.
    void (*transpose)(T* tile, Positions bases, size_t count, Positions offsets, uint32_t shift, int group,
                      const uint8_t* lane_bits);
    // out = sum of conj(tile[base ^ partner]) * tile[base] * lane_signs, real and imaginary part.
    void (*inner)(const T* tile, Positions bases, size_t count, uint32_t shift, uint32_t partner, const T* lane_signs, double* out);
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
    // out[y ^ move] += sum over terms of sign(y) * coefficient * memory[y]; coefficients are given for every lane.
    void (*pauli_add)(const T* memory, T* out, size_t begin, size_t end, uint64_t block_move, int lane_move, size_t terms,
                      const uint64_t* block_signs, const T* coefficients);
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
