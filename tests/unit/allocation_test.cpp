// Once warm, a request through lb allocates nothing, with the access log or without: operator new is counted on the
// worker's thread over 1,000 of them.
// A program of its own, since it replaces operator new: the form that doesn't throw too, which std::stable_sort uses,
// or AddressSanitizer's would meet our delete.
#include "lb/worker.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::atomic<bool> is_counting{false};
std::atomic<std::uint64_t> allocations{0};
thread_local bool is_uncounted = false;  // this thread is a client or a server of the test

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  if (is_counting.load(std::memory_order_relaxed) && !is_uncounted) allocations.fetch_add(1);
  return std::malloc(bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace holdfast;
using namespace holdfast::lb;

constexpr std::string_view kAnswer =
    "HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nServer: test\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kRequest =
    "GET /abc1234 HTTP/1.1\r\nHost: test.example\r\nUser-Agent: test\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n";

void must(bool is_well, const char* what) {
  if (is_well) return;
  std::fprintf(stderr, "allocation_test: %s\n", what);
  std::_Exit(1);
}

/// A listening socket on a free port of loopback.
int listen_somewhere(Address& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const Address any = *Address::parse("127.0.0.1:0");
  must(::bind(fd, any.raw(), any.raw_bytes()) == 0 && ::listen(fd, 64) == 0, "can't listen");
  address = Address::local_of(fd);
  return fd;
}

/// Answers every request on every connection, one thread each, until the process ends.
void serve(int listener) {
  is_uncounted = true;
  for (;;) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection < 0) return;
    std::thread([connection] {
      is_uncounted = true;
      char buffer[4096];
      std::size_t held = 0;
      for (;;) {
        const ssize_t count = ::recv(connection, buffer + held, sizeof buffer - held, 0);
        if (count <= 0) break;
        held += static_cast<std::size_t>(count);
        if (!std::string_view(buffer, held).ends_with("\r\n\r\n")) continue;
        held = 0;
        if (::send(connection, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) break;
      }
      ::close(connection);
    }).detach();
  }
}

void ask(int connection, int times) {
  char buffer[4096];
  for (int i = 0; i < times; ++i) {
    must(::send(connection, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) > 0, "can't send");
    std::size_t held = 0;
    while (!std::string_view(buffer, held).ends_with("hello")) {
      const ssize_t count = ::recv(connection, buffer + held, sizeof buffer - held, 0);
      must(count > 0, "no answer");
      held += static_cast<std::size_t>(count);
    }
  }
}

/// How often the worker allocates in 1,000 requests; `format`: of the access log, null for none.
std::uint64_t count_allocations(const AccessFormat* format) {
  Settings settings;
  PoolSettings pool;
  pool.name = "test";
  for (int i = 0; i < 2; ++i) {
    ServerSettings server;
    const int listener = listen_somewhere(server.address);
    server.name = server.authority = server.address.text();
    pool.servers.push_back(server);
    std::thread(serve, listener).detach();
  }
  settings.pools.push_back(pool);
  settings.routes = {{"*.example", "/abc1234", "test"}};
  const auto snapshot = make_snapshot(settings, 1);
  for (const auto& server : snapshot->pools.front()->servers()) server->publish(State::Healthy);
  Admission admission(settings.limits, 1);
  std::unique_ptr<AccessLog> access_log;
  if (format != nullptr) {
    auto opened = AccessLog::open({.to = "/dev/null", .format = *format}, 1);
    must(opened.has_value(), "can't open the access log");
    access_log = std::move(*opened);
  }
  Worker worker(0, 1, snapshot, admission, access_log != nullptr ? &access_log->channel(0) : nullptr, [] {});
  const auto address = worker.listen(*Address::parse("127.0.0.1:0"));
  must(address.has_value(), "lb can't listen");
  worker.start([] {});

  const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
  must(::connect(connection, address->raw(), address->raw_bytes()) == 0, "can't connect");
  ask(connection, 200);  // warm
  allocations = 0;
  is_counting = true;
  ask(connection, 1000);
  is_counting = false;
  ::close(connection);
  worker.stop();
  worker.join();
  if (access_log != nullptr) must(access_log->channel(0).lines.value() == 1200, "not every request has a line");
  return allocations.load();
}

bool is_well(const char* name, const AccessFormat* format) {
  const std::uint64_t count = count_allocations(format);
  std::printf("access log %s: 1000 requests, %llu allocations\n", name, static_cast<unsigned long long>(count));
  return count == 0;
}

}  // namespace

int main() {
  is_uncounted = true;
  const AccessFormat json = AccessFormat::Json;
  const AccessFormat combined = AccessFormat::Combined;
  const bool is_off_well = is_well("off", nullptr);
  const bool is_json_well = is_well("as JSON", &json);
  const bool is_combined_well = is_well("combined", &combined);
  return is_off_well && is_json_well && is_combined_well ? 0 : 1;
}
