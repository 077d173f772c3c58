"""The kernel that carries out a stage: one source for CUDA, compiled at run time, and for the processor.

Every loop over threads ends before the next begins, and no iteration of one reads what another of the same
loop writes. So the same text, with its loops run by one thread, computes the same on a processor: that is how
it is tested where there is no GPU.
"""

from __future__ import annotations

from qrealm.simulate.backends.gpu.tiles import TILE_QUBITS, WORDS
from qrealm.simulate.plan.types import Precision

NAME = "run_stage"
THREADS = 256

_SOURCE = r"""
#if defined(__CUDACC__) || defined(__CUDACC_RTC__) || defined(__HIPCC__)
#define KERNEL extern "C" __global__
#define SHARED __shared__
#define EACH(i, count) for (int i = threadIdx.x; i < (count); i += blockDim.x)
#define WAIT __syncthreads()
#define BLOCK_ARGUMENT
#define BLOCK ((long long)blockIdx.x)
#else
#define KERNEL extern "C"
#define SHARED
#define EACH(i, count) for (int i = 0; i < (count); ++i)
#define WAIT
#define BLOCK_ARGUMENT , long long block_number
#define BLOCK block_number
#endif

// The bits of `index` at the places that `spots` names.
#define SPREAD(index, spots, count, into) \
    for (int bit = 0; bit < (count); ++bit) into |= ((long long)(index) >> bit & 1) << (spots)[bit];

KERNEL void run_stage(REAL* state, const long long* program, const REAL* numbers, const long long* spots,
                      int operations, int inside, int outside BLOCK_ARGUMENT) {
    SHARED REAL re[1 << TILE];
    SHARED REAL im[1 << TILE];
    const int size = 1 << inside;
    const long long block = BLOCK;
    long long base = 0;
    SPREAD(block, spots + inside, outside, base)
    EACH(i, size) {
        long long at = base;
        SPREAD(i, spots, inside, at)
        re[i] = state[2 * at];
        im[i] = state[2 * at + 1];
    }
    WAIT;
    for (int step = 0; step < operations; ++step) {
        const long long* word = program + step * WORDS;
        const int count = (int)word[1];
        const int held = (int)word[2];
        if ((block & word[3]) != word[3]) continue;  // the same for all threads of a block
        const REAL* values = numbers + 2 * word[4];
        const long long* places = word + 5;
        if (word[0] == 0) {
            EACH(i, size) {
                if ((i & held) == held) {
                    int index = 0;
                    for (int j = 0; j < count; ++j) {
                        const int place = (int)places[j];
                        const long long bit = place < inside ? i >> place : block >> (place - inside);
                        index |= (int)(bit & 1) << j;
                    }
                    const REAL a = values[2 * index], b = values[2 * index + 1], x = re[i], y = im[i];
                    re[i] = a * x - b * y;
                    im[i] = a * y + b * x;
                }
            }
        } else {
            EACH(group, size >> count) {
                int first = group;
                for (int j = 0; j < count; ++j) {  // places ascend: a zero goes in at each
                    const int place = (int)places[j];
                    first = (first >> place << (place + 1)) | (first & ((1 << place) - 1));
                }
                if ((first & held) == held) {
                    const int rows = 1 << count;
                    int at[8];
                    REAL x[8], y[8];
                    for (int r = 0; r < rows; ++r) {
                        at[r] = first;
                        for (int j = 0; j < count; ++j) at[r] |= (r >> j & 1) << (int)places[j];
                        x[r] = re[at[r]];
                        y[r] = im[at[r]];
                    }
                    for (int r = 0; r < rows; ++r) {
                        REAL real = 0, imaginary = 0;
                        for (int c = 0; c < rows; ++c) {
                            const REAL a = values[2 * (r * rows + c)], b = values[2 * (r * rows + c) + 1];
                            real += a * x[c] - b * y[c];
                            imaginary += a * y[c] + b * x[c];
                        }
                        re[at[r]] = real;
                        im[at[r]] = imaginary;
                    }
                }
            }
        }
        WAIT;
    }
    EACH(i, size) {
        long long at = base;
        SPREAD(i, spots, inside, at)
        state[2 * at] = re[i];
        state[2 * at + 1] = im[i];
    }
}
"""


def source(precision: Precision) -> str:
    """The kernel's text for one precision."""
    real = "float" if precision is Precision.SINGLE else "double"
    head = f"#define REAL {real}\n#define TILE {TILE_QUBITS[precision]}\n#define WORDS {WORDS}\n"
    return head + _SOURCE
