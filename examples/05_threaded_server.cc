// Embedding in a threaded server: threads that take requests off a queue and decide them, in the
// two ways that such a server has, and a shutdown that loses none.
//
//   trusted   the agents run on the server's own thread: no hand-over and no copy, so the fastest.
//             For agents of proven tail: one that hangs holds up that thread. (Plain Decide() would
//             bound that too: a worker runs the agents, the thread waits until the deadline.)
//   async     the server's thread goes on at once; the answer comes by callback, exactly once,
//             by the deadline whatever agents do.
//
// The order of shutting down: stop taking requests, let the threads finish, then Shutdown(), which
// answers what is still in flight, callbacks included.
//
// Output:
//   4 threads took 2000 requests
//   trusted: 1000 answers
//   async: 1000 answers, each by exactly one callback
//   every answer is a bid above its floor or the house ad
//   after the shutdown: shut_down
//   the shutdown was clean
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/runtime/runtime.h"

namespace {

using namespace adagents;

struct Request {
  int number = 0;
  double floor = 0;
};
struct Bid {
  int number = -1;  // of its request; the house ad has none
  double price = 0;
};

constexpr Key<Request> kRequest{"request"};
constexpr Key<double> kValue{"value"};
constexpr Key<Bid> kBid{"bid"};

class Value final : public Agent {
  In<Request> request_{this, kRequest};
  Out<double> value_{this, kValue, 1.0};

 public:
  Value() : Agent({.name = "value"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[value_] = 1.0 + ctx[request_].number % 7;
    return absl::OkStatus();
  }
};

class Pricing final : public Agent {
  In<Request> request_{this, kRequest};
  In<double> value_{this, kValue};
  Out<Bid> bid_{this, kBid};

 public:
  Pricing() : Agent({.name = "pricing"}) {}
  absl::Status Run(Context& ctx) override {
    const Request& request = ctx[request_];
    ctx[bid_] = {.number = request.number, .price = request.floor + ctx[value_]};
    return absl::OkStatus();
  }
};

/// What stands for the network here.
class Inbox {
 public:
  void Push(Request request) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(request);
    }
    ready_.notify_one();
  }
  void Close() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }
  /// Nothing when closed and empty.
  std::optional<Request> Pop() {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !requests_.empty(); });
    if (requests_.empty()) return std::nullopt;
    const Request request = requests_.front();
    requests_.pop_front();
    return request;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Request> requests_;
  bool closed_ = false;
};

using Decider = Runtime<Request, Bid>;

class Server {
 public:
  static constexpr int kThreads = 4;

  explicit Server(std::unique_ptr<Decider> decider) : decider_(std::move(decider)) {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Serve(); });
  }

  void Receive(const Request& request) { inbox_.Push(request); }

  ShutdownReport Stop() {
    inbox_.Close();
    for (std::thread& thread : threads_) thread.join();
    return decider_->Shutdown(absl::Seconds(10));
  }

  Verdict AfterStop() { return decider_->Decide({}).verdict; }

  std::atomic<int> taken{0}, trusted{0}, async{0}, wrong{0};

 private:
  void Serve() {
    while (const std::optional<Request> request = inbox_.Pop()) {
      ++taken;
      if (request->number % 2 == 0) {
        Respond(*request, decider_->Decide(*request, {.trusted = true}), trusted);
      } else {
        decider_->DecideAsync(*request, {}, [this, request = *request](Answer<Bid> answer) {
          Respond(request, answer, async);
        });
      }
    }
  }

  // A real server would write to the request's connection here.
  void Respond(const Request& request, const Answer<Bid>& answer, std::atomic<int>& answers) {
    ++answers;
    const bool bid = answer.value.number == request.number && answer.value.price > request.floor;
    const bool house = answer.value.number == -1 && answer.degraded();
    if (!bid && !house) ++wrong;
  }

  std::unique_ptr<Decider> decider_;
  Inbox inbox_;
  std::vector<std::thread> threads_;
};

}  // namespace

int main() {
  auto decider = Decider::Builder(kRequest, kBid)
                     .Add<Value>()
                     .Add<Pricing>()
                     .Fallback([](const Request&, const Board&) { return Bid{}; })
                     .Build();
  if (!decider.ok()) {
    std::printf("%s\n", decider.status().ToString().c_str());
    return 1;
  }
  Server server(*std::move(decider));
  for (int i = 0; i < 2000; ++i) server.Receive({.number = i, .floor = 0.5 * (i % 3)});
  const ShutdownReport report = server.Stop();

  std::printf("%d threads took %d requests\n", Server::kThreads, server.taken.load());
  std::printf("trusted: %d answers\n", server.trusted.load());
  std::printf("async: %d answers, each by exactly one callback\n", server.async.load());
  std::printf("%s\n", server.wrong == 0 ? "every answer is a bid above its floor or the house ad"
                                        : "some answers are wrong");
  std::printf("after the shutdown: %s\n", std::string(Name(server.AfterStop())).c_str());
  std::printf("the shutdown was %s\n", report.clean() ? "clean" : "not clean");
}
