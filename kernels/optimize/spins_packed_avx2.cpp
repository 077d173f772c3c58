// The packed loops for AVX2.
#if defined(__AVX2__)
#define LOOPS PACKED_AVX2
#include "spins_packed_loops.h"
#endif
