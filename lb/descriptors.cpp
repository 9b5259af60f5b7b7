#include "lb/descriptors.h"

#include <sys/resource.h>
#include <algorithm>

namespace holdfast::lb {
namespace {

/// stdin to stderr, logs, certificates, a name that is looked up, the next process at an upgrade.
constexpr std::size_t kProcess = 32;
/// A loop's own (epoll, wake-up, signals), and a worker's listener.
constexpr std::size_t kEachLoop = 8;
constexpr std::size_t kAdminMax = 100;
/// One in so many of the clients' may need a second connection to a server for a moment: a retry, a hedge.
constexpr std::size_t kSpareOneIn = 16;
constexpr std::size_t kClientsMin = 4;

}  // namespace

Result<DescriptorShares> share_descriptors(std::size_t files, const Settings& settings, std::size_t worker_count) {
  DescriptorShares shares;
  shares.admin = std::clamp<std::size_t>(files / 8, 4, kAdminMax);
  std::size_t endpoints = 0;
  std::size_t idle_asked = 0;  // the largest of any pool
  for (const PoolSettings& pool : settings.pools) {
    for (const ServerSettings& server : pool.servers) endpoints += slots_of(server, pool.dns).size();
    idle_asked = std::max(idle_asked, pool.connections.max_idle);
  }
  const std::size_t probes = endpoints;
  endpoints *= worker_count;
  // Idle connections to servers may take an eighth: they only save time.
  shares.idle_each = endpoints == 0 ? 0 : std::min(idle_asked, files / 8 / endpoints);
  const std::size_t taken =
      kProcess + kEachLoop * (worker_count + 1) + shares.admin + probes + shares.idle_each * endpoints;
  const std::size_t left = files > taken ? files - taken : 0;
  shares.clients = std::min(settings.limits.connections, (left - left / kSpareOneIn) / 2);
  if (shares.clients < std::min(kClientsMin, settings.limits.connections)) {
    return failure(Code::TooMany, Side::Self, "too few file descriptors to serve anybody");
  }
  return shares;
}

std::size_t raise_file_limit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<std::size_t>(files.rlim_cur);
}

}  // namespace holdfast::lb
