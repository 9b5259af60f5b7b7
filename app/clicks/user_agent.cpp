#include "app/clicks/user_agent.h"

#include <xxhash.h>
#include <algorithm>
#include <array>

namespace holdfast::app {
namespace {

constexpr std::size_t kLooked = 512;  // no browser says more than this

// In lower case. Crawlers, previews of links in messengers, monitors, libraries, command lines.
constexpr std::array<std::string_view, 38> kBotWords{
    "bot",        "crawl",      "spider",      "slurp",      "facebookexternalhit",
    "preview",    "whatsapp",   "telegram",    "mastodon",   "pleroma",
    "misskey",    "curl/",      "wget/",       "python",     "go-http",
    "okhttp",     "java/",      "axios",       "node-fetch", "undici",
    "libwww",     "httpclient", "http-client", "headless",   "phantomjs",
    "lighthouse", "monitor",    "pingdom",     "uptime",     "scan",
    "feed",       "fetch",      "embedly",     "iframely",   "skypeuri",
    "vkshare",    "ruby",       "perl"};
constexpr std::array<std::string_view, 5> kTabletWords{"ipad", "tablet", "kindle", "silk/", "playbook"};
constexpr std::array<std::string_view, 6> kMobileWords{"iphone",        "ipod",       "mobile",
                                                       "windows phone", "opera mini", "blackberry"};
constexpr std::array<std::string_view, 5> kDesktopWords{"windows nt", "macintosh", "x11", "cros ", "linux"};

template <std::size_t Count>
bool has_any(std::string_view text, const std::array<std::string_view, Count>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

struct Known {
  std::uint64_t hash = 0;
  Device device = Device::Other;
};
thread_local std::array<Known, 256> known{};

}  // namespace

Device device_of(std::string_view user_agent) {
  std::array<char, kLooked> lower{};
  const std::size_t length = std::min(user_agent.size(), lower.size());
  std::transform(user_agent.begin(), user_agent.begin() + static_cast<std::ptrdiff_t>(length), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const std::string_view text(lower.data(), length);
  if (text.empty() || has_any(text, kBotWords)) return Device::Bot;
  if (has_any(text, kTabletWords)) return Device::Tablet;
  const bool is_android = text.find("android") != std::string_view::npos;
  if (is_android && text.find("mobile") == std::string_view::npos) return Device::Tablet;  // as Google asks makers to
  if (is_android || has_any(text, kMobileWords)) return Device::Mobile;
  return has_any(text, kDesktopWords) ? Device::Desktop : Device::Other;
}

Device device_of_cached(std::string_view user_agent) {
  const std::uint64_t hash = XXH3_64bits(user_agent.data(), user_agent.size());
  Known& place = known[hash % known.size()];
  if (place.hash != hash) place = {.hash = hash, .device = device_of(user_agent)};
  return place.device;
}

}  // namespace holdfast::app
