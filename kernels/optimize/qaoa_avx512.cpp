// The loops of qaoa.h for AVX-512.
#if defined(__AVX512F__)
// GCC 12 takes the undefined inputs of its own intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#define LOOPS QAOA_AVX512
#define VECTOR_BYTES 64
#include "qaoa_loops.h"
#endif
