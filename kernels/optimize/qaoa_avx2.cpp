// The loops of qaoa.h for AVX2.
#if defined(__AVX2__)
#define LOOPS QAOA_AVX2
#define VECTOR_BYTES 32
#include "qaoa_loops.h"
#endif
