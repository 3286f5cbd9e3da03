// How many times this process has asked the heap for memory. The program replaces malloc and its
// kin (and so operator new, which calls it) with versions that count per thread before they hand
// over to the C library; pools that a library keeps above malloc count when they grow.
#pragma once

#include <cstdint>

namespace adagents::bench {

/// Allocations of all threads so far. Exact once the threads are quiet.
uint64_t HeapAllocations();

/// What is counted: "malloc" with glibc, "operator new" elsewhere.
const char* HeapCounts();

}  // namespace adagents::bench
