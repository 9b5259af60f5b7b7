#include "app/clicks/recorder.h"

#include "app/clicks/user_agent.h"

#include <doctest/doctest.h>

#include <stdlib.h>
#include <filesystem>
#include <set>

using namespace holdfast;
using namespace holdfast::app;

namespace {

Address at(std::string_view text) { return Address::parse(text).value(); }

std::string referrer_host(std::string_view referrer) {
  std::string host;
  append_referrer_host(host, referrer);
  return host;
}

constexpr std::string_view kId = "00112233445566778899aabbccddeeff";

/// What the journal has of a request with these fields, by way of keep() or at once.
Click recorded(const RecorderSettings& settings, const ClickOrigin& origin, std::string& memory, bool is_kept) {
  char folder[] = "/tmp/holdfast-recorder-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  Click click;
  {
    auto journal = Journal::open({.folder = folder});
    REQUIRE(journal.has_value());
    Loop loop;
    const std::vector<Field> fields{
        {.name = "User-Agent", .value = "Mozilla/5.0 (X11; Linux x86_64)", .id = FieldId::Other},
        {.name = "referer", .value = "https://News.example/x", .id = FieldId::Other},
        {.name = "DNT", .value = "1", .id = FieldId::Other},
        {.name = "X-Request-ID", .value = kId, .id = FieldId::XRequestId}};
    RequestHead head;
    head.fields = fields;
    const Address peer = at("127.0.0.1:5");
    const HttpRequest request{.head = head, .path = "/abc", .query = {}, .body = {}, .client = peer};
    ClickRecorder recorder(loop, settings, journal->get());
    if (is_kept) {
      KeptClick kept = recorder.keep(request, origin);
      recorder.record(kept, "abc");
    } else {
      recorder.record(request, origin, "abc");
    }
    loop.output().flush_all();
    JournalReader reader(**journal);
    ClickSource source;
    Frame frame;
    REQUIRE(reader.next(source, frame));
    memory = frame.records;
    std::string_view rest = memory;
    click = take_record(rest).value();
  }
  std::filesystem::remove_all(folder);
  return click;
}

}  // namespace

TEST_CASE("a click tells where it came from and by what, at once or later, and its request where a proxy says so") {
  std::string memory;
  for (const bool is_kept : {false, true}) {
    const Click click = recorded({}, {.client = at("203.0.113.77:80"), .is_by_proxy = true}, memory, is_kept);
    CHECK(click.code == "abc");
    CHECK(click.referrer == "news.example");
    CHECK(click.device == Device::Desktop);
    CHECK(click.address.text() == "203.0.113.0/24");
    CHECK(click.visitor != 0);
    CHECK(click.request == id_from_text(kId));
    CHECK(click.at_ms > 1'700'000'000'000);
  }
  CHECK_FALSE(recorded({}, {.client = at("203.0.113.77:80")}, memory, false).request.has_value());
}

TEST_CASE("an address is kept by config alone, and of who asks for privacy nothing is kept but the click") {
  std::string memory;
  const ClickOrigin origin{.client = at("203.0.113.77:80"), .is_by_proxy = true};
  const Click without = recorded({.keeps_address = false}, origin, memory, false);
  CHECK(without.address.text().empty());
  CHECK(without.visitor != 0);
  const Click quiet = recorded({.honours_dnt = true}, origin, memory, false);
  CHECK(quiet.code == "abc");
  CHECK(quiet.request.has_value());
  CHECK(quiet.address.text().empty());
  CHECK(quiet.visitor == 0);
  CHECK(quiet.referrer.empty());
}

TEST_CASE("an address is shortened to its /24 or /48") {
  CHECK(shortened(at("203.0.113.77:80")).text() == "203.0.113.0/24");
  CHECK(shortened(at("[2001:db8:aaaa:bbbb::1]:80")).text() == "2001:db8:aaaa::/48");
  CHECK(shortened(at("[::ffff:203.0.113.77]:80")).text() == "203.0.113.0/24");
}

TEST_CASE("of a referrer only its host is kept, and only where it is one") {
  CHECK(referrer_host("https://News.Example/item?id=1") == "news.example");
  CHECK(referrer_host("https://www.example.com:8443/") == "example.com");
  CHECK(referrer_host("http://user:pw@example.com#x") == "example.com");
  CHECK(referrer_host("android-app://com.example.mail/") == "com.example.mail");
  for (const char* bad : {"", "nonsense", "http://", "https://a b/", "https://\xff.example/", "https://a<script>/"}) {
    CHECK(referrer_host(bad).empty());
  }
  CHECK(referrer_host("https://" + std::string(300, 'a') + "/").empty());
}

TEST_CASE("devices and bots are told by the words of their user agents") {
  struct Row {
    const char* user_agent;
    Device device;
  };
  const Row rows[] = {
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
       Device::Desktop},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
       Device::Desktop},
      {"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", Device::Desktop},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
       Device::Mobile},
      {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36", Device::Mobile},
      {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36", Device::Tablet},
      {"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", Device::Tablet},
      {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Device::Bot},
      {"facebookexternalhit/1.1", Device::Bot},
      {"curl/8.5.0", Device::Bot},
      {"Python-urllib/3.11", Device::Bot},
      {"http.rb/5.1.1 (Mastodon/4.2.1; +https://mastodon.social/)", Device::Bot},
      {"", Device::Bot},
      {"something else", Device::Other},
  };
  for (const Row& row : rows) {
    CAPTURE(row.user_agent);
    CHECK(device_of(row.user_agent) == row.device);
    CHECK(device_of_cached(row.user_agent) == row.device);
    CHECK(device_of_cached(row.user_agent) == row.device);
  }
}

TEST_CASE("a visitor's mark is the same within a day, another on the next, and spread over all registers") {
  const ShortAddress here = shortened(at("203.0.113.5:1"));
  constexpr std::int64_t kDay = 86'400'000;
  CHECK(visitor_mark(here, "agent", 20'000 * kDay) == visitor_mark(here, "agent", 20'000 * kDay + kDay - 1));
  std::set<int> registers;
  std::set<std::uint16_t> days;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint16_t mark = visitor_mark(here, "agent " + std::to_string(i), 20'000 * kDay);
    registers.insert(mark >> 6);
    CHECK((mark & 63) >= 1);
    CHECK((mark & 63) <= 55);
    if (i < 20) days.insert(visitor_mark(here, "agent", (20'000 + i) * kDay));
  }
  CHECK(registers.size() == 1024);
  CHECK(days.size() > 10);
}
