// The last requests of a worker, for the admin port: each as a line of the access log, whether there is one or not.
// Those that did not go well are kept apart, so that however many go well do not push them out. Thread: worker.
#pragma once

#include "common/loop/loop.h"
#include "lb/access_log/line.h"

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace holdfast::lb {

struct RecentRequest {
  std::chrono::system_clock::time_point ended{};
  std::string json;  // one object
};

/// Was it no plain, whole, quick answer to the first attempt? A hedge is none of its faults. Of what was no request at
/// all anybody can send us as much as he likes: that is not counted here.
bool is_troubled(const AccessEntry& entry);

class RecentRequests {
 public:
  /// `kept_max`: so many of those that did not go well, and so many others; 0: none.
  explicit RecentRequests(std::size_t kept_max) : troubled_(kept_max), others_(kept_max) {}

  bool is_on() const { return !troubled_.requests.empty(); }
  /// Is it to be kept? Of those that went well a sample is where they come thick, so that this costs them next to
  /// nothing; it needs no texts yet.
  bool wants(const AccessEntry& entry, TimePoint now) const;
  void keep(const AccessEntry& entry, TimePoint now);
  /// The newest `count_max`, newest first.
  std::vector<RecentRequest> newest(std::size_t count_max, bool only_troubled) const;

 private:
  struct Ring {
    explicit Ring(std::size_t kept_max);
    RecentRequest& take();
    std::span<const RecentRequest> kept() const { return {requests.data(), count}; }

    std::vector<RecentRequest> requests;  // with room in each, so that nothing is allocated for most of them
    std::size_t count = 0;                // that are
    std::size_t next = 0;                 // the oldest, once it is full
  };

  Ring troubled_;
  Ring others_;
  TimePoint sampled_{};  // when the last of the others was
  SecondText second_;
};

}  // namespace holdfast::lb
