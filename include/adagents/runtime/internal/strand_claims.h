// The word by which the threads of one shared decision divide its strands among themselves.
//
// Strands are numbered by longest remaining path, so the lowest number that is unclaimed and ready
// is the one to take. The owner opens a generation; owner and helpers claim strands, run them and
// mark them done; the generation is over when all are done. An owner that can wait no longer
// leaves: whoever finishes the last strand then takes its place.
//
// Word: generation (30 bits) | the owner has left (1) | the owner sleeps (1) | claimed (16) |
// done (16). Strands that do not exist count as claimed and done.
// Invariants: done is a subset of claimed; a strand is claimed at most once per generation, and
// only when all that it waits for are done; the owner prepares and opens only when all are done, so
// nobody is inside then. Whoever claims successfully has read key and masks of that very
// generation: they were read before a compare-and-swap that found a strand still unclaimed, and the
// owner changes them only after it has seen that strand done, hence after those reads. A claim made
// with what was read in an earlier generation fails by the generation; it comes around after 2^30
// decisions, which a thread would have to sleep through between two instructions.
// The owner leaves only while nothing is ready that is unclaimed, so somebody is in a strand;
// whoever finishes one takes what has become ready, so all get done, and one exchange is the last.
// Progress: lock-free; an owner with nothing to do may sleep until somebody finishes a strand.
// Memory orders: Open() releases what the owner prepared, Look() and the failing exchanges acquire
// it, for masks are read before the claim, and with it the outputs of all that is done. Claim() and
// Finish() are one kind of exchange: it releases the outputs of the strand that is done (and, by
// the above, the reads before a claim); it need not acquire, for it succeeds only on a word that
// was acquired before. The bell needs no order of its own: the owner reads it before it announces
// its sleep in the word, and who rings it has seen that.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "adagents/base/atomics.h"
#include "adagents/base/deadline.h"
#include "adagents/runtime/internal/futex.h"

namespace adagents::internal {

/// Thread-safe: one owner, who alone calls Prepare(), Open(), Sleep() and Leave(), and any number
/// of helpers.
template <class Atomics = FutexAtomics>
class StrandClaims {
 public:
  enum Site : int { kOpen, kLook, kExchange, kRetry };
  static constexpr int kMaxStrands = 16;
  static constexpr int kNone = -1;

  /// What the word said at some moment.
  class View {
   public:
    [[nodiscard]] bool AllClaimed() const { return claimed() == kAll; }
    [[nodiscard]] bool Complete() const { return done() == kAll; }
    /// Of a view whose Finish() returned kNone: the owner had left, and the caller is the owner
    /// now.
    [[nodiscard]] bool Inherited() const { return Complete() && (word_ & kLeft) != 0; }

   private:
    friend class StrandClaims;
    explicit View(uint64_t word) : word_(word) {}
    [[nodiscard]] uint32_t done() const { return static_cast<uint32_t>(word_) & kAll; }
    [[nodiscard]] uint32_t claimed() const {
      return static_cast<uint32_t>(word_ >> kClaimedShift) & kAll;
    }
    uint64_t word_;
  };

  /// `waits_for[i]` has bit j set when strand i waits for strand j < i. `key` tells helpers whether
  /// they can help. Only while complete.
  void Prepare(const void* key, std::span<const uint32_t> waits_for) {
    key_.store(key, std::memory_order_relaxed);
    size_t i = 0;
    for (const uint32_t mask : waits_for) waits_for_[i++].store(mask, std::memory_order_relaxed);
    none_ = kAll & ~((uint32_t{1} << waits_for.size()) - 1);
  }

  /// Starts the next generation with strand 0 claimed by the owner. Only while complete.
  [[nodiscard]] View Open() {
    const uint64_t generation = (word_.load(std::memory_order_relaxed) >> kGenerationShift) + 1;
    const View view(generation << kGenerationShift | uint64_t{none_ | 1} << kClaimedShift | none_);
    word_.store(view.word_, Atomics::At(kOpen, std::memory_order_release));
    return view;
  }

  [[nodiscard]] View Look() const {
    return View(word_.load(Atomics::At(kLook, std::memory_order_acquire)));
  }
  /// Of the generation of the last Look() or failed Claim(), if a claim after it succeeds.
  [[nodiscard]] const void* key() const { return key_.load(std::memory_order_relaxed); }

  /// The strand to take next, or kNone while all that are unclaimed wait.
  [[nodiscard]] int NextReady(const View& view) const {
    const uint32_t waiting = ~view.done();
    for (uint32_t open = kAll & ~view.claimed(); open != 0; open &= open - 1) {
      const int strand = std::countr_zero(open);
      if ((waits_for_[strand].load(std::memory_order_relaxed) & waiting) == 0) return strand;
    }
    return kNone;
  }

  /// True when the strand is the caller's; `view` is news either way.
  [[nodiscard]] bool Claim(View* view, int strand) {
    return Exchange(view, view->word_ | Claimed(strand));
  }

  /// Marks the caller's strand as done and claims the next one in the same step; kNone when there
  /// is none. After kNone the caller touches nothing of this generation before it claims again.
  [[nodiscard]] int Finish(View* view, int strand) {
    for (;;) {
      View next((view->word_ | uint64_t{1} << strand) & ~kSleeps);
      const int claim = NextReady(next);
      if (claim != kNone) next.word_ |= Claimed(claim);
      const bool sleeps = (view->word_ & kSleeps) != 0;
      if (!Exchange(view, next.word_)) continue;
      if (sleeps) {
        bell_.fetch_add(1, std::memory_order_relaxed);
        Atomics::Wake(bell_, 1);
      }
      return claim;
    }
  }

  /// Owner only, after a look that left it nothing to do: sleeps until somebody finishes a strand
  /// or the deadline. May return early. Look again afterwards.
  void Sleep(View view, Deadline until) {
    const uint32_t bell = bell_.load(std::memory_order_relaxed);
    if (Exchange(&view, view.word_ | kSleeps)) Atomics::Wait(bell_, bell, until);
  }

  /// Likewise: gives up its place. False when there is news; look at `view` again.
  [[nodiscard]] bool Leave(View* view) { return Exchange(view, view->word_ | kLeft); }

 private:
  static constexpr uint32_t kAll = (uint32_t{1} << kMaxStrands) - 1;
  static constexpr int kClaimedShift = kMaxStrands;
  static constexpr uint64_t kSleeps = uint64_t{1} << (2 * kMaxStrands);
  static constexpr uint64_t kLeft = kSleeps << 1;
  static constexpr int kGenerationShift = 2 * kMaxStrands + 2;

  static constexpr uint64_t Claimed(int strand) { return uint64_t{1} << (kClaimedShift + strand); }
  bool Exchange(View* view, uint64_t to) {
    uint64_t from = view->word_;
    const bool done =
        word_.compare_exchange_weak(from, to, Atomics::At(kExchange, std::memory_order_release),
                                    Atomics::At(kRetry, std::memory_order_acquire));
    view->word_ = done ? to : from;
    return done;
  }

  alignas(kCacheLine)
      typename Atomics::template Atomic<uint64_t> word_{uint64_t{kAll} << kClaimedShift | kAll};
  typename Atomics::template Atomic<uint32_t> bell_{0};
  // Apart from the word: read by everybody, written hardly ever.
  alignas(kCacheLine) typename Atomics::template Atomic<const void*> key_{nullptr};
  typename Atomics::template Atomic<uint32_t> waits_for_[kMaxStrands];
  uint32_t none_ = kAll;  // strands that do not exist; the owner's
};

}  // namespace adagents::internal
