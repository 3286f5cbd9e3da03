// What a model reads of a listening session, and what it makes of it: tokens in, a vector out.
//
//   TokenSchema schema({{"kind", 12}, {"genre", 64}, {"hour", 25}}, {{"energy", 0, 1}});
//   TokenWindow window;
//   Token token = schema.Unknown();
//   token.category[0] = 1 + static_cast<uint16_t>(event.kind);
//   window.Push(token);                       // the newest 16 stay
//   encoder.Encode(window, &scratch, &vector);  // see encoder.h
//
// Token, TokenWindow and SessionVector are trivially copyable, so that a Cell or a Table keeps
// them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/model/token.h"

namespace adagents::model {

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
