// Do a pool's servers honour Idempotency-Key? The same POST twice, with one key, to two of them where there are two:
// who answers the two differently would execute twice what is repeated. Thread: control, at start-up.
#pragma once

#include "common/http/client.h"
#include "lb/pool/server.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::lb {

/// An answer, as far as it is compared.
struct KeyedAnswer {
  int status = 0;
  std::string body;
};

/// Why keys must not be assigned; nothing where the two answers look like one execution. Pure.
std::optional<std::string> judge_idempotency(const KeyedAnswer& first, const KeyedAnswer& second);

class IdempotencyProbe final : private HttpCall::User {
 public:
  /// What came of it: servers that may be trusted, a reason not to, or nobody who answered.
  struct Finding {
    std::optional<std::string> objection;
    std::optional<std::string> unanswered;
  };
  using Done = std::function<void(const Finding& finding)>;

  IdempotencyProbe(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, const ServerPool& pool, Done done);
  /// Asks; `done` is called later, once.
  void start();
  const ServerPool& pool() const { return pool_; }

 private:
  void on_answer(const Result<HttpAnswer>& answer) override;
  void ask(const Server& server);

  const ServerPool& pool_;
  const IdempotencyProbeSettings& settings_;
  Done done_;
  HttpCall call_;
  std::string key_;
  std::vector<const Server*> servers_;  // whom to ask
  std::optional<KeyedAnswer> first_;
  std::size_t asked_ = 0;
};

}  // namespace holdfast::lb
