#include "app/links/visits.h"

#include "app/links/code.h"
#include "common/log.h"

#include <memory>

namespace holdfast::app {

class Visits::Batch final : public PgQuery {
 public:
  explicit Batch(Visits& visits) : PgQuery(Statement::AddVisits), visits_(visits) {
    std::vector<std::string_view> codes;
    std::string counts = "{";
    for (const auto& [code, count] : visits.batch_) {
      codes.emplace_back(code);
      if (counts.size() > 1) counts += ',';
      counts += std::to_string(count);
    }
    counts += '}';
    add(visits.instance_);
    add(std::to_string(visits.sequence_));
    add(array_literal(codes));
    add(std::move(counts));
  }

  void on_answer(const PgAnswer& answer) override {
    if (answer.status() == PgStatus::Bug) log::warn_limited("visits refused", "primary", {{"why", answer.why()}});
    visits_.on_answer(answer.is_ok());
  }

 private:
  Visits& visits_;
};

Visits::Visits(Timeouts& timeouts, const VisitsSettings& settings, Postgres& primary, AppCounters& counters)
    : timeouts_(timeouts.add_class()),
      settings_(settings),
      primary_(primary),
      counters_(counters),
      timer_(Timeout::calling<&Visits::on_timer>(this)),
      instance_(random_uuid()) {}

void Visits::count(std::string_view code) {
  const auto known = waiting_.find(code);
  if (known != waiting_.end()) {
    ++known->second;
  } else if (waiting_.size() < settings_.codes_max) {
    waiting_.emplace(code, 1);
  } else {
    counters_[AppCounter::VisitsDropped].add();
    return;
  }
  counters_[AppCounter::VisitsCounted].add();
  if (!timer_.is_armed() && !is_in_flight_) timeouts_.arm(timer_, settings_.flush_interval);
}

void Visits::drain(std::function<void()> done) {
  drained_ = std::move(done);
  timer_.disarm();
  if (!is_in_flight_) on_timer();
}

void Visits::on_timer() {
  if (!is_in_flight_) flush();
}

void Visits::flush() {
  if (batch_.empty()) {
    for (auto at = waiting_.begin(); at != waiting_.end() && batch_.size() < kBatchMax; at = waiting_.erase(at)) {
      batch_.emplace_back(at->first, at->second);
    }
    if (batch_.empty()) {
      if (drained_) std::exchange(drained_, nullptr)();
      return;
    }
    ++sequence_;
  }
  if (!primary_.is_available() && !drained_) {
    timeouts_.arm(timer_, settings_.flush_interval);
    return;
  }
  is_in_flight_ = true;
  primary_.send(std::make_unique<Batch>(*this), settings_.deadline);
}

void Visits::on_answer(bool is_counted) {
  is_in_flight_ = false;
  if (is_counted) {
    for (const auto& [code, count] : batch_) counters_[AppCounter::VisitsFlushed].add(count);
    batch_.clear();
    if (drained_ || waiting_.size() >= kBatchMax) return flush();
  }
  if (!is_counted || !waiting_.empty()) timeouts_.arm(timer_, settings_.flush_interval);
}

}  // namespace holdfast::app
