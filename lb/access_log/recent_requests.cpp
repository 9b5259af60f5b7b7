#include "lb/access_log/recent_requests.h"

#include <algorithm>

namespace holdfast::lb {
namespace {

/// Between two requests that went well.
constexpr std::chrono::milliseconds kSampleEvery{10};
/// Of a line, for which there is room from the beginning.
constexpr std::size_t kUsualBytes = 700;
/// What takes longer is worth a look.
constexpr std::chrono::seconds kSlow{1};

bool is_outcome(const AccessEntry& entry, Outcome outcome) {
  return entry.outcome == kOutcomes[static_cast<std::size_t>(outcome)];
}

}  // namespace

bool is_troubled(const AccessEntry& entry) {
  if (is_outcome(entry, Outcome::Tunnelled)) return false;  // which lasts as long as it likes
  if (!is_outcome(entry, Outcome::Answered)) return entry.attempts != nullptr;
  if (entry.status >= 500 || entry.duration >= kSlow || !entry.reason.empty()) return true;
  if (entry.attempts->count() < 2) return false;
  const auto kept = entry.attempts->kept();
  return std::count_if(kept.begin(), kept.end(), [](const AttemptNote& note) { return !note.is_hedge; }) > 1;
}

RecentRequests::Ring::Ring(std::size_t kept_max) : requests(kept_max) {
  for (RecentRequest& request : requests) request.json.reserve(kUsualBytes);
}

RecentRequest& RecentRequests::Ring::take() {
  RecentRequest& taken = requests[next];
  next = next + 1 == requests.size() ? 0 : next + 1;
  if (count < requests.size()) ++count;
  return taken;
}

bool RecentRequests::wants(const AccessEntry& entry, TimePoint now) const {
  return is_on() && (now - sampled_ >= kSampleEvery || is_troubled(entry));
}

void RecentRequests::keep(const AccessEntry& entry, TimePoint now) {
  const bool is_kept_long = is_troubled(entry);
  if (!is_kept_long) sampled_ = now;
  RecentRequest& request = (is_kept_long ? troubled_ : others_).take();
  request.ended = std::chrono::system_clock::now();
  request.json.clear();
  append_line(request.json, AccessFormat::Json, entry, request.ended, second_);
  request.json.pop_back();  // its end of line
}

std::vector<RecentRequest> RecentRequests::newest(std::size_t count_max, bool only_troubled) const {
  std::vector<const RecentRequest*> all;
  for (const Ring* ring : {&troubled_, &others_}) {
    if (ring == &others_ && only_troubled) break;
    for (const RecentRequest& request : ring->kept()) all.push_back(&request);
  }
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->ended > b->ended; });
  if (all.size() > count_max) all.resize(count_max);
  std::vector<RecentRequest> newest;
  newest.reserve(all.size());
  for (const RecentRequest* request : all) newest.push_back(*request);
  return newest;
}

}  // namespace holdfast::lb
