// What a look is shown as: a table for people, JSON for programs.
#pragma once

#include <string>

#include "look.h"

namespace inspect {

/// Lines of text, the last one terminated. Rates are since `before`, if that is given and of the
/// same region.
std::string Screen(const Look& look, const Look* before);

/// One line, without its end.
std::string Json(const Look& look);

/// At most so many lines of so many columns, and how many are missing. For a terminal.
std::string Clipped(const std::string& text, size_t rows, size_t columns);

}  // namespace inspect
