// The packed loops for any processor.
#define LOOPS PACKED_PLAIN
#include "spins_packed_loops.h"
