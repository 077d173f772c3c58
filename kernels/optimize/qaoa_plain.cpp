// The loops of qaoa.h for any processor.
#define LOOPS QAOA_PLAIN
#define VECTOR_BYTES 16
#include "qaoa_loops.h"
