// The packed loops for AVX-512: full adders are two ternary-logic instructions.
#if defined(__AVX512F__)
#define LOOPS PACKED_AVX512
#include "spins_packed_loops.h"
#endif
