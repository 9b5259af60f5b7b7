#include "lb/health/prober.h"

#include "common/http/writer.h"
#include "common/log.h"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace holdfast::lb {

ProbeReport judge_probe(const HealthSettings& settings, const Result<HttpAnswer>& answer,
                        std::chrono::nanoseconds took) {
  const double took_ms = static_cast<double>(took.count()) / 1e6;
  const std::string what = settings.method + " " + settings.uri;
  if (!answer) {
    ProbeReport report{.result = ProbeResult::Reset,
                       .text = fmt::format("{}: {} after {:.1f} ms", what, answer.error().why, took_ms),
                       .took = took};
    switch (answer.error().code) {
      case Code::Refused:
        report.result = ProbeResult::Refused;
        break;
      case Code::Timeout:
        report.result = ProbeResult::Timeout;
        break;
      case Code::BadMessage:
      case Code::HeadTooLarge:
      case Code::Unsupported:
      case Code::OtherVersion:
      case Code::Expectation:
        report.result = ProbeResult::Malformed;
        break;
      default:
        break;
    }
    return report;
  }
  ProbeReport report{.result = ProbeResult::Pass,
                     .text = fmt::format("{}: {} in {:.1f} ms", what, answer->status, took_ms),
                     .took = took};
  const bool is_expected = std::any_of(settings.status.begin(), settings.status.end(),
                                       [&](StatusRange range) { return range.contains(answer->status); });
  if (!is_expected) {
    report.result = ProbeResult::Status;
  } else if (!settings.body.empty() && answer->body.find(settings.body) == std::string_view::npos) {
    report.result = ProbeResult::Body;
    report.text += ", but the body lacks the expected text";
  }
  return report;
}

bool ProbeVerdict::add(bool passed, bool is_decisive) {
  in_a_row_ = passed == last_passed_ && in_a_row_ > 0 ? in_a_row_ + 1 : 1;
  last_passed_ = passed;
  const Probe before = verdict_;
  if (passed && in_a_row_ >= passes_) verdict_ = Probe::Passing;
  if (!passed && (in_a_row_ >= fails_ || is_decisive)) verdict_ = Probe::Failing;
  in_doubt_ = verdict_ != (passed ? Probe::Passing : Probe::Failing);
  return verdict_ != before;
}

Prober::Prober(Loop& loop, TimeoutClass& timeouts, HeadScratch& scratch, const HealthSettings& settings,
               const Server& server, User& user)
    : loop_(loop),
      timeouts_(timeouts),
      settings_(settings),
      server_(server),
      user_(user),
      call_(loop, timeouts, scratch, *this),
      due_(Timeout::calling<&Prober::on_due>(this)),
      verdict_(settings.passes, settings.fails) {
  HeadWriter writer(request_);
  writer.request_line(settings.method, settings.uri);
  const std::string_view host = settings.host.empty() ? settings.fields.host() : std::string_view(settings.host);
  writer.field("Host", host.empty() ? std::string_view(server.authority()) : host);
  if (!settings.fields.drops("User-Agent")) writer.field("User-Agent", "lb-health");
  writer.append(settings.fields.lines());
  writer.field("Connection", "close");
  writer.end();
}

void Prober::go_on_from(const Prober& before) {
  verdict_.go_on_from(before.verdict_);
  failing_since_ = before.failing_since_;
  last_took_ = before.last_took_;
  last_pass_took_ = before.last_pass_took_;
  counts_ = before.counts_;
}

void Prober::probe_now() {
  if (!call_.is_under_way()) start(settings_.timeout);
}

void Prober::decide() {
  const auto usual = std::chrono::ceil<std::chrono::milliseconds>(4 * last_pass_took_);
  const auto timeout = std::min(std::max(settings_.stall_timeout, usual), settings_.timeout);
  is_decisive_ = true;
  if (!call_.is_under_way()) return start(timeout);
  call_.shorten(timeout);
}

void Prober::start(std::chrono::milliseconds timeout) {
  due_.disarm();
  began_ns_ = uv_hrtime();
  const Address& address = server_.address();
  call_.start(settings_.port == 0 ? address : address.with_port(static_cast<std::uint16_t>(settings_.port)),
              method_from(settings_.method), request_, timeout);
}

void Prober::hurry() {
  failing_since_ = loop_.now();
  if (call_.is_under_way()) return;
  const auto soon = loop_.now() + kDoubtInterval;
  if (!due_.is_armed() || due_.deadline() > soon) timeouts_.arm(due_, kDoubtInterval);
}

void Prober::on_answer(const Result<HttpAnswer>& answer) {
  if (!answer && answer.error().code == Code::Shortage) {
    // lb's own shortage says nothing about the server.
    log::warn_limited("no probe", server_.name(), log::Fields{{"server", server_.name()}, {"why", answer.error().why}});
    is_decisive_ = false;
    return timeouts_.arm(due_, kDoubtInterval);
  }
  ProbeReport report = judge_probe(settings_, answer, std::chrono::nanoseconds(uv_hrtime() - began_ns_));
  ++counts_[static_cast<std::size_t>(report.result)];
  last_took_ = report.took;
  report.is_decisive = std::exchange(is_decisive_, false);
  const bool passed = report.result == ProbeResult::Pass;
  if (passed) {
    // Of one that is well: the first pass after a hang took as long as that.
    if (verdict_.verdict() == Probe::Passing) last_pass_took_ = report.took;
    failing_since_.reset();
  } else if (!failing_since_) {
    failing_since_ = loop_.now();
  }
  const bool has_decided = verdict_.add(passed, report.is_decisive);
  if (!passed) tell_first_failure(report, has_decided);
  timeouts_.arm(due_, next_interval());
  user_.on_probe(*this, report);
}

/// What leads to a change of state is told with that; a failure that stays alone would be told nowhere.
void Prober::tell_first_failure(const ProbeReport& report, bool has_decided) {
  if (has_decided || verdict_.in_a_row() > 1 || verdict_.verdict() == Probe::Failing) return;
  log::warn_limited(
      "probe failed", server_.name(),
      log::Fields{{"server", server_.name()}, {"why", report.text}, {"unhealthy_after", settings_.fails}});
}

std::chrono::milliseconds Prober::next_interval() {
  std::optional<std::chrono::milliseconds> failing_for;
  if (failing_since_) failing_for = loop_.now() - *failing_since_;
  const auto base = probe_interval(settings_.interval, verdict_.is_in_doubt(), failing_for);
  // ±10 %, so that many balancers and many servers do not fall into step.
  const double dice = static_cast<double>(dice_()) / static_cast<double>(std::minstd_rand::max());
  return std::chrono::milliseconds(static_cast<long>(static_cast<double>(base.count()) * (0.9 + 0.2 * dice)));
}

}  // namespace holdfast::lb
