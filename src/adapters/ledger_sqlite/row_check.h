// What each row's check is made of: its values, hashed with a seed that no other kind of row has.
#pragma once

#include <array>
#include <cstdint>

#include "adagents/ads/lease_source.h"
#include "adagents/base/ids.h"
#include "ads/lease_book.h"

namespace adagents::ledger_sqlite {

enum RowKind : uint64_t { kMeta = 1, kEpoch, kAccount, kLease, kWin, kLate };

template <class... T>
uint64_t CheckOf(RowKind kind, T... values) {
  const std::array<uint64_t, sizeof...(T)> words{static_cast<uint64_t>(values)...};
  return StableHash64({reinterpret_cast<const char*>(words.data()), sizeof(words)}, kind);
}
inline uint64_t CheckOf(const ads::internal::EpochRow& row) {
  return CheckOf(kEpoch, row.epoch, row.started, row.ended, row.ended_well, row.running);
}
inline uint64_t CheckOf(const ads::internal::LeaseRow& row) {
  return CheckOf(kLease, row.account, row.epoch, row.day, row.leased, row.spent, row.returned);
}
inline uint64_t CheckOf(const ads::LateWin& late) {
  return CheckOf(kLate, late.decision, late.imp, late.account, late.amount, late.charged,
                 static_cast<uint64_t>(late.outcome), late.wall_nanos);
}

}  // namespace adagents::ledger_sqlite
