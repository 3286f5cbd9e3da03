// Names of what agents share. A key's name is its identity: two keys of one name are one key, and
// Build() reports it when their types differ. Names must be string literals or live for ever.
#pragma once

#include <string_view>

namespace adagents {

/// A value of one decision with exactly one writer. Thread-safe: immutable.
template <class T>
struct Key {
  std::string_view name;
};

/// A value of one decision with many writers, read in the order in which they were added.
template <class T>
struct ListKey {
  std::string_view name;
};

/// Something that outlives decisions: a Table, a Cell, a Counter, a Snapshot, or any thread-safe
/// type of yours.
template <class S>
struct StateKey {
  std::string_view name;
};

}  // namespace adagents
