// See kernels.inc.
#define ADAGENTS_LANES 8
#define ADAGENTS_KERNELS kAvx2
#define ADAGENTS_KERNELS_NAME "avx2"
#include "model/kernels.inc"
