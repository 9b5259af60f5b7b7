#include "app/clicks/recorder.h"

#include "app/clicks/user_agent.h"

#include <doctest/doctest.h>

#include <set>

using namespace holdfast;
using namespace holdfast::app;

namespace {

Address at(std::string_view text) { return Address::parse(text).value(); }

std::vector<Network> networks(std::initializer_list<std::string_view> texts) {
  std::vector<Network> all;
  for (const std::string_view text : texts) all.push_back(Network::parse(text).value());
  return all;
}

std::string referrer_host(std::string_view referrer) {
  std::string host;
  append_referrer_host(host, referrer);
  return host;
}

}  // namespace

TEST_CASE("the client is the right-most address that is no proxy of ours; others are not believed") {
  const auto trusted = networks({"127.0.0.0/8", "10.0.0.0/8"});
  const auto client = [&](std::string_view peer, std::string_view forwarded) {
    return client_behind(at(peer), forwarded, trusted).host();
  };
  CHECK(client("203.0.113.5:1", "198.51.100.1") == "203.0.113.5");
  CHECK(client("127.0.0.1:1", "198.51.100.1") == "198.51.100.1");
  CHECK(client("127.0.0.1:1", "192.0.2.66, 198.51.100.1, 10.1.2.3") == "198.51.100.1");
  CHECK(client("127.0.0.1:1", "10.9.9.9 , 10.1.2.3") == "10.9.9.9");
  CHECK(client("127.0.0.1:1", "nonsense, 10.1.2.3") == "10.1.2.3");
  CHECK(client("127.0.0.1:1", "198.51.100.1:4711") == "198.51.100.1");
  CHECK(client("127.0.0.1:1", "[2001:db8::7]:80") == "2001:db8::7");
  CHECK(client("127.0.0.1:1", "2001:db8::7") == "2001:db8::7");
  CHECK(client("127.0.0.1:1", "") == "127.0.0.1");
  CHECK(client("127.0.0.1:1", "[") == "127.0.0.1");
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
