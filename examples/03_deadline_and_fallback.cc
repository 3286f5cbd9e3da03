// Deadline and fallback: an answer comes in time, whatever agents do.
//
// Ranking hangs. When the deadline comes, whatever had been published by then is sealed and handed
// to the fallback, which answers from it: here with the best campaign of the shortlist. What
// Ranking writes afterwards nobody reads. A request that comes with its time already spent is
// refused at once.
//
// The agent really hangs on a real thread. Nothing printed depends on how fast this machine is, as
// long as it manages to run the first of the agents within the deadline of one second.
//
// Output:
//   Ranking works: campaign 7 (decided)
//   Ranking hangs: campaign 3 (expired, 1 agent late)
//     shortlist ran
//     ranking late
//   too late already: campaign 0 (no_time)
//   the hung agent came back, and the shutdown was clean
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "adagents/runtime/runtime.h"

namespace {

using namespace adagents;

struct Request {
  std::vector<int> campaigns;
};
struct Choice {
  int campaign = 0;
};

constexpr Key<Request> kRequest{"request"};
constexpr Key<std::vector<int>> kShortlist{"shortlist"};
constexpr Key<Choice> kChoice{"choice"};

class Shortlist final : public Agent {
  In<Request> request_{this, kRequest};
  Out<std::vector<int>> shortlist_{this, kShortlist};

 public:
  Shortlist() : Agent({.name = "shortlist"}) {}
  absl::Status Run(Context& ctx) override {
    for (const int campaign : ctx[request_].campaigns) {
      if (campaign % 2 == 1) ctx[shortlist_].push_back(campaign);
    }
    return absl::OkStatus();
  }
};

class Ranking final : public Agent {
  In<std::vector<int>> shortlist_{this, kShortlist};
  Out<Choice> choice_{this, kChoice};
  std::atomic<bool>* hanging_;

 public:
  explicit Ranking(std::atomic<bool>* hanging) : Agent({.name = "ranking"}), hanging_(hanging) {}
  absl::Status Run(Context& ctx) override {
    hanging_->wait(true);  // a bug, a lock, a page fault: something that never ends
    ctx[choice_].campaign = ctx[shortlist_].back();
    return absl::OkStatus();
  }
};

void Print(const char* what, const Answer<Choice>& answer) {
  std::printf("%s: campaign %d (%s", what, answer.value.campaign,
              std::string(Name(answer.verdict)).c_str());
  if (answer.late > 0) std::printf(", %d agent late", answer.late);
  std::printf(")\n");
}

}  // namespace

int main() {
  std::atomic<bool> hanging{false};
  auto runtime = Runtime<Request, Choice>::Builder(kRequest, kChoice)
                     .Add<Shortlist>()
                     .Add<Ranking>(&hanging)
                     .Fallback([](const Request&, const Board& board) {
                       const auto* shortlist = board.Find(kShortlist);
                       return Choice{shortlist == nullptr ? 0 : shortlist->front()};
                     })
                     .Options({.deadline = absl::Seconds(1)})
                     .Build();
  if (!runtime.ok()) return 1;
  const Request request{.campaigns = {2, 3, 5, 7, 8}};

  Print("Ranking works", (*runtime)->Decide(request));

  hanging = true;
  const Answer<Choice> expired = (*runtime)->Decide(request, {.explain = true});
  Print("Ranking hangs", expired);
  for (const Trace::AgentEntry& agent : expired.trace->agents) {
    std::printf("  %s %s\n", agent.name.c_str(), std::string(Name(agent.outcome)).c_str());
  }

  Print("too late already", (*runtime)->Decide(request, {.tmax = absl::ZeroDuration()}));

  hanging = false;  // so that this program can end cleanly; a server would not wait for it
  hanging.notify_all();
  const ShutdownReport report = (*runtime)->Shutdown(absl::Seconds(10));
  std::printf("the hung agent %s\n", report.clean() ? "came back, and the shutdown was clean"
                                                    : "is still there, with what it uses");
}
