#include "dataset.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <unordered_map>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace train {
namespace {

using adagents::model::HeadEntry;
using adagents::model::HeadSchema;
using adagents::model::Token;
using adagents::model::TokenSchema;
using adagents::model::TokenWindow;

/// Room for four times the values that occur in training, so that few share one.
int SizeFor(size_t distinct, int buckets) {
  size_t size = 16;
  while (size < 4 * distinct && size < static_cast<size_t>(buckets)) size *= 2;
  return static_cast<int>(size);
}

template <class Cells>
std::vector<int> Sizes(const std::vector<Row>& rows, size_t training, size_t columns, int buckets,
                       Cells cells) {
  std::vector<int> sizes;
  for (size_t c = 0; c < columns; ++c) {
    std::set<std::string_view> distinct;
    for (size_t i = 0; i < training; ++i) distinct.insert(cells(rows[i])[c]);
    sizes.push_back(SizeFor(distinct.size(), buckets));
  }
  return sizes;
}

}  // namespace

uint32_t ValueOf(std::string_view cell, int size) {
  if (cell.empty() || size < 2) return 0;
  return static_cast<uint32_t>(1 + adagents::StableHash64(cell) % static_cast<uint64_t>(size - 1));
}

absl::StatusOr<Dataset> MakeDataset(const std::vector<Row>& rows, const Columns& columns,
                                    int buckets, const Splits& splits) {
  const auto all = static_cast<double>(rows.size());
  const size_t ends[] = {static_cast<size_t>(all * splits.training),
                         static_cast<size_t>(all * (splits.training + splits.validation)),
                         rows.size()};
  Dataset data;
  const auto token_sizes =
      Sizes(rows, ends[0], columns.token.size(), buckets, [](const Row& r) { return r.token; });
  std::vector<TokenSchema::Category> categories;
  for (size_t c = 0; c < columns.token.size(); ++c) {
    categories.push_back({columns.token[c], token_sizes[c]});
  }
  std::vector<TokenSchema::Number> numbers;
  for (size_t c = 0; c < columns.token_numbers.size(); ++c) {
    float low = INFINITY, high = -INFINITY;  // of the training part
    for (size_t i = 0; i < ends[0]; ++i) {
      const float value = rows[i].token_numbers[c];
      if (!std::isnan(value)) low = std::min(low, value), high = std::max(high, value);
    }
    if (!(low < high)) low = 0, high = 1;
    numbers.push_back({columns.token_numbers[c], low, high});
  }
  data.tokens = TokenSchema(std::move(categories), std::move(numbers));
  if (absl::Status status = data.tokens.Check(); !status.ok()) return status;

  const bool sparse = columns.features.empty() && columns.label.empty();  // libFM
  size_t per_candidate = columns.features.size();
  if (sparse) {
    size_t highest = 0;
    for (const Row& row : rows) {
      per_candidate = std::max(per_candidate, row.sparse.size());
      for (const auto& [index, value] : row.sparse) highest = std::max<size_t>(highest, index);
    }
    data.facts = HeadSchema({{"features", static_cast<int>(std::min<size_t>(
                                              highest + 1, static_cast<size_t>(buckets)))}});
  } else {
    const auto sizes = Sizes(rows, ends[0], columns.features.size(), buckets,
                             [](const Row& r) { return r.features; });
    std::vector<HeadSchema::Field> fields;
    for (size_t c = 0; c < sizes.size(); ++c) fields.push_back({columns.features[c], sizes[c]});
    data.facts = HeadSchema(std::move(fields));
  }
  if (absl::Status status = data.facts.Check(); !status.ok()) return status;

  std::unordered_map<std::string, TokenWindow> sessions;
  size_t which = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    while (i >= ends[which]) ++which;
    const Row& row = rows[i];
    Part& part = data.part[which];
    TokenWindow none;
    TokenWindow& window = row.session.empty() ? none : sessions[row.session];
    if (row.label >= 0) {
      part.outcomes.per_candidate = std::max<size_t>(1, per_candidate);
      for (size_t c = 0; c < part.outcomes.per_candidate; ++c) {
        HeadEntry entry;
        if (sparse && c < row.sparse.size()) {
          const auto& [index, value] = row.sparse[c];
          const auto size = static_cast<uint32_t>(data.facts.fields()[0].size);
          entry = {data.facts.Row(0, index % size), value};
        } else if (!sparse && c < row.features.size()) {
          entry.row = data.facts.Row(c, ValueOf(row.features[c], data.facts.fields()[c].size));
        }
        part.outcomes.entries.push_back(entry);
      }
      part.outcomes.happened.push_back(static_cast<uint8_t>(row.label));
      part.windows.push_back(window);
    }
    if (row.session.empty()) continue;
    Token token = TokenSchema::Unknown();
    for (size_t c = 0; c < row.token.size(); ++c) {
      token.category[c] =
          static_cast<uint16_t>(ValueOf(row.token[c], data.tokens.categories()[c].size));
    }
    for (size_t c = 0; c < row.token_numbers.size(); ++c) token.number[c] = row.token_numbers[c];
    if (window.count > 0) {
      part.sequences.windows.push_back(window);
      part.sequences.next.push_back(token);
    }
    window.Push(token);
  }
  constexpr const char* kNames[] = {"training", "validation", "test"};
  for (size_t p = 0; p < 3; ++p) {
    if (data.part[p].outcomes.size() == 0) {
      return adagents::InvalidArgument(fmt::format(
          "there are no outcomes in the {} part of the {} rows", kNames[p], rows.size()));
    }
  }
  return data;
}

}  // namespace train
