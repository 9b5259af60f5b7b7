#include "common/net/inherited.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 1024;

struct Inherited {
  Address address;
  int fd;
};

std::vector<Inherited>& sockets() {
  static std::vector<Inherited> all;
  return all;
}

/// The number that a variable has, and no variable any more.
std::optional<int> take_number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view view = text;
  int number = 0;
  const auto [end, problem] = std::from_chars(view.data(), view.data() + view.size(), number);
  const bool is_number = problem == std::errc{} && end == view.data() + view.size();
  unsetenv(name);
  return is_number ? std::optional(number) : std::optional(-1);
}

bool is_listening(int fd) {
  int answer = 0;
  socklen_t bytes = sizeof answer;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &answer, &bytes) == 0 && answer == 1;
}

std::vector<Inherited>::iterator find(const Address& address) {
  return std::find_if(sockets().begin(), sockets().end(), [&address](const Inherited& one) {
    return one.address == address || (address.port() == 0 && one.address.with_port(0) == address);
  });
}

}  // namespace

std::size_t adopt_inherited_sockets() {
  const auto count = take_number("LISTEN_FDS");
  const auto pid = take_number("LISTEN_PID");
  unsetenv("LISTEN_FDNAMES");
  if (!count || (pid && *pid != getpid())) return 0;
  for (int fd = kFirst; fd < kFirst + std::min(*count, kMost); ++fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!is_listening(fd)) continue;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockets().push_back({Address::local_of(fd), fd});
  }
  return sockets().size();
}

bool has_inherited_socket(const Address& address) { return find(address) != sockets().end(); }

std::optional<int> take_inherited_socket(const Address& address) {
  const auto found = find(address);
  if (found == sockets().end()) return std::nullopt;
  const int fd = found->fd;
  sockets().erase(found);
  return fd;
}

std::size_t inherited_sockets_left() { return sockets().size(); }

}  // namespace holdfast
