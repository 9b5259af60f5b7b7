#include "app/clicks/recorder.h"

#include "app/clicks/now.h"
#include "app/clicks/user_agent.h"
#include "common/http/rules.h"

#include <netinet/in.h>
#include <xxhash.h>
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

namespace holdfast::app {
namespace {

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

}  // namespace

ShortAddress shortened(const Address& address) {
  ShortAddress result;
  if (!address.is_set()) return result;
  if (address.raw()->sa_family == AF_INET) {
    result.family = 4;
    std::memcpy(result.bytes.data(), &reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr, 3);
    return result;
  }
  const auto& bytes = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
    result.family = 4;
    std::memcpy(result.bytes.data(), bytes.s6_addr + 12, 3);
  } else {
    result.family = 6;
    std::memcpy(result.bytes.data(), bytes.s6_addr, 6);
  }
  return result;
}

void append_referrer_host(std::string& out, std::string_view referrer) {
  const auto scheme = referrer.find("://");
  if (scheme == std::string_view::npos) return;
  std::string_view host = referrer.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host = host.substr(at + 1);
  host = host.substr(0, host.find(':'));
  if (host.starts_with("www.")) host.remove_prefix(4);
  if (host.size() > kReferrerBytesMax) return;
  const std::size_t from = out.size();
  for (char c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool is_host = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    if (!is_host) return out.resize(from);
    out += c;
  }
}

std::uint16_t visitor_mark(const ShortAddress& address, std::string_view user_agent, std::int64_t at_ms) {
  std::array<std::uint8_t, 15> seed{address.family};
  std::copy(address.bytes.begin(), address.bytes.end(), seed.begin() + 1);
  const std::int64_t day = at_ms / kDayMs;
  std::memcpy(seed.data() + 7, &day, sizeof day);
  const std::uint64_t hash =
      XXH3_64bits_withSeed(user_agent.data(), user_agent.size(), XXH3_64bits(seed.data(), seed.size()));
  const auto place = static_cast<std::uint16_t>(hash & 1023);
  const auto rank = static_cast<std::uint16_t>(std::countl_zero((hash >> 10) << 10 | 512) + 1);
  return static_cast<std::uint16_t>(place << 6 | rank);
}

void ClickRecorder::record(const HttpRequest& request, const ClickOrigin& origin, std::string_view code) {
  if (journal_ == nullptr) return;
  Click click = describe(request, origin);
  click.code = code;
  journal_->record(click, loop_.output());
}

KeptClick ClickRecorder::keep(const HttpRequest& request, const ClickOrigin& origin) {
  if (journal_ == nullptr) return {};
  KeptClick kept{.click = describe(request, origin), .referrer = {}};
  kept.referrer = kept.click.referrer;
  return kept;
}

void ClickRecorder::record(KeptClick& kept, std::string_view code) {
  if (journal_ == nullptr) return;
  kept.click.referrer = kept.referrer;
  kept.click.code = code;
  journal_->record(kept.click, loop_.output());
}

Click ClickRecorder::describe(const HttpRequest& request, const ClickOrigin& origin) {
  std::string_view request_id;
  std::string_view user_agent;
  std::string_view referrer;
  bool wants_privacy = false;
  for (const Field& field : request.head.fields) {  // one pass; find() would be four
    if (field.id == FieldId::XRequestId) request_id = field.value;
    if (field.id != FieldId::Other) continue;
    if (field.name.size() == 10 && equals_ignoring_case(field.name, "User-Agent")) user_agent = field.value;
    if (field.name.size() == 7 && equals_ignoring_case(field.name, "Referer")) referrer = field.value;
    if (!settings_.honours_dnt || field.value != "1") continue;
    wants_privacy =
        wants_privacy || equals_ignoring_case(field.name, "DNT") || equals_ignoring_case(field.name, "Sec-GPC");
  }
  Click click;
  click.at_ms = now_ms();
  click.device = device_of_cached(user_agent);
  click.is_bot = click.device == Device::Bot;
  if (origin.is_by_proxy) click.request = id_from_text(request_id);
  if (wants_privacy) return click;
  referrer_.clear();
  append_referrer_host(referrer_, referrer);
  click.referrer = referrer_;
  const ShortAddress address = shortened(origin.client);
  if (settings_.keeps_address) click.address = address;
  if (!click.is_bot) click.visitor = visitor_mark(address, user_agent, click.at_ms);
  return click;
}

}  // namespace holdfast::app
