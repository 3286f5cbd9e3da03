// The plain values that models read and write: events of a session, its vector, facts of a
// candidate. What they mean to a model is in session.h and head.h.
//
// Plain arrays and no header of the standard library but <cstdint>: the forward pass is compiled
// for instruction sets that not every machine has, and must share no inline function and no
// initialiser with the rest. Thread-compatible, as any plain value.
#pragma once

#include <cstdint>

namespace adagents::model {

/// Bounds of any schema; they make the structs below fixed in size.
inline constexpr int kMaxCategories = 12;
inline constexpr int kMaxNumbers = 6;
inline constexpr int kMaxTokens = 16;
inline constexpr int kMaxWidth = 64;

/// One event of a session. A value type.
struct Token {
  /// By field of the schema: 0 is "not known", else below the field's size. What is beyond it reads
  /// as 0: a value that a model was not trained with is not known to it.
  uint16_t category[kMaxCategories] = {};
  /// By number of the schema, in its own unit, cut to the schema's range; NaN is "not known".
  float number[kMaxNumbers] = {};
};

/// The newest events of a session, at most kMaxTokens, oldest first. A value type.
struct TokenWindow {
  uint32_t count = 0;
  Token tokens[kMaxTokens] = {};

  /// Adds the newest; the oldest leaves when there is no room.
  void Push(const Token& token) {
    if (count >= kMaxTokens) {
      for (int i = 1; i < kMaxTokens; ++i) tokens[i - 1] = tokens[i];
      count = kMaxTokens - 1;
    }
    tokens[count++] = token;
  }
};

/// What the trunk makes of a window. A value type.
struct SessionVector {
  /// Of the trunk that made it, see Encoder::id(); 0: none did. Heads read only vectors of the
  /// trunk that they were trained on.
  uint64_t trunk = 0;
  float value[kMaxWidth] = {};  ///< those from the encoder's width on are 0
};

/// One fact of a candidate. Row 0 is "nothing" and adds nothing: candidates with fewer facts than
/// others are filled up with it.
struct HeadEntry {
  uint32_t row = 0;
  float weight = 1;
};

}  // namespace adagents::model
