#include "lb/preflight.h"

#include "common/net/listener.h"
#include "lb/access_log/access_log.h"
#include "lb/descriptors.h"

#include <algorithm>
#include <string_view>
#include <thread>

namespace holdfast::lb {
namespace {

/// The line for `value` of `key`.
std::string error_of(std::string_view key, std::string_view value, const Error& error, std::string_view advice) {
  return std::string(key) + ": '" + std::string(value) + "': " + std::string(error.why) + "; " + std::string(advice);
}

}  // namespace

std::vector<std::string> preflight_errors(const Settings& settings, PortCheck ports) {
  std::vector<std::string> errors;
  const auto check_address = [&errors, ports](std::string_view key, const Address& address) {
    if (!address.is_set()) return;
    const auto free = check_address_free(ports == PortCheck::Check ? address : address.with_port(0));
    if (free) return;
    const bool is_used = free.error().code == Code::AddressInUse;
    errors.push_back(
        error_of(key, address.text(), free.error(),
                 is_used ? "stop the process that owns the port, or choose another port" : "choose another address"));
  };
  check_address("listen", settings.listen);
  check_address("admin.listen", settings.admin);
  if (const auto log = AccessLog::check(settings.access_log); !log) {
    errors.push_back(error_of("log.access", settings.access_log.to, log.error(), "choose another file, or off"));
  }
  const std::size_t worker_count =
      settings.workers != 0 ? settings.workers : std::max(1U, std::thread::hardware_concurrency());
  const std::size_t files = raise_file_limit();
  if (const auto shares = share_descriptors(files, settings, worker_count); !shares) {
    errors.push_back("workers: " + std::to_string(worker_count) + " need more than " + std::to_string(files) +
                     " file descriptors; raise the limit of open files (LimitNOFILE)");
  }
  return errors;
}

}  // namespace holdfast::lb
