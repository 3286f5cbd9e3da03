// JSON with the line of every value, for error messages that people can act on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace adagents::ads::internal {

struct JsonNode {
  enum class Kind : uint8_t { kNull, kBool, kNumber, kText, kList, kObject };
  Kind kind = Kind::kNull;
  bool flag = false;
  int line = 0;       // where it begins; a text or number, where it ends
  double number = 0;  // finite
  std::string text;
  std::vector<JsonNode> items;    // of a list
  std::vector<JsonNode> members;  // of an object, in order, each with its key
  std::string key;                // of a member

  const JsonNode* Find(std::string_view key) const;
};

/// "text", "a number", ... as in "must be text, got a number".
std::string_view KindName(JsonNode::Kind kind);

/// How deeply values may be nested; the schema needs eight.
inline constexpr int kMaxDepth = 32;

/// How many members an object may have: the schema's largest has some twenty, and looking one up is
/// a walk through all.
inline constexpr size_t kMaxMembers = 256;

struct JsonFault {
  int line = 0;
  std::string path;  // may be empty
  std::string what;
};

/// Reads {"<list>": [...]} and hands over each item of the list as it is complete, so that a large
/// text never becomes a large tree. Other members of the outermost object, which are kept whole, go
/// to `other`. Returns false and sets `fault` when the text is not such JSON: not JSON at all,
/// nested too deeply, too many members, or a key twice in one object.
bool ReadJsonList(std::string_view text, std::string_view list,
                  absl::FunctionRef<void(size_t index, JsonNode item)> item,
                  absl::FunctionRef<void(std::string_view key, const JsonNode& node)> other,
                  JsonFault* fault);

}  // namespace adagents::ads::internal
