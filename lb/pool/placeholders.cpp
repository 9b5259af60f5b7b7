#include "lb/pool/placeholders.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace holdfast::lb {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The names that Caddy and nginx have; one that ends in '.' or '_' stands for all that begin with it. Others are
/// constant text, perhaps a password, which no message may show.
constexpr std::string_view kCaddyNames[] = {
    "client_ip", "cookie.", "dir",    "env.",    "err.",  "file", "file_",     "header.", "host", "hostport",
    "http.",     "labels.", "method", "path",    "path.", "port", "query",     "query.",  "re.",  "remote",
    "remote_",   "rp.",     "scheme", "system.", "time.", "tls_", "upstream_", "uri",     "uuid", "vars."};
constexpr std::string_view kNginxNames[] = {"arg_",         "args",        "binary_remote_addr",
                                            "connection",   "connection_", "content_",
                                            "cookie_",      "document_",   "host",
                                            "hostname",     "http_",       "https",
                                            "is_args",      "msec",        "proxy_",
                                            "query_string", "realip_",     "remote_",
                                            "request",      "request_",    "scheme",
                                            "sent_http_",   "server_",     "ssl_",
                                            "status",       "time_",       "upstream_",
                                            "uri"};

/// How a placeholder is written: a name of letters, digits and `name_bytes`, which begins with a letter.
struct Form {
  std::string_view open;
  std::string_view name_bytes;
  std::string_view close;
  std::span<const std::string_view> names;  // empty: any
  bool begins_a_word = false;
};
constexpr Form kForms[] = {
    {"{", ".-:", "}", kCaddyNames}, {"{$", "", "}", {}},   // Caddy, its environment variables
    {"{>", "-", "}", {}},           {"{?", "-", "}", {}},  // Caddy's short forms of header fields and parameters
    {"${", "", "}", kNginxNames},   {"$", "", "", kNginxNames, true},  // nginx
    {"%[", ".-:,()", "]", {}},                                         // HAProxy
};

constexpr std::string_view kClient = "lb already sends the client's address in X-Forwarded-For";
constexpr std::string_view kScheme = "lb already sends the scheme in X-Forwarded-Proto";
constexpr std::string_view kRequestId = "lb already sends a request id in X-Request-ID";
constexpr std::string_view kHost = "lb already sends the client's host in Host and X-Forwarded-Host";

/// What lb sends without any rule, by a word in the name of a placeholder; the first word that fits counts.
struct Advice {
  std::string_view word;
  std::string_view text;
};
constexpr Advice kAdvice[] = {
    {"remote", kClient},
    {"client_ip", kClient},
    {"forwarded_for", kClient},
    {"src", kClient},
    {"scheme", kScheme},
    {"ssl_fc", kScheme},
    {"request_id", kRequestId},
    {"uuid", kRequestId},
    {"upstream", "write the host itself"},
    {"host", kHost},
};

bool is_among(std::span<const std::string_view> names, std::string_view name) {
  return names.empty() || std::any_of(names.begin(), names.end(), [name](std::string_view one) {
           return name == one || ((one.back() == '.' || one.back() == '_') && name.starts_with(one));
         });
}

/// The placeholder of this form at the beginning of `text`; empty if there is none.
std::string_view placeholder_at(std::string_view text, const Form& form) {
  if (!text.starts_with(form.open)) return {};
  const std::string_view rest = text.substr(form.open.size());
  if (rest.empty() || !is_letter(rest.front())) return {};
  const auto* end = std::find_if_not(rest.begin(), rest.end(), [&form](char c) {
    return is_letter(c) || is_digit(c) || form.name_bytes.find(c) != form.name_bytes.npos;
  });
  const auto name_bytes = static_cast<std::size_t>(end - rest.begin());
  if (!rest.substr(name_bytes).starts_with(form.close) || !is_among(form.names, rest.substr(0, name_bytes))) return {};
  return text.substr(0, form.open.size() + name_bytes + form.close.size());
}

}  // namespace

std::optional<std::string> placeholder_error(std::string_view value) {
  constexpr std::string_view kBetweenWords = " \t,;=\"'/:@(";
  for (std::size_t at = 0; at < value.size(); ++at) {
    const bool is_word_begin = at == 0 || kBetweenWords.find(value[at - 1]) != kBetweenWords.npos;
    for (const Form& form : kForms) {
      const std::string_view found = placeholder_at(value.substr(at), form);
      if (found.empty() || (form.begins_a_word && !is_word_begin)) continue;
      const auto* advice = std::find_if(std::begin(kAdvice), std::end(kAdvice),
                                        [found](const Advice& one) { return found.find(one.word) != found.npos; });
      return "lb has no placeholders yet and would send " + std::string(found) + " literally; " +
             std::string(advice != std::end(kAdvice) ? advice->text : "write a constant value");
    }
  }
  return std::nullopt;
}

}  // namespace holdfast::lb
