// How often the cache of links has what is asked for: a Zipf trace with a scan in it, replayed through LinkCache
// (SIEVE) and, with room for as many entries, through LRU and S3-FIFO. The trace is the same for all and for every run.
#include "app/links/cache.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <list>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using namespace holdfast;
using namespace holdfast::app;

constexpr std::size_t kCodes = 1'000'000;
constexpr std::size_t kRequests = 3'000'000;
constexpr std::size_t kScanned = 300'000;
constexpr double kSkew = 0.9;

/// Ranks by their cumulative weights.
class Zipf {
 public:
  Zipf() : sums_(kCodes) {
    double sum = 0;
    for (std::size_t i = 0; i < kCodes; ++i) sums_[i] = sum += 1 / std::pow(static_cast<double>(i + 1), kSkew);
  }
  std::uint32_t next(std::mt19937_64& dice) {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(dice);
    return static_cast<std::uint32_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

struct Request {
  std::uint32_t code;
  bool is_scan;
};

/// A third of the visits, a scan of codes that nobody else asks for between the next third, the last third.
std::vector<Request> make_trace() {
  std::mt19937_64 dice(1);
  Zipf zipf;
  std::vector<Request> trace;
  std::uint32_t scanned = kCodes;
  for (std::size_t i = 0; i < kRequests; ++i) {
    trace.push_back({zipf.next(dice), false});
    const bool is_within = i >= kRequests / 3 && i < kRequests / 3 + kScanned;
    if (is_within) trace.push_back({scanned++, true});
  }
  return trace;
}

class Lru {
 public:
  explicit Lru(std::size_t room) : room_(room) {}
  bool ask(std::uint32_t code) {
    const auto found = where_.find(code);
    if (found != where_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    if (where_.size() >= room_) {
      where_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(code);
    where_[code] = order_.begin();
    return false;
  }

 private:
  std::size_t room_;
  std::list<std::uint32_t> order_;
  std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> where_;
};

/// Yang et al., SOSP 2023: a small queue for newcomers, a main one, and the memory of who left the small one.
class S3Fifo {
 public:
  explicit S3Fifo(std::size_t room) : small_max_(std::max<std::size_t>(1, room / 10)), main_max_(room - small_max_) {}
  bool ask(std::uint32_t code) {
    const auto found = hits_.find(code);
    if (found != hits_.end()) {
      found->second = std::min(found->second + 1, 3);
      return true;
    }
    if (ghosts_known_.erase(code) > 0) {
      add_to_main(code);
    } else {
      while (small_.size() >= small_max_) leave_small();
      small_.push_back(code);
    }
    hits_[code] = 0;
    return false;
  }

 private:
  void leave_small() {
    const std::uint32_t code = small_.front();
    small_.pop_front();
    if (hits_[code] > 1) return add_to_main(code);
    hits_.erase(code);
    ghosts_.push_back(code);
    ghosts_known_[code] = true;
    while (ghosts_.size() > main_max_) {
      ghosts_known_.erase(ghosts_.front());
      ghosts_.pop_front();
    }
  }
  void add_to_main(std::uint32_t code) {
    while (main_.size() >= main_max_) {
      const std::uint32_t old = main_.front();
      main_.pop_front();
      if (hits_[old] > 0) {
        --hits_[old];
        main_.push_back(old);
      } else {
        hits_.erase(old);
      }
    }
    main_.push_back(code);
  }

  std::size_t small_max_;
  std::size_t main_max_;
  std::deque<std::uint32_t> small_;
  std::deque<std::uint32_t> main_;
  std::deque<std::uint32_t> ghosts_;
  std::unordered_map<std::uint32_t, bool> ghosts_known_;
  std::unordered_map<std::uint32_t, int> hits_;
};

class Sieve {
 public:
  explicit Sieve(std::size_t bytes) : cache_({.bytes_max = bytes}) {}
  bool ask(std::uint32_t code) {
    const std::string text = fmt::format("c{:06}", code);
    if (cache_.find(text, now_) != nullptr) return true;
    cache_.fill(text, "https://example.com/where/it/leads/and/a/little/more", Proof::Proven, now_, 0.5);
    return false;
  }
  std::size_t entries() const { return cache_.entries(); }

 private:
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  LinkCache cache_;
};

/// Hits of visits (the scan's own do not count) in each third, in per cent.
template <class Cache>
std::string shares(Cache& cache, const std::vector<Request>& trace) {
  std::size_t visits = 0;
  std::array<std::size_t, 3> hits{};
  for (const Request& request : trace) {
    const bool is_hit = cache.ask(request.code);
    if (request.is_scan) continue;
    hits[std::min<std::size_t>(2, visits++ / (kRequests / 3))] += is_hit ? 1 : 0;
  }
  std::string text;
  for (const std::size_t count : hits) {
    text += fmt::format("{:7.1f}", 100.0 * static_cast<double>(count) / static_cast<double>(kRequests / 3));
  }
  return text;
}

}  // namespace

int main() {
  const auto trace = make_trace();
  fmt::print("{} visits of {} codes, Zipf {}; a scan of {} other codes in the second third\n", kRequests, kCodes, kSkew,
             kScanned);
  fmt::print("{:>9} {:>9}  {:<9}{:>7}{:>7}{:>7}\n", "memory", "entries", "", "1st", "2nd", "3rd");
  for (const std::size_t mib : std::array<std::size_t, 4>{2, 4, 16, 64}) {
    Sieve sieve(mib * 1024 * 1024);
    const std::string of_sieve = shares(sieve, trace);
    const std::size_t entries = sieve.entries();
    fmt::print("{:>5} MiB {:>9}  {:<9}{}\n", mib, entries, "SIEVE", of_sieve);
    Lru lru(entries);
    fmt::print("{:>19}  {:<9}{}\n", "", "LRU", shares(lru, trace));
    S3Fifo s3(entries);
    fmt::print("{:>19}  {:<9}{}\n", "", "S3-FIFO", shares(s3, trace));
  }
  return 0;
}
