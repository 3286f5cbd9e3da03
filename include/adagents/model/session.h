// What a model reads of a listening session, and what it makes of it: tokens in, a vector out.
//
//   TokenSchema schema({{"kind", 12}, {"genre", 64}, {"hour", 25}}, {{"energy", 0, 1}});
//   TokenWindow window;
//   Token token = schema.Unknown();
//   token.category[0] = 1 + static_cast<uint16_t>(event.kind);
//   window.Push(token);                       // the newest 16 stay
//   encoder.Encode(window, &scratch, &vector);  // see encoder.h
//
// Plain arrays, no std::array: the forward pass is compiled for instruction sets that not every
// machine has, and must share no inline function with the rest.
//
// Token, TokenWindow and SessionVector are trivially copyable, so that a Cell or a Table keeps
// them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"

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

/// Which fields tokens have. Immutable; thread-safe.
class TokenSchema {
 public:
  struct Category {
    std::string name;
    int size = 2;  ///< how many values, 0 for "not known" included: 2 to 65,536
  };
  struct Number {
    std::string name;
    float low = 0, high = 1;  ///< finite, low < high: read as 0 to 1
  };

  /// No fields: for models of what is on offer alone.
  TokenSchema() = default;
  TokenSchema(std::vector<Category> categories, std::vector<Number> numbers)
      : categories_(std::move(categories)), numbers_(std::move(numbers)) {}

  /// InvalidArgument naming the field that breaks a bound, has no name, or whose name comes twice.
  [[nodiscard]] absl::Status Check() const;

  [[nodiscard]] const std::vector<Category>& categories() const { return categories_; }
  [[nodiscard]] const std::vector<Number>& numbers() const { return numbers_; }

  /// The same for equal schemas in every process, and else different: of names, sizes, ranges and
  /// order.
  [[nodiscard]] uint64_t Hash() const;
  /// Of names, sizes and ranges, for people.
  [[nodiscard]] std::string ToString() const;
  /// A token of which nothing is known.
  [[nodiscard]] static Token Unknown();

 private:
  std::vector<Category> categories_;
  std::vector<Number> numbers_;
};

}  // namespace adagents::model
