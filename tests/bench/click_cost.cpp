// What recording a click costs the loop: from a request's head to its bytes in the journal, with so many requests a
// turn. The least of many chunks, so that what else runs on the machine does not count. Built by name alone: cmake
// --build build/release --target click_cost && build/release/bin/click_cost
#include "app/clicks/recorder.h"
#include "app/http/client_address.h"

#include <fmt/core.h>
#include <stdlib.h>
#include <time.h>
#include <algorithm>
#include <filesystem>

namespace {

using namespace holdfast;
using namespace holdfast::app;

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

}  // namespace

int main() {
  char folder[] = "/tmp/click-cost-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 1;
  {
    const auto journal = Journal::open({.folder = folder, .bytes_max = std::size_t{256} << 20});
    if (!journal) return 1;
    Loop loop;
    const std::vector<Network> trusted{Network::parse("127.0.0.0/8").value(), Network::parse("::1/128").value()};
    const std::vector<Field> fields{
        {.name = "Host", .value = "s.example", .id = FieldId::Host},
        {.name = "User-Agent",
         .value = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
         .id = FieldId::Other},
        {.name = "Accept", .value = "text/html", .id = FieldId::Other},
        {.name = "Accept-Language", .value = "en", .id = FieldId::Other},
        {.name = "Referer", .value = "https://news.example/item?id=1", .id = FieldId::Other},
        {.name = "X-Forwarded-For", .value = "203.0.113.77", .id = FieldId::XForwardedFor},
        {.name = "X-Request-ID", .value = "00112233445566778899aabbccddeeff", .id = FieldId::XRequestId}};
    RequestHead head;
    head.fields = fields;
    const Address peer = Address::parse("127.0.0.1:5000").value();
    const HttpRequest request{.head = head, .path = "/abcdefg", .query = {}, .body = {}, .client = peer};
    const RecorderSettings settings;
    ClickRecorder recorder(loop, settings, journal->get());
    for (const int a_turn : {1, 8, 64}) {
      double best = 1e9;
      for (int chunk = 0; chunk < 400; ++chunk) {
        const double began = cpu_us();
        for (int turn = 0; turn < 1024 / a_turn; ++turn) {
          for (int i = 0; i < a_turn; ++i) {
            recorder.record(request, {.client = client_of(request, trusted), .is_by_proxy = true}, "abcdefg");
          }
          loop.output().flush_all();
        }
        best = std::min(best, (cpu_us() - began) / (1024 / a_turn * a_turn));
      }
      fmt::print("{:>2} clicks a turn: {:.2f} µs CPU a click\n", a_turn, best);
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}
