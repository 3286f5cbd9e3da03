// See kernels.inc.
#define ADAGENTS_LANES 4
#define ADAGENTS_KERNELS kPortable
#define ADAGENTS_KERNELS_NAME "portable"
#include "model/kernels.inc"
