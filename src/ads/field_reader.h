// Reading the members of one JSON object into a struct, with every fault noted and none fatal.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "adagents/ads/campaign.h"
#include "adagents/base/money.h"
#include "ads/json_tree.h"

namespace adagents::ads::internal {

/// Faults found so far: as many as fit are kept, all are counted.
class FaultList {
 public:
  explicit FaultList(size_t most) : most_(most) {}
  void Add(int line, std::string_view path, std::string what);
  size_t count() const { return count_; }
  /// Whether a fault from the `first`-th on is about `path` or something around it.
  bool Mentions(size_t first, std::string_view path) const;
  /// One line each, "line 3, a.b: what", and "and 7 more".
  std::string Text() const;

 private:
  size_t most_, count_ = 0;
  std::vector<JsonFault> faults_;
};

/// The line of the member at `path` ("a[2].b") below `node`, or of what comes nearest.
int LineOf(const JsonNode& node, std::string_view path);

/// The one of `known` that `word` is most likely a misspelling of; empty when it is none.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& known);

/// The members of one object. Each function reads the member `key` when it is there, notes when it
/// is of a wrong kind, and returns whether something was read. The destructor notes members that
/// nobody asked for. Thread-compatible.
class FieldReader {
 public:
  FieldReader(const JsonNode& object, std::string path, FaultList* faults);
  ~FieldReader();
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  void Fault(std::string_view key, std::string what);
  /// Notes when `key` is missing.
  void Require(std::string_view key);

  /// The member whatever it is, or of the one kind; nullptr when there is none.
  const JsonNode* TakeAny(std::string_view key);
  const JsonNode* Take(std::string_view key, JsonNode::Kind kind);

  bool Text(std::string_view key, std::string* out);
  bool Texts(std::string_view key, std::vector<std::string>* out);
  bool Integer(std::string_view key, int64_t low, int64_t high, int64_t* out);
  bool Int32(std::string_view key, int32_t* out);
  void Integers(std::string_view key, int64_t low, int64_t high,
                absl::FunctionRef<void(int64_t)> each);
  bool Money(std::string_view key, Micros* out);
  template <class E>
  bool Enum(std::string_view key, std::initializer_list<E> values, E* out) {
    std::vector<std::string_view> names;
    for (E value : values) names.push_back(Name(value));
    const size_t chosen = Choice(key, names);
    if (chosen >= names.size()) return false;
    *out = values.begin()[chosen];
    return true;
  }
  void Object(std::string_view key, absl::FunctionRef<void(FieldReader&)> read);
  /// Each item of a list of objects.
  void ForEach(std::string_view key, absl::FunctionRef<void(FieldReader&)> read);

 private:
  std::string PathOf(std::string_view key) const;
  size_t Choice(std::string_view key, const std::vector<std::string_view>& names);
  void FaultAt(int line, const std::string& path, std::string what);

  const JsonNode& object_;
  std::string path_;
  FaultList* faults_;
  std::vector<std::string_view> known_;
};

}  // namespace adagents::ads::internal
