// Which server gets the next attempt: smooth weighted round robin, each worker for itself.
// Thread: worker.
#pragma once

#include "lb/pool/server.h"

#include <cstdint>
#include <span>
#include <vector>

namespace holdfast::lb {

struct Pick {
  Server* server = nullptr;  // null: none may get a request now
  bool is_repeat = false;    // all that may were tried already by this exchange
};

class RoundRobin {
 public:
  /// Workers begin at different servers, so that the first requests of many workers do not all meet one.
  RoundRobin(ServerPool& pool, std::size_t worker, std::size_t worker_count);

  /// `tried[i]` is not 0 where server i has had an attempt. Best first: healthy and untried, unknown and untried,
  /// healthy, unknown. Among equals, weights decide.
  Pick pick(std::span<const std::uint8_t> tried);
  /// True where a server that may get requests has had no attempt yet.
  bool has_untried(std::span<const std::uint8_t> tried) const;

 private:
  ServerPool& pool_;
  std::vector<long> credit_;  // by server; the highest is next (nginx's smooth weighted round robin)
};

}  // namespace holdfast::lb
