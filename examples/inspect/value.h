// The bytes of a key or value as text and as JSON: by field where its type told them, else in hex.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"

namespace inspect {

using Bytes = std::vector<unsigned char>;

/// "requests=3 genre=jazz", "42", or "64 bytes 0100000000000000 ...". One line of printable ASCII,
/// whatever the bytes are.
std::string ShowValue(std::string_view fields, const Bytes& bytes);

/// {"requests": 3, "genre": "jazz"}, 42, or "0100000000000000".
nlohmann::ordered_json JsonValue(std::string_view fields, const Bytes& bytes);

/// Any text of a file, with what is not printable ASCII as \xNN: a terminal obeys some of it.
std::string Printable(std::string_view text);

}  // namespace inspect
