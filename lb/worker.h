// One loop with its listener, its clients, its share of the pools, its counters.
// Thread: its own, from start() until it tells its end; the functions here are called by the control thread. What they
// ask of a worker that has ended is dropped.
#pragma once

#include "common/loop/mailbox.h"
#include "common/loop/wake.h"
#include "common/net/listener.h"
#include "lb/access_log/access_log.h"
#include "lb/access_log/recent_requests.h"
#include "lb/downstream/admission.h"
#include "lb/metrics.h"
#include "lb/pool/snapshot.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

namespace holdfast::lb {

class Worker {
 public:
  /// Called from the worker's thread when a server failed a request, or said that it drains.
  using TellControl = std::function<void()>;

  /// `access_log`: where its requests are told of; null: nowhere.
  Worker(std::size_t index, std::size_t count, std::shared_ptr<const Snapshot> snapshot, Admission& admission,
         AccessLogChannel* access_log, TellControl tell_control);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Listens at `address` beside the other workers. Before start().
  Result<Address> listen(const Address& address);
  /// The socket, until drain() or stop().
  int listening_fd() const { return listening_fd_; }
  /// Runs until drain() is done or stop(). Then all that it had is ended, and `ended` is called, both on its thread.
  void start(std::function<void()> ended);
  /// A server's state has changed: whoever waits for one looks again.
  void wake();
  /// Before any worker is given it by take().
  void know(const Snapshot& snapshot);
  /// Goes on by this snapshot: requests that come from now on, and the next attempts of those under way.
  void take(std::shared_ptr<const Snapshot> snapshot);
  /// Says `Connection: close` on every response from now on, and goes on accepting.
  void announce_close();
  /// Another process accepts in our place: those who are connected have one more request each, and then go there. Ends
  /// when the last has left.
  void hand_over();
  /// Stops accepting, closes what is idle, ends when the last request is answered.
  void drain();
  /// Ends now, whatever is under way.
  void stop();
  /// Waits for its thread, which is about to end once it has told so.
  void join();

  const WorkerCounters& counters() const { return counters_; }
  /// A line() for each exchange under way, oldest first; delivered to `take` on the worker's thread, unless it ends
  /// before. False if it has ended.
  bool describe_exchanges(std::function<void(std::vector<std::string>)> take);
  /// The newest requests that have ended; delivered likewise.
  bool recent_requests(std::size_t count_max, bool only_troubled, std::function<void(std::vector<RecentRequest>)> take);

 private:
  struct Serving;

  std::size_t index_;
  std::size_t count_;
  std::shared_ptr<const Snapshot> snapshot_;  // in force in its thread
  Admission& admission_;
  AccessLogChannel* access_log_;
  TellControl tell_control_;
  WorkerCounters counters_;
  Loop loop_;
  int listening_fd_ = -1;
  std::unique_ptr<Serving> serving_;
  Mailbox::Sender inbox_;  // of serving_
  std::unique_ptr<Wake> wake_;
  std::thread thread_;
};

}  // namespace holdfast::lb
