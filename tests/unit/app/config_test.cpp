#include "app/config.h"

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

using Values = std::map<std::string, std::string>;

/// The environment of one test; what the program was started with is put back.
class Environment {
 public:
  explicit Environment(const Values& values) {
    for (const char* name :
         {"DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "PORT", "LISTEN", "PUBLIC_URL", "LOG_LEVEL"}) {
      take_out(name);
    }
    for (const auto& [name, value] : values) take_out(name);
    for (const auto& [name, value] : values) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const std::string& name : names_) unsetenv(name.c_str());
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  void take_out(const std::string& name) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return;
    if (const char* before = std::getenv(name.c_str())) before_[name] = before;
    names_.push_back(name);
    unsetenv(name.c_str());
  }

  std::vector<std::string> names_;
  std::map<std::string, std::string> before_;
};

std::string all_errors(const LoadedConfig& loaded) {
  std::string text;
  for (const std::string& error : loaded.errors) text += error + "\n";
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the environment alone is enough, and the replica is the primary where none is named") {
  const Environment environment(Values{{"DATABASE_URL", "postgres://app:secret@db:5432/links"}, {"PORT", "0"}});
  const LoadedConfig loaded = load_config("");
  CHECK(all_errors(loaded).empty());
  CHECK(loaded.config.listen.text() == "127.0.0.1:0");
  CHECK(loaded.config.replica_is_primary);
  CHECK(loaded.config.replicas.at(0).shown == "db:5432/links");
  CHECK_FALSE(loaded.config.redis_url);
}

TEST_CASE("the environment outweighs the file") {
  const Environment environment(Values{{"DATABASE_REPLICA_URL", "postgres://b/x"}, {"LISTEN", "[::1]:80"}});
  const LoadedConfig loaded = load_config_text(
      "s.yaml",
      "listen: 127.0.0.1:3001\npublic_url: https://s.example/\ndatabase: {url: postgres://a/x, timeout_write: 1s}\n"
      "redis: {url: redis://c}\nlog: {level: warn}\n");
  CHECK(all_errors(loaded).empty());
  CHECK(loaded.config.listen.text() == "[::1]:80");
  CHECK(loaded.config.public_url == "https://s.example");
  CHECK(loaded.config.primary.hosts.at(0).name == "a");
  CHECK(loaded.config.replicas.at(0).hosts.at(0).name == "b");
  CHECK_FALSE(loaded.config.replica_is_primary);
  CHECK(loaded.config.database.timeout_write == 1s);
  CHECK(loaded.config.redis_url->shown == "c:6379/0");
  CHECK(loaded.config.log_level == holdfast::log::Level::Warn);
}

TEST_CASE("a list in the environment has commas or blanks between its items") {
  const auto texts = [](const char* value) {
    const Environment environment(Values{{"DATABASE_URL", "postgres://a/x"}, {"TRUSTED_PROXIES", value}});
    const LoadedConfig loaded = load_config("");
    std::string all = all_errors(loaded);
    for (const holdfast::Network& network : loaded.config.trusted_proxies) all += network.text() + ";";
    return all;
  };
  CHECK(texts("10.0.0.0/8") == "10.0.0.0/8;");
  CHECK(texts("10.0.0.0/8,172.16.0.0/12") == "10.0.0.0/8;172.16.0.0/12;");
  CHECK(texts(" 10.0.0.0/8, ::1 \t192.168.0.0/16,") == "10.0.0.0/8;::1/128;192.168.0.0/16;");
  CHECK(texts(",").empty());
  CHECK(has(texts("10.0.0.0/8,x"), "environment variable TRUSTED_PROXIES: 'x'"));
}

TEST_CASE("a file without a database says how to name one") {
  const Environment environment(Values{});
  const std::string errors = all_errors(load_config_text("s.yaml", "listen: 127.0.0.1:3000\n"));
  CHECK(has(errors, "database.url"));
  CHECK(has(errors, "DATABASE_URL"));
}

TEST_CASE("every error is told at once, with its place, and no password is") {
  const Environment environment(Values{});
  const std::string errors = all_errors(load_config_text("s.yaml",
                                                         "listen: nowhere\n"
                                                         "public_url: ftp://x\n"
                                                         "databse: 1\n"
                                                         "database:\n"
                                                         "  url: postgres//app:secret@host/x\n"
                                                         "  replica_url: postgres://app:secret@host:99999/x\n"
                                                         "  timeout_write: 5\n"
                                                         "redis: {url: 'http://:secret@host'}\n"));
  CHECK(has(errors, "s.yaml:1:9: listen"));
  CHECK(has(errors, "s.yaml:2:1: public_url"));
  CHECK(has(errors, "s.yaml:3:1: databse"));
  CHECK(has(errors, "s.yaml:5:"));
  CHECK(has(errors, "s.yaml:6:"));
  CHECK(has(errors, "s.yaml:7:"));
  CHECK(has(errors, "redis.url"));
  CHECK_FALSE(has(errors, "secret"));
}

TEST_CASE("what is no YAML is an error with its place") {
  const Environment environment(Values{});
  CHECK(has(all_errors(load_config_text("s.yaml", "listen: [\n")), "s.yaml:"));
}

TEST_CASE("the dump shows what is in force and hides the secrets") {
  const Environment environment(Values{{"DATABASE_URL", "postgres://app:secret@db/links"}});
  LoadedConfig loaded = load_config_text("s.yaml", "port: 4000\n");
  const std::string dump = dump_config(loaded.config);
  CHECK(has(dump, "4000"));
  CHECK_FALSE(has(dump, "secret"));
}

TEST_CASE("a public address is a site, without a path") {
  const Environment environment(Values{{"DATABASE_URL", "postgres://db/links"}});
  for (const std::string url : {"https://s.example", "http://127.0.0.1:8080/", "https://s.example:8443"}) {
    CAPTURE(url);
    CHECK(load_config_text("s.yaml", "public_url: " + url + "\n").errors.empty());
  }
  for (const std::string url :
       {"s.example", "https://s.example/x", "https://s.example?x", "ftp://s.example", "https://"}) {
    CAPTURE(url);
    CHECK_FALSE(load_config_text("s.yaml", "public_url: " + url + "\n").errors.empty());
  }
}
