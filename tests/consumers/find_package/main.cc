#include <cstdio>

#include "adagents/version.h"

int main() { std::printf("adagents %s\n", adagents::kVersion.data()); }
