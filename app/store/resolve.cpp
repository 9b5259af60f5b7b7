#include "app/store/resolve.h"

#include <uv.h>
#include <array>

namespace holdfast::app {
namespace {

constexpr std::size_t kAddressesMax = 8;

}  // namespace

bool is_resolved(const std::string& host) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return true;
  std::array<unsigned char, sizeof(in6_addr)> unused{};
  return uv_inet_pton(AF_INET, host.c_str(), unused.data()) == 0 ||
         uv_inet_pton(AF_INET6, host.c_str(), unused.data()) == 0;
}

std::vector<std::string> in_numbers(const std::vector<Address>& addresses) {
  std::vector<std::string> numbers;
  for (const Address& address : addresses) {
    if (numbers.size() < kAddressesMax) numbers.push_back(address.host());
  }
  return numbers;
}

}  // namespace holdfast::app
