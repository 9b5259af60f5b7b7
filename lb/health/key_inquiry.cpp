#include "lb/health/key_inquiry.h"

#include "common/log.h"

#include <utility>

namespace holdfast::lb {

using Fields = log::Fields;

bool wants_key_inquiry(const PoolSettings& pool) {
  return pool.retry.assign_idempotency_key && !pool.retry.idempotency_probe.uri.empty();
}

void KeyInquiry::start(std::vector<std::shared_ptr<ServerPool>> pools, Done done) {
  probes_.clear();  // of the last time; nothing of it is on the stack
  pools_ = std::move(pools);
  done_ = std::move(done);
  asked_ = 0;
  ask_next();
}

void KeyInquiry::ask_next() {
  if (asked_ == pools_.size()) return std::exchange(done_, nullptr)(std::nullopt);
  probes_.push_back(
      std::make_unique<IdempotencyProbe>(loop_, timeouts_, scratch_, *pools_[asked_],
                                         [this](const IdempotencyProbe::Finding& finding) { on_found(finding); }));
  probes_.back()->start();
}

void KeyInquiry::on_found(const IdempotencyProbe::Finding& finding) {
  const ServerPool& pool = *pools_[asked_];
  if (finding.objection) {
    return std::exchange(done_, nullptr)("pool " + pool.name() + ": keys must not be assigned: " + *finding.objection);
  }
  if (finding.unanswered) {
    log::warn("nobody could be asked about keys", Fields{{"pool", pool.name()}, {"why", *finding.unanswered}});
  } else {
    log::info("keys are honoured", Fields{{"pool", pool.name()}});
  }
  ++asked_;
  ask_next();
}

}  // namespace holdfast::lb
