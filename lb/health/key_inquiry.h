// Whether the pools that want idempotency keys assigned have servers that honour them: asked before anybody is served
// by such a configuration. Thread: control.
#pragma once

#include "lb/health/idempotency_probe.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::lb {

/// The pool asks for it: retry.assign_idempotency_key with an idempotency_probe.
bool wants_key_inquiry(const PoolSettings& pool);

class KeyInquiry {
 public:
  /// Why keys must not be assigned; nothing where no server spoke against it.
  using Done = std::function<void(const std::optional<std::string>& objection)>;

  KeyInquiry(Loop& loop, TimeoutClass& timeouts) : loop_(loop), timeouts_(timeouts) {}

  /// Asks `pools` one after the other. `done` is called once: at once where there are none, else later. One at a time.
  void start(std::vector<std::shared_ptr<ServerPool>> pools, Done done);
  /// `done` is not called any more.
  void cancel() { probes_.clear(); }

 private:
  void ask_next();
  void on_found(const IdempotencyProbe::Finding& finding);

  Loop& loop_;
  TimeoutClass& timeouts_;
  HeadScratch scratch_;
  std::vector<std::shared_ptr<ServerPool>> pools_;
  std::size_t asked_ = 0;
  std::vector<std::unique_ptr<IdempotencyProbe>> probes_;
  Done done_;
};

}  // namespace holdfast::lb
