#include "common/metrics/registry.h"

#include "common/version.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

namespace holdfast {
namespace {

const std::chrono::duration<double> kStarted = std::chrono::system_clock::now().time_since_epoch();

}  // namespace

struct Scrape::Families {
  std::map<std::string, prometheus::MetricFamily, std::less<>> by_name;

  prometheus::ClientMetric& add(std::string_view name, std::string_view help, Labels labels,
                                prometheus::MetricType type) {
    auto found = by_name.find(name);
    if (found == by_name.end()) {
      prometheus::MetricFamily family;
      family.name = name;
      family.help = help;
      family.type = type;
      found = by_name.emplace(std::string(name), std::move(family)).first;
    }
    prometheus::ClientMetric& metric = found->second.metric.emplace_back();
    for (const auto& [label, value] : labels) {
      metric.label.push_back({std::string(label), std::string(value)});
    }
    return metric;
  }
};

Scrape::Scrape() : families_(std::make_unique<Families>()) {}
Scrape::~Scrape() = default;

void Scrape::counter(std::string_view name, std::string_view help, Labels labels, double value) {
  families_->add(name, help, labels, prometheus::MetricType::Counter).counter.value = value;
}

void Scrape::gauge(std::string_view name, std::string_view help, Labels labels, double value) {
  families_->add(name, help, labels, prometheus::MetricType::Gauge).gauge.value = value;
}

void Scrape::histogram(std::string_view name, std::string_view help, Labels labels, const HistogramSnapshot& values) {
  auto& histogram = families_->add(name, help, labels, prometheus::MetricType::Histogram).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < kLatencyBoundsUs.size(); ++i) {
    cumulative += values.buckets[i];
    histogram.bucket.push_back({cumulative, static_cast<double>(kLatencyBoundsUs[i]) / 1e6});
  }
  histogram.sample_count = values.count();  // +Inf is written by the serializer
  histogram.sample_sum = values.sum_seconds;
}

std::string Scrape::text() const {
  std::vector<prometheus::MetricFamily> all;
  for (const auto& [name, family] : families_->by_name) all.push_back(family);
  return prometheus::TextSerializer().Serialize(all);
}

std::string Registry::text() const {
  Scrape scrape;
  for (const Collect& collect : collectors_) collect(scrape);
  return scrape.text();
}

void collect_process(Scrape& scrape, std::string_view program) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  scrape.counter("process_cpu_seconds_total", "CPU time of the process.", {},
                 seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::ifstream statm("/proc/self/statm");
  double pages_total = 0;
  double pages_resident = 0;
  statm >> pages_total >> pages_resident;
  scrape.gauge("process_resident_memory_bytes", "Resident memory of the process.", {},
               pages_resident * static_cast<double>(sysconf(_SC_PAGESIZE)));
  double open = 0;
  std::error_code ignored;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", ignored);
       at != std::filesystem::directory_iterator(); at.increment(ignored)) {
    ++open;
  }
  scrape.gauge("process_open_fds", "Open file descriptors.", {}, open);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  scrape.gauge("process_max_fds", "The most file descriptors that may be open.", {},
               static_cast<double>(limit.rlim_cur));
  scrape.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", {}, kStarted.count());
  const std::string name = std::string(program) + "_build_info";
  scrape.gauge(name, "Always 1; the version and revision that was built.",
               {{"version", kVersion}, {"revision", kRevision}}, 1);
}

}  // namespace holdfast
