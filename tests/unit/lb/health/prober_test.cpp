#include "lb/health/prober.h"

#include <doctest/doctest.h>

using namespace holdfast;
using namespace holdfast::lb;
using namespace std::chrono_literals;

TEST_CASE("a verdict needs results in a row, in both directions") {
  ProbeVerdict verdict(2, 3);
  CHECK(verdict.verdict() == Probe::Unknown);
  CHECK_FALSE(verdict.add(true));
  CHECK(verdict.is_in_doubt());
  CHECK(verdict.add(true));
  CHECK(verdict.verdict() == Probe::Passing);
  for (int i = 0; i < 10; ++i) {  // never three in a row
    verdict.add(false);
    verdict.add(false);
    CHECK(verdict.is_in_doubt());
    verdict.add(true);
    CHECK(verdict.verdict() == Probe::Passing);
  }
  verdict.add(false);
  verdict.add(false);
  CHECK(verdict.add(false));
  CHECK(verdict.verdict() == Probe::Failing);
  CHECK_FALSE(verdict.is_in_doubt());
  verdict.add(true);
  verdict.add(false);
  verdict.add(true);
  CHECK(verdict.verdict() == Probe::Failing);
  CHECK(verdict.add(true));
}

TEST_CASE("a decisive failure needs no other before it, and a pass brings back as ever") {
  ProbeVerdict verdict(1, 3);
  verdict.add(true);
  CHECK(verdict.add(false, true));
  CHECK(verdict.verdict() == Probe::Failing);
  CHECK(verdict.add(true));
  CHECK_FALSE(verdict.add(true, true));
  CHECK(verdict.verdict() == Probe::Passing);
}

TEST_CASE("an answer is judged by its status and its body") {
  HealthSettings settings;
  settings.uri = "/h";
  settings.status = {{200, 299}, {401, 401}};
  const auto judged = [&](int status, std::string_view body) {
    return judge_probe(settings, HttpAnswer{.status = status, .body = body}, 1500us).result;
  };
  CHECK(judged(200, "") == ProbeResult::Pass);
  CHECK(judged(401, "") == ProbeResult::Pass);
  CHECK(judged(302, "") == ProbeResult::Status);
  CHECK(judged(503, "") == ProbeResult::Status);
  settings.body = "well";
  CHECK(judged(200, "all is well") == ProbeResult::Pass);
  CHECK(judged(200, "all is not") == ProbeResult::Body);
  CHECK(judge_probe(settings, HttpAnswer{.status = 503, .body = {}}, 1500us).text == "GET /h: 503 in 1.5 ms");
}

TEST_CASE("what kept an answer from coming has its word") {
  const HealthSettings settings;
  const auto judged = [&](Code code) {
    return judge_probe(settings, failure(code, Side::Upstream, "why"), 1ms).result;
  };
  CHECK(judged(Code::Refused) == ProbeResult::Refused);
  CHECK(judged(Code::Timeout) == ProbeResult::Timeout);
  CHECK(judged(Code::Reset) == ProbeResult::Reset);
  CHECK(judged(Code::Closed) == ProbeResult::Reset);
  CHECK(judged(Code::BadMessage) == ProbeResult::Malformed);
}

TEST_CASE("a server in doubt is looked at often, one that fails the less often the longer it has failed") {
  CHECK(probe_interval(1s, true, std::nullopt) == 100ms);
  CHECK(probe_interval(1s, false, std::nullopt) == 1s);
  CHECK(probe_interval(30s, false, 500ms) == 100ms);
  CHECK(probe_interval(30s, false, 20s) == 2s);
  CHECK(probe_interval(30s, false, 1h) == 30s);
  CHECK(probe_interval(20ms, true, std::nullopt) == 20ms);
  CHECK(probe_interval(20ms, false, 1h) == 20ms);
}

TEST_CASE("a verdict that goes on under other numbers stands until they are reached") {
  ProbeVerdict before(1, 2);
  before.add(true);
  ProbeVerdict after(2, 3);
  after.go_on_from(before);
  CHECK(after.verdict() == Probe::Passing);
  CHECK_FALSE(after.add(false));
  CHECK_FALSE(after.add(false));
  CHECK(after.add(false));
  CHECK(after.verdict() == Probe::Failing);
}
