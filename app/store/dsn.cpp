#include "app/store/dsn.h"

#include "common/net/address.h"

#include <libpq-fe.h>
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

namespace holdfast::app {
namespace {

struct FreePq {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
  void operator()(char* text) const noexcept { PQfreemem(text); }
};

/// libpq quotes what it does not understand, and that may hold the password.
std::string without_quoted(std::string_view message) {
  std::string text;
  bool is_quoted = false;
  for (const char c : message) {
    if (c == '\n') break;
    if (c == '"') {
      if (!is_quoted) text += "\"...\"";
      is_quoted = !is_quoted;
    } else if (!is_quoted) {
      text += c;
    }
  }
  return text;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc{} && end == text.data() + text.size();
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, problem] = std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16);
    if (problem != std::errc{} || end != &text[i + 1] + 2) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return pieces;
}

}  // namespace

tl::expected<PostgresDsn, std::string> parse_postgres_dsn(const std::string& text) {
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreePq> options(PQconninfoParse(text.c_str(), &raw_message));
  const std::unique_ptr<char, FreePq> message(raw_message);
  if (options == nullptr) {
    return tl::unexpected("not a PostgreSQL connection string (" +
                          without_quoted(message == nullptr ? "out of memory" : message.get()) +
                          "); it looks like postgres://user:password@host:5432/name");
  }
  PostgresDsn dsn;
  std::string names;
  std::string numbers;
  std::string port_list;
  std::string database;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    const std::string value = option->val;
    if (keyword == "host") names = value;
    if (keyword == "hostaddr") numbers = value;
    if (keyword == "port") port_list = value;
    if (keyword == "dbname") database = value;
    if (keyword == "service")
      return tl::unexpected(std::string("a service file is not supported; name host, port and database"));
    dsn.parameters.emplace_back(keyword, value);
  }
  const std::vector<std::string> hosts = split(names);
  const std::vector<std::string> addresses = split(numbers);
  const std::vector<std::string> ports = split(port_list);
  const std::size_t count = std::max(hosts.size(), addresses.size());
  if (!hosts.empty() && !addresses.empty() && hosts.size() != addresses.size()) {
    return tl::unexpected(std::string("it has not as many hostaddr as hosts"));
  }
  if (ports.size() > 1 && ports.size() != count) {
    return tl::unexpected(std::string("it has not as many ports as hosts; one port stands for all"));
  }
  for (const std::string& port : ports) {
    std::uint16_t number = 0;
    if (!port.empty() && (!read_number(port, number) || number == 0)) {
      return tl::unexpected(std::string("its port is not a number from 1 to 65535"));
    }
  }
  const auto port_of = [&](std::size_t at) {
    const std::string port = ports.empty() ? "" : ports.size() == 1 ? ports[0] : ports[at];
    return port.empty() ? std::string("5432") : port;
  };
  for (std::size_t i = 0; i < count; ++i) {
    PgHost host{.name = hosts.empty() ? "" : hosts[i],
                .address = addresses.empty() ? "" : addresses[i],
                .port = port_of(i),
                .addresses = {}};
    if (host.name.empty()) host.name = host.address;
    if (host.name.empty()) return tl::unexpected(std::string("one of its hosts has no name"));
    if (!host.address.empty()) host.addresses = {host.address};
    dsn.shown += (i == 0 ? "" : ",") + host.name + ":" + host.port;
    dsn.hosts.push_back(std::move(host));
  }
  if (dsn.hosts.empty()) dsn.shown = "local socket:" + port_of(0);
  dsn.shown += "/" + database;
  return dsn;
}

std::vector<std::string> split_urls(std::string_view text) {
  std::vector<std::string> urls;
  const auto begins_url = [&](std::size_t at) {
    return text.substr(at).starts_with("postgres://") || text.substr(at).starts_with("postgresql://");
  };
  std::string url;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_between = text[i] == ',' || text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
    const std::size_t next = text.find_first_not_of(", \n\t", i);
    if (is_between && (next == std::string_view::npos || begins_url(next))) {
      if (!url.empty()) urls.push_back(std::exchange(url, {}));
      i = next == std::string_view::npos ? text.size() : next - 1;
    } else {
      url += text[i];
    }
  }
  if (!url.empty()) urls.push_back(std::move(url));
  return urls;
}

tl::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  constexpr std::string_view kExpected = "; it looks like redis://user:password@host:6379/0";
  const auto wrong = [&](std::string_view why) { return tl::unexpected(std::string(why) + std::string(kExpected)); };
  RedisUrl url;
  if (text.starts_with("unix://")) {
    text.remove_prefix(7);
    const auto query = text.find("?db=");
    if (query != std::string_view::npos && !read_number(text.substr(query + 4), url.database)) {
      return wrong("its database is not a number");
    }
    url.host = text.substr(0, query);
    if (!url.is_unix()) return wrong("a unix:// URL needs an absolute path");
    url.shown = url.host;
    return url;
  }
  if (text.starts_with("rediss://")) {
    return tl::unexpected(std::string(
        "TLS to Redis is not spoken; name the near end of a tunnel (docs/stores.md shows one with stunnel), "
        "such as redis://user:password@127.0.0.1:6379/0"));
  }
  if (!text.starts_with("redis://")) return wrong("not a redis:// URL");
  text.remove_prefix(8);
  if (text.find_first_of("?#") != std::string_view::npos) return wrong("it has a part behind '?' or '#'");
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    if (!number.empty() && (!read_number(number, url.database) || url.database < 0)) {
      return wrong("its database is not a number");
    }
    text = text.substr(0, slash);
  }
  const auto at = text.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view login = text.substr(0, at);
    const auto colon = login.find(':');
    const auto user = percent_decoded(login.substr(0, colon));
    const auto password = colon == std::string_view::npos ? std::string() : percent_decoded(login.substr(colon + 1));
    if (!user || !password) return wrong("its user or password has a bad percent-escape");
    url.user = *user;
    url.password = *password;
    text = text.substr(at + 1);
  }
  const bool has_port = text.ends_with(']') ? false : text.rfind(':') != std::string_view::npos;
  const std::string with_port = has_port ? std::string(text) : std::string(text) + ":6379";
  const auto split = split_host_port(with_port);
  if (!split || split->host.empty() || split->port == 0) return wrong("its host or port is not one");
  url.host = split->host;
  url.port = split->port;
  if (url.host.starts_with('[') && url.host.ends_with(']')) url.host = url.host.substr(1, url.host.size() - 2);
  url.shown = with_port + "/" + std::to_string(url.database);
  return url;
}

}  // namespace holdfast::app
