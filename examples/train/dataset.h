// From rows to what is trained on: windows of a session's earlier events, facts by hash, and three
// parts of which each is later than the one before.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "adagents/model/trainer.h"
#include "log.h"

namespace train {

/// The value of a cell among `size`: 0 for an empty cell, else by StableHash64, so that a server
/// needs no dictionary to find the same.
uint32_t ValueOf(std::string_view cell, int size);

/// Training, validation and test, one after the other in time.
struct Part {
  adagents::model::Sequences sequences;  // to pre-train on
  adagents::model::Outcomes outcomes;    // sessions are filled in once there is a trunk
  std::vector<adagents::model::TokenWindow> windows;  // of each outcome
};

struct Dataset {
  adagents::model::TokenSchema tokens;
  adagents::model::HeadSchema facts;
  Part part[3];
};

struct Splits {
  double training = 0.6, validation = 0.2;  // of the rows; the rest is for the test
};

/// `buckets` values per column at most. InvalidArgument when a part has no outcomes.
absl::StatusOr<Dataset> MakeDataset(const std::vector<Row>& rows, const Columns& columns,
                                    int buckets, const Splits& splits);

}  // namespace train
