#include "lb/access_log/recent_requests.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

namespace {

struct Told {
  AttemptNotes attempts;
  RequestTexts texts;

  AccessEntry answered(std::string_view id = "id") {
    texts.keep(head, "192.0.2.1");
    return {.request_id = id, .texts = &texts, .attempts = &attempts, .status = 200, .outcome = "answered"};
  }
  RequestHead head;
};

std::string ids(const RecentRequests& recent, std::size_t count_max, bool only_troubled = false) {
  std::string all;
  for (const RecentRequest& one : recent.newest(count_max, only_troubled)) {
    const auto begin = one.json.find("\"request_id\":\"") + 14;
    all += one.json.substr(begin, one.json.find('"', begin) - begin) + ' ';
  }
  return all;
}

}  // namespace

TEST_CASE("what went well at once is not troubled, nor is a tunnel, a hedge, or what was no request") {
  Told told;
  AccessEntry entry = told.answered();
  CHECK_FALSE(is_troubled(entry));
  told.attempts.add("s1").result = AttemptResult::Outrun;
  CHECK_FALSE(is_troubled(entry));
  AttemptNote& hedge = told.attempts.add("s2");
  hedge.is_hedge = true;
  CHECK_FALSE(is_troubled(entry));
  entry.outcome = "tunnelled";
  entry.duration = 1h;
  CHECK_FALSE(is_troubled(entry));
  CHECK_FALSE(is_troubled({.status = 400, .outcome = "refused", .reason = "bad_request"}));
}

TEST_CASE("what failed, was repeated, slow, or answered with a server's error is troubled") {
  for (const std::string_view outcome : {"local_error", "cut", "client_gone"}) {
    Told told;
    AccessEntry entry = told.answered();
    entry.outcome = outcome;
    CHECK(is_troubled(entry));
  }
  Told told;
  AccessEntry entry = told.answered();
  entry.status = 500;
  CHECK(is_troubled(entry));
  entry.status = 499;
  CHECK_FALSE(is_troubled(entry));
  entry.duration = 1s;
  CHECK(is_troubled(entry));
  entry.duration = 999ms;
  CHECK_FALSE(is_troubled(entry));
  told.attempts.add("s1").result = AttemptResult::Reset;
  told.attempts.add("s2").result = AttemptResult::Ok;
  CHECK(is_troubled(entry));
}

TEST_CASE("the newest come first, and what did not go well is not pushed out by what did") {
  Told told;
  RecentRequests recent(3);
  AccessEntry bad = told.answered("bad");
  bad.outcome = "cut";
  recent.keep(bad, TimePoint(0ms));
  for (int i = 1; i <= 5; ++i) recent.keep(told.answered("good" + std::to_string(i)), TimePoint(i * 10ms));
  CHECK(ids(recent, 100) == "good5 good4 good3 bad ");
  CHECK(ids(recent, 2) == "good5 good4 ");
  CHECK(ids(recent, 100, true) == "bad ");
}

TEST_CASE("of what goes well and comes thick a sample is kept; of what does not, all") {
  Told told;
  RecentRequests recent(100);
  const auto see = [&recent](const AccessEntry& entry, TimePoint now) {
    if (recent.wants(entry, now)) recent.keep(entry, now);
  };
  for (int i = 0; i < 50; ++i) see(told.answered(), TimePoint(20ms + i * 1ms));
  CHECK(recent.newest(100, false).size() == 5);
  AccessEntry bad = told.answered();
  bad.outcome = "local_error";
  for (int i = 0; i < 50; ++i) see(bad, TimePoint(70ms));
  CHECK(recent.newest(100, true).size() == 50);
}

TEST_CASE("none are kept where none are wanted") {
  Told told;
  RecentRequests recent(0);
  CHECK_FALSE(recent.is_on());
  CHECK_FALSE(recent.wants(told.answered(), TimePoint(1h)));
}

TEST_CASE("what was not kept of a request is read from the head that went to a server") {
  RequestTexts texts;
  texts.keep_written(
      "GET /a?b=c HTTP/1.1\r\nhost: a.example\r\nuser-agent: curl/7\r\nX-Forwarded-For: 192.0.2.7, 198.51.100.2\r\n"
      "Referer: https://r.example/\r\nHostile: x\r\n",
      "192.0.2.9", Version::Http10);
  CHECK(texts.method() == "GET");
  CHECK(texts.target() == "/a?b=c");
  CHECK(texts.host() == "a.example");
  CHECK(texts.user_agent() == "curl/7");
  CHECK(texts.referer() == "https://r.example/");
  CHECK(texts.client() == "192.0.2.9");
  CHECK(texts.version() == Version::Http10);
  texts.keep_written("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1", Version::Http11);
  CHECK(texts.client() == "198.51.100.1");
  CHECK(texts.user_agent().empty());
  texts.keep_written("", "198.51.100.1", Version::Http11);
  CHECK(texts.client() == "198.51.100.1");
}
