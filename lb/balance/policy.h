// Which server gets the next attempt. One class for all policies: a pick is a pass over the servers that finds the
// best rank, and one among those that have it, by the policy.
// Thread: worker; each worker has its own, and what it needs of the others it reads from their counters.
#pragma once

#include "lb/balance/hash_key.h"
#include "lb/pool/server.h"

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace holdfast::lb {

struct Pick {
  Server* server = nullptr;  // null: none may get a request now, or those that may are full
  std::size_t index = 0;     // its place in the pool
  bool is_repeat = false;    // all that may were tried already by this exchange
};

/// What a pick knows of the exchange.
struct PickFacts {
  std::span<const std::uint8_t> tried;  // tried[i] is not 0 where server i has had an attempt
  std::uint64_t key = 0;                // Balancer::key()
};

class Balancer {
 public:
  /// Workers begin at different servers, so that the first requests of many workers do not all meet one.
  Balancer(ServerPool& pool, std::size_t worker, std::size_t worker_count);

  /// What `hash` goes by; taken once for a request, so that its attempts agree. A request that has no such key gets
  /// one at random. 0 for the other policies.
  std::uint64_t key(const RequestHead& head, std::string_view client);

  /// Best first: healthy and untried, unknown and untried, healthy, unknown; backup servers only where no other is
  /// healthy. Among equals the policy decides.
  Pick pick(const PickFacts& facts);
  /// How many servers that may get requests have had no attempt yet.
  std::size_t untried_count(std::span<const std::uint8_t> tried) const;
  bool has_untried(std::span<const std::uint8_t> tried) const { return untried_count(tried) > 0; }
  /// True where some server may get requests.
  bool has_available() const;

 private:
  struct Candidates {
    int rank;
    std::uint64_t total = 0;  // of their shares
    std::size_t count = 0;
    bool are_even = true;  // all of one share
  };
  Candidates rank_all(std::span<const std::uint8_t> tried);
  bool is_candidate(std::size_t index, const Candidates& among) const { return ranks_[index] == among.rank; }
  std::size_t round_robin(const Candidates& among);
  std::size_t at_random(const Candidates& among);
  std::size_t least_requests(const Candidates& among);
  std::size_t by_hash(const Candidates& among, std::uint64_t key) const;
  /// The candidate at `at` of their shares laid end to end, leaving out `but`.
  std::size_t at_share(const Candidates& among, std::uint64_t at, std::size_t but) const;

  ServerPool& pool_;
  PolicySettings settings_;
  std::size_t start_ = 0;             // where this worker's rounds begin
  std::vector<std::int64_t> credit_;  // by server; the highest is next (nginx's smooth weighted round robin)
  std::vector<std::uint64_t> seeds_;  // by server: a hash of its name, so that its place in the list does not matter
  std::vector<std::uint8_t> ranks_;   // by server, of the pick under way
  std::mt19937_64 dice_;
};

}  // namespace holdfast::lb
