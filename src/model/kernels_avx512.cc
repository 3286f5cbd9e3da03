// See kernels.inc.
#define ADAGENTS_LANES 16
#define ADAGENTS_KERNELS kAvx512
#define ADAGENTS_KERNELS_NAME "avx512"
#include "model/kernels.inc"
