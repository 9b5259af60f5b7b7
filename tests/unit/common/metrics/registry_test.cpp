#include "common/metrics/registry.h"

#include "common/version.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

/// The value of a series in a text; -1 where it is missing.
double value_of(const std::string& text, const std::string& series) {
  const auto at = ("\n" + text).find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + series.size() + 1, nullptr);
}

}  // namespace

TEST_CASE("a family is printed once, with its help and type, whoever adds to it") {
  Registry registry;
  const auto add = [](std::string_view pool, double value) {
    return [=](Scrape& scrape) { scrape.counter("x_total", "What x does.", {{"pool", pool}}, value); };
  };
  registry.add(add("a", 1));
  registry.add([](Scrape& scrape) { scrape.gauge("between", "Another.", {}, -2.5); });
  registry.add(add("b", 2));
  const std::string text = registry.text();
  CAPTURE(text);
  CHECK(has_line(text,
                 "# HELP x_total What x does.\n# TYPE x_total counter\nx_total{pool=\"a\"} 1\nx_total{pool=\"b\"} 2"));
  CHECK(has_line(text, "# TYPE between gauge\nbetween -2.5"));
  CHECK(text.find("# TYPE x_total") == text.rfind("# TYPE x_total"));
}

TEST_CASE("each scrape asks anew") {
  Counter counter;
  Registry registry;
  registry.add([&](Scrape& scrape) { scrape.counter("n_total", "N.", {}, static_cast<double>(counter.value())); });
  CHECK(value_of(registry.text(), "n_total") == 0);
  counter.add(3);
  CHECK(value_of(registry.text(), "n_total") == 3);
}

TEST_CASE("large counters keep every digit") {
  Scrape scrape;
  scrape.counter("n_total", "N.", {}, 1'234'567'890'123.0);
  CHECK(value_of(scrape.text(), "n_total") == 1'234'567'890'123.0);
}

TEST_CASE("a histogram has cumulative buckets in seconds, +Inf, a sum and a count") {
  Histogram histogram;
  histogram.add(200us);
  histogram.add(200us);
  histogram.add(3ms);
  histogram.add(1min);
  Scrape scrape;
  scrape.histogram("d_seconds", "D.", {{"pool", "a"}}, histogram.snapshot());
  const std::string text = scrape.text();
  CAPTURE(text);
  CHECK(has_line(text, "# TYPE d_seconds histogram"));
  CHECK(value_of(text, "d_seconds_bucket{pool=\"a\",le=\"0.0001\"}") == 0);
  CHECK(value_of(text, "d_seconds_bucket{pool=\"a\",le=\"0.00025\"}") == 2);
  CHECK(value_of(text, "d_seconds_bucket{pool=\"a\",le=\"0.005\"}") == 3);
  CHECK(value_of(text, "d_seconds_bucket{pool=\"a\",le=\"10\"}") == 3);
  CHECK(value_of(text, "d_seconds_bucket{pool=\"a\",le=\"+Inf\"}") == 4);
  CHECK(value_of(text, "d_seconds_count{pool=\"a\"}") == 4);
  CHECK(value_of(text, "d_seconds_sum{pool=\"a\"}") == doctest::Approx(60.0034));
}

TEST_CASE("a label cannot break out of its quotes") {
  Scrape scrape;
  scrape.gauge("g", "G.", {{"name", "a\"} 1\nforged 2\\"}}, 1);
  const std::string text = scrape.text();
  CAPTURE(text);
  CHECK(has_line(text, "g{name=\"a\\\"} 1\\nforged 2\\\\\"} 1"));
}

TEST_CASE("a process tells its own basics") {
  Scrape scrape;
  collect_process(scrape, "test");
  const std::string text = scrape.text();
  CAPTURE(text);
  CHECK(value_of(text, "process_cpu_seconds_total") >= 0);
  CHECK(value_of(text, "process_resident_memory_bytes") > 1024 * 1024);
  CHECK(value_of(text, "process_open_fds") >= 3);
  CHECK(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double started = value_of(text, "process_start_time_seconds");
  CHECK(started <= now);
  CHECK(started > now - 3600);
  CHECK(value_of(text, "test_build_info{version=\"" + std::string(kVersion) + "\",revision=\"" + kRevision + "\"}") ==
        1);
}
