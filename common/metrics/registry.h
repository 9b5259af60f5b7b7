// Numbers to Prometheus text (exposition format 0.0.4), through prometheus-cpp's families and serializer.
// Thread: the one that scrapes.
#pragma once

#include "common/metrics/histogram.h"

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

/// The labels of one time series.
using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Collects the series of one scrape. Series of one family may be added at any time: they are printed together.
class Scrape {
 public:
  Scrape();
  ~Scrape();
  Scrape(const Scrape&) = delete;
  Scrape& operator=(const Scrape&) = delete;

  void counter(std::string_view name, std::string_view help, Labels labels, double value);
  void gauge(std::string_view name, std::string_view help, Labels labels, double value);
  void histogram(std::string_view name, std::string_view help, Labels labels, const HistogramSnapshot& values);

  std::string text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

/// Who has numbers says so once; each scrape asks them all.
class Registry {
 public:
  using Collect = std::function<void(Scrape& scrape)>;

  void add(Collect collect) { collectors_.push_back(std::move(collect)); }
  /// Everything, as of now.
  std::string text() const;

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  std::vector<Collect> collectors_;
};

/// process_* and `NAME_build_info`, as every program of ours shows them.
void collect_process(Scrape& scrape, std::string_view program);

}  // namespace holdfast
