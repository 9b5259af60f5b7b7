#include "common/log.h"

#include <doctest/doctest.h>

#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <regex>
#include <string>
#include <thread>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

/// What `act` writes to stderr.
std::string stderr_of(const std::function<void()>& act) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stderr);
  const int before = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  act();
  std::fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

/// Sets a level and puts `info` back, which every program begins with.
struct AtLevel {
  explicit AtLevel(log::Level level) { log::set_level(level); }
  ~AtLevel() { log::set_level(log::Level::Info); }
};

}  // namespace

TEST_CASE("a line is the time in UTC, the level, the event and its fields") {
  const std::string line = stderr_of([] { log::info("listening", {{"name", "public"}, {"port", 8080}}); });
  CAPTURE(line);
  CHECK(std::regex_match(
      line, std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z info listening name=public port=8080\n")));
}

TEST_CASE("the time is UTC wherever the machine stands") {
  const char* before = std::getenv("TZ");
  const std::string zone = before == nullptr ? "" : before;
  setenv("TZ", "Asia/Tokyo", 1);
  tzset();
  const auto hour = [] {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 20> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H", &parts);
    return std::string(text.data());
  };
  const std::string earliest = hour();
  const std::string line = stderr_of([] { log::info("now"); });
  const std::string latest = hour();
  before == nullptr ? unsetenv("TZ") : setenv("TZ", zone.c_str(), 1);
  tzset();
  CAPTURE(line);
  CHECK((line.starts_with(earliest) || line.starts_with(latest)));
}

TEST_CASE("values are quoted where a reader of fields would stumble") {
  CHECK(log::format("e", {{"a", "plain:1/x"}, {"b", ""}, {"c", "a b"}, {"d", "a=b"}}) ==
        "e a=plain:1/x b=\"\" c=\"a b\" d=\"a=b\"");
  CHECK(log::format("e", {{"a", "say \"hi\" \\"}}) == "e a=\"say \\\"hi\\\" \\\\\"");
}

TEST_CASE("a peer's bytes never make a line, a field or an order to the terminal") {
  CHECK(log::format("e", {{"path", "/\n2026 error forged key=1"}}) == "e path=\"/\\x0a2026 error forged key=1\"");
  CHECK(log::format("e", {{"a", "\x1b[2J"}, {"b", "\x9b"}}) == "e a=\"\\x1b[2J\" b=\"\\x9b\"");
}

TEST_CASE("values in all their types") {
  CHECK(log::format("e", {{"flag", true},
                          {"count", std::size_t{7}},
                          {"change", -3},
                          {"took", 1500ms},
                          {"text", std::string("x")},
                          {"view", std::string_view("y")}}) ==
        "e flag=true count=7 change=-3 took=1500ms text=x view=y");
}

TEST_CASE("braces and percent signs in a line are only characters") {
  const std::string line = stderr_of([] { log::warn("odd {} %s", {{"body", "{}{0}%n"}}); });
  CHECK(line.ends_with("warn odd {} %s body={}{0}%n\n"));
}

TEST_CASE("a line may be one JSON object, whatever a peer sent") {
  const std::string line = stderr_of([] {
    log::set_format(log::Format::Json);
    log::warn("upstream \"state\"", {{"path", "/\n\x1b{}\xFF"}, {"port", 80}});
    for (int i = 0; i < 2; ++i) log::warn_limited("limited in JSON", "s", {{"i", i}});
    log::set_format(log::Format::Text);
  });
  CAPTURE(line);
  CHECK(line.find(R"("level":"warn","event":"upstream \"state\"","path":"/\u000a\u001b{})") != std::string::npos);
  CHECK(line.find(R"("port":"80"})") != std::string::npos);
  CHECK(line.find(R"({"time":"20)") == 0);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(stderr_of([] { log::info("text again"); }).ends_with(" info text again\n"));
}

TEST_CASE("what is under the level is not written, and the level can be changed while running") {
  const AtLevel level(log::Level::Error);
  CHECK(stderr_of([] { log::warn("quiet"); }).empty());
  CHECK_FALSE(log::is_enabled(log::Level::Warn));
  CHECK(log::set_level("debug"));
  CHECK(stderr_of([] { log::debug("loud"); }).ends_with(" debug loud\n"));
  CHECK_FALSE(log::set_level("verbose"));
  CHECK(log::is_enabled(log::Level::Debug));
}

TEST_CASE("repeats of a warning are held back") {
  const std::string lines = stderr_of([] {
    for (int i = 0; i < 100; ++i) log::warn_limited("held back in this test", "subject", {{"i", i}});
  });
  // One, and one more for each second that the machine may have stood still.
  CHECK(lines.find("i=0") != std::string::npos);
  CHECK(lines.find("i=1\n") == std::string::npos);
}

TEST_CASE("lines of several threads are not mixed") {
  const std::string lines = stderr_of([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 250; ++i) log::info("parallel", {{"text", "abcdefghijklmnopqrstuvwxyz"}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  std::size_t count = 0;
  std::size_t at = 0;
  for (std::size_t end = lines.find('\n'); end != std::string::npos; at = end + 1, end = lines.find('\n', at)) {
    count += lines.substr(at, end - at).ends_with("Z info parallel text=abcdefghijklmnopqrstuvwxyz") &&
                     end - at == std::string_view("2026-11-24T11:46:41.123Z info parallel text=").size() + 26
                 ? 1
                 : 0;
  }
  CHECK(count == 1000);
}

TEST_CASE("a listener is told of events from info up, whatever is written") {
  const AtLevel quiet(log::Level::Error);
  std::vector<std::string> told;
  log::set_listener([&told](std::string_view event, std::string_view json) {
    told.push_back(std::string(event) + " " + std::string(json));
  });
  const std::string written = stderr_of([] {
    log::debug("no", {});
    log::info("upstream state", {{"server", "a\n\"b"}});
  });
  log::set_listener(nullptr);
  log::info("nobody listens", {});
  CHECK(written.empty());
  REQUIRE(told.size() == 1);
  CAPTURE(told[0]);
  CHECK(std::regex_match(told[0],
                         std::regex(R"re(upstream state \{"time":"\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{3}Z","level":"info",)re"
                                    R"re("event":"upstream state","server":"a\\u000a\\"b"\})re")));
}
