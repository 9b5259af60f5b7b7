#include "common/config/keys.h"

#include "common/units.h"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

enum class Policy { RoundRobin, First };

struct Server {
  std::string address;
  unsigned weight = 1;
};
void describe(Keys& keys, Server& server) {
  keys.add("address", server.address, "where it listens");
  keys.add("weight", server.weight, "its share", 1U, 100U);
}

struct Retry {
  std::chrono::milliseconds deadline = 5s;
  std::size_t buffer = 64_KiB;
  unsigned budget = 20;
};
void describe(Keys& keys, Retry& retry) {
  keys.add("deadline", retry.deadline, "how long", 0ms, 1min);
  keys.add_size("buffer", retry.buffer, "how much", 1_KiB, 1_MiB);
  keys.add_percent("budget", retry.budget, "how often", 1, 50);
}

struct Pool {
  std::string name;
  Policy policy = Policy::RoundRobin;
  std::vector<Server> servers;
  Retry retry;
};
void describe(Keys& keys, Pool& pool) {
  keys.add_choice<Policy>("policy", pool.policy, "who is next",
                          {{"round_robin", Policy::RoundRobin}, {"first", Policy::First}});
  keys.list_of<Server>("upstreams", pool.servers, "the servers", "host:port, or a section",
                       [](Server& server, std::string_view text) -> Wrong {
                         if (text.find(':') == std::string_view::npos) return "no port";
                         server.address = text;
                         return std::nullopt;
                       })
      .check([&pool]() -> Wrong { return pool.servers.empty() ? Wrong("empty") : std::nullopt; });
  keys.section("retry", pool.retry, "trying again");
}

struct Config {
  std::string url;
  bool is_quick = false;
  int level = 3;
  std::vector<std::string> tags;
  Retry retry;
  std::vector<Pool> pools;
};
void describe(Keys& keys, Config& config) {
  keys.add("url", config.url, "where the database is").env("HOLDFAST_TEST_URL").secret().check([&config]() -> Wrong {
    return config.url == "unreachable" ? Wrong("cannot be reached") : std::nullopt;
  });
  keys.add("quick", config.is_quick, "in a hurry");
  keys.add("level", config.level, "how high", -1, 9).env("HOLDFAST_TEST_LEVEL");
  keys.add_list(
      "tags", "words", "lower-case words", [&config] { config.tags.clear(); },
      [&config](std::string_view text) -> Wrong {
        if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != std::string_view::npos) return "not a word";
        config.tags.emplace_back(text);
        return std::nullopt;
      },
      [&config] { return config.tags; });
  keys.section("retry", config.retry, "trying again");
  keys.map("pools", config.pools, "servers in groups");
  keys.alias("lb_try_duration", "retry.deadline");
}

/// A configuration read from text, and what was wrong with it.
struct Read {
  explicit Read(const std::string& text) {
    describe(keys, config);
    errors = read_config_text("c.yaml", text, keys);
  }
  std::string all() const {
    std::string text;
    for (const std::string& error : errors) text += error + "\n";
    return text;
  }

  Config config;
  Keys keys;
  std::vector<std::string> errors;
};

std::vector<std::string> errors_of_file(const std::string& file) {
  Config config;
  Keys keys;
  describe(keys, config);
  return read_config(file, keys);
}

struct Variable {
  Variable(const char* name_in, const char* value) : name(name_in) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name); }
  const char* name;
};

/// A folder of this test's own.
struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keys_test.XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
    std::filesystem::permissions(path, std::filesystem::perms::all);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("every kind of key is read") {
  const Read read(
      "url: postgres://a\nquick: true\nlevel: -1\ntags: [a, b]\nretry: {deadline: 250ms, buffer: 16KiB, budget: 50%}\n"
      "pools:\n  web:\n    policy: first\n    upstreams: ['h:1', {address: 'h:2', weight: 7}]\n    retry: {deadline: "
      "1s}\n"
      "  api:\n    upstreams: ['h:3']\n");
  CHECK(read.all().empty());
  CHECK(read.config.url == "postgres://a");
  CHECK(read.config.is_quick);
  CHECK(read.config.level == -1);
  CHECK(read.config.tags == std::vector{"a"s, "b"s});
  CHECK(read.config.retry.deadline == 250ms);
  CHECK(read.config.retry.buffer == 16_KiB);
  CHECK(read.config.retry.budget == 50);
  REQUIRE(read.config.pools.size() == 2);
  const Pool& web = read.config.pools[0];
  CHECK(web.name == "web");
  CHECK(web.policy == Policy::First);
  CHECK(web.retry.deadline == 1s);
  REQUIRE(web.servers.size() == 2);
  CHECK(web.servers[0].address == "h:1");
  CHECK(web.servers[0].weight == 1);
  CHECK(web.servers[1].address == "h:2");
  CHECK(web.servers[1].weight == 7);
  CHECK(read.config.pools[1].name == "api");
}

TEST_CASE("what is not said keeps its default, and an empty file is well") {
  for (const std::string text : {"", "\n", "# nothing\n", "---\n", "retry:\n"}) {
    CAPTURE(text);
    const Read read(text);
    CHECK(read.all().empty());
    CHECK(read.config.level == 3);
    CHECK(read.config.retry.deadline == 5s);
  }
}

TEST_CASE("an error names file, line, column, key, what is wrong and what is allowed") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"level: ten\n", "c.yaml:1:8: level: 'ten': not a whole number; allowed: a number, -1 to 9"},
      {"level: 10\n", "c.yaml:1:8: level: '10': out of range; allowed: a number, -1 to 9"},
      {"level: 1.5\n", "c.yaml:1:8: level: '1.5': not a whole number"},
      {"level: [1]\n", "c.yaml:1:8: level: not a single value; allowed: a number, -1 to 9"},
      {"level:\n", "c.yaml:1:1: level: no value; allowed: a number, -1 to 9"},
      {"quick: yes\n", "c.yaml:1:8: quick: 'yes': not true or false; allowed: true, false"},
      {"tags: [a, B]\n", "c.yaml:1:11: tags: 'B': not a word; allowed: lower-case words"},
      {"retry: {deadline: 2}\n",
       "c.yaml:1:19: retry.deadline: '2': not a duration; allowed: a duration such as 250ms, 2s, 1m; 0s to 1m"},
      {"retry: {deadline: 2m}\n", "c.yaml:1:19: retry.deadline: '2m': out of range"},
      {"retry: {buffer: 2GiB}\n", "c.yaml:1:17: retry.buffer: '2GiB': out of range; allowed: a size such as"},
      {"retry: {budget: 20}\n",
       "c.yaml:1:17: retry.budget: '20': not a share; allowed: a share such as 20%; 1% to 50%"},
      {"retry: {budget: 51%}\n", "c.yaml:1:17: retry.budget: '51%': out of range"},
      {"retry: {budget: 99999999999%}\n", "c.yaml:1:17: retry.budget: '99999999999%': out of range"},
      {"retry: {budget: 1.5%}\n", "c.yaml:1:17: retry.budget: '1.5%': not a share"},
      {"retry: 5s\n", "c.yaml:1:8: retry: not a section; write its keys, for example retry: {deadline: 5s}"},
      {"retry: on\n", "c.yaml:1:8: retry: not a section; allowed: key: value lines"},
      {"retry: [5s]\n", "c.yaml:1:8: retry: not a section; allowed: key: value lines"},
      {"lb_try_duration: x\n", "c.yaml:1:18: retry.deadline: 'x': not a duration"},
      {"pools:\n  web:\n    policy: best\n    upstreams: [a]\n",
       "c.yaml:3:13: pools.web.policy: 'best': no such choice; allowed: round_robin, first"},
      {"pools:\n  web:\n    upstreams: [h:1, h]\n", "c.yaml:3:22: pools.web.upstreams[1]: 'h': no port"},
      {"pools:\n  web:\n    upstreams: [{weight: 0}]\n",
       "c.yaml:3:26: pools.web.upstreams[0].weight: '0': out of range"},
      {"pools:\n  web:\n    upstreams: h:1\n",
       "c.yaml:3:16: pools.web.upstreams: not a list; write upstreams: [h:1]; allowed: host:port"},
      {"pools: [web]\n", "c.yaml:1:8: pools: not a section"},
      {"- level\n", "c.yaml:1:1: the file: not a section"},
      {"just words\n", "c.yaml:1:1: the file: not a section"},
      {"? [a]\n: 1\n", "c.yaml:1:3: the file: a key that is no word"},
  };
  for (const auto& row : rows) {
    const auto& text = row.first;
    const auto& expected = row.second;
    CAPTURE(text);
    const Read read(text);
    REQUIRE_FALSE(read.errors.empty());
    CHECK_MESSAGE(read.errors.front().starts_with(expected), read.errors.front());
  }
}

TEST_CASE("all errors are told in one go") {
  const Read read("level: ten\nquick: 5\nnope: 1\nretry: {deadline: 1, buffer: 1}\nurl: unreachable\n");
  CAPTURE(read.all());
  CHECK(read.errors.size() == 6);
}

TEST_CASE("an unknown key is an error that names the nearest known one and all of them") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"levle: 1\n", "unknown key, did you mean 'level'?; allowed: url, quick, level, tags, retry, pools"},
      {"retry: {dead_line: 1s}\n",
       "retry.dead_line: unknown key, did you mean 'deadline'?; allowed: deadline, buffer, budget"},
      {"lb_try_durations: 1s\n", "unknown key, did you mean 'lb_try_duration'?"},
      {"something_else: 1\n", "something_else: unknown key; allowed: "},
      {"x: 1\n", "x: unknown key; allowed: "},
      {"tax: 1\n", "tax: unknown key; allowed: "},  // as near to tags as to any short word
      {"<<: {level: 1}\n", "<<: unknown key; allowed: "},
  };
  for (const auto& row : rows) {
    const auto& text = row.first;
    const auto& expected = row.second;
    CAPTURE(text);
    const Read read(text);
    REQUIRE(read.errors.size() == 1);
    CHECK_MESSAGE(read.errors.front().find(expected) != std::string::npos, read.errors.front());
  }
}

TEST_CASE("nothing may be given twice, nor under two names") {
  CHECK(Read("level: 1\nlevel: 2\n").all() == "c.yaml:2:1: level: given twice; allowed: each key once\n");
  CHECK(Read("retry: {deadline: 1s}\nlb_try_duration: 2s\n")
            .all()
            .starts_with("c.yaml:2:1: retry.deadline: given twice, first at c.yaml:1:9"));
  CHECK(Read("lb_try_duration: 2s\nretry: {deadline: 1s}\n")
            .all()
            .starts_with("c.yaml:2:9: retry.deadline: given twice"));
  CHECK(Read("pools:\n  a: {upstreams: ['h:1']}\n  a: {upstreams: ['h:2']}\n")
            .all()
            .starts_with("c.yaml:3:3: pools.a: given twice"));
}

TEST_CASE("what is no YAML is told with its place") {
  for (const std::string text : {"a: [1\n", "a: b: c\n", "\ta: 1\n", "a: *none\n", "%YAML 99\n%YAML 1\n"}) {
    CAPTURE(text);
    const Read read(text);
    REQUIRE_FALSE(read.errors.empty());
    CHECK_MESSAGE(read.errors.front().find("not valid YAML") != std::string::npos, read.errors.front());
    CHECK(read.errors.front().starts_with("c.yaml:"));
  }
}

TEST_CASE("a file that is not UTF-8 is an error at its first wrong byte") {
  const std::string said = "a byte that is not UTF-8; allowed: text in UTF-8, of which ASCII is a part\n";
  const std::vector<std::pair<std::string, std::string>> rows{
      {"name: gr\xfc\xdf", "1:9"},                     // Latin-1
      {"name: \xc0\x92", "1:7"},                       // overlong
      {"level: 1\n# gr\xc3\xbc\xdf\nname: a", "2:7"},  // a comment, after a character of two bytes
      {"\xff\xfel\0e\0"s, "1:1"},                      // UTF-16 with its mark
      {"l\0e\0v\0e\0l\0"s, "1:2"},                     // and without
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CHECK(Read(row.first).all() == "c.yaml:" + row.second + ": " + said);
  }
  CHECK(Read("\xef\xbb\xbfurl: grüß €🙂\n").all().empty());
}

TEST_CASE("a second document in a file is not silently left out") {
  const Read read("level: 1\n---\nlevel: 2\n");
  CHECK(read.all() == "c.yaml:2:1: a second document; allowed: one in a file\n");
}

TEST_CASE("what yaml-cpp would leave out after a stray comma is an error, soon") {
  for (const std::string text : {",", ",\nlevel: 1\n", "---\n,\nx\n", "level: 1\n---\n,\n"}) {
    CAPTURE(text);
    CHECK_FALSE(Read(text).errors.empty());
  }
}

TEST_CASE("deep nesting, references in a circle and bombs of references end in an error, soon") {
  CHECK(Read("tags: " + std::string(200'000, '[')).all().find("nested too deeply") != std::string::npos);
  CHECK(Read("retry: " + std::string(200'000, '{')).all().find("nested too deeply") != std::string::npos);
  CHECK_FALSE(Read("retry: &a {deadline: *a}\n").errors.empty());
  CHECK_FALSE(Read("pools: &p {web: *p}\n").errors.empty());
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(Read(bomb + "tags: *a29\n").errors.size() > 30);
}

TEST_CASE("lists, errors and words have bounds") {
  std::string tags = "tags: [";
  for (int i = 0; i < 5000; ++i) tags += "a,";
  CHECK(Read(tags + "a]\n").all() == "c.yaml:1:7: tags: too many; allowed: at most 4096\n");
  std::string pools = "pools:\n";
  for (int i = 0; i < 300; ++i) pools += "  p" + std::to_string(i) + ": {upstreams: ['h:1']}\n";
  CHECK(Read(pools).all().find("pools: too many; allowed: at most 256") != std::string::npos);
  std::string upstreams = "pools: {a: {upstreams: [";
  for (int i = 0; i < 300; ++i) upstreams += "'h:1',";
  CHECK(Read(upstreams + "]}}\n").all().find("upstreams: too many; allowed: at most 256") != std::string::npos);
  std::string unknown;
  for (int i = 0; i < 1000; ++i) unknown += "unknown_" + std::to_string(i) + ": 1\n";
  const Read read(unknown);
  CHECK(read.errors.size() == 101);
  CHECK(read.errors.back() == "c.yaml: and 900 more errors");
  CHECK(Read(std::string(900, 'k') + ": " + std::string(900, 'v')).all().size() < 300);
}

TEST_CASE("an error is one line that a terminal does not obey") {
  const Read read(
      "level: \"\\e[2J\\n\"\n\"\\e]0;title\\a\": 1\npools: {\"\\e[2J\": {policy: x, upstreams: ['h:1']}}\n");
  CHECK(read.errors.size() == 3);
  for (const std::string& error : read.errors) {
    CHECK(std::none_of(error.begin(), error.end(), [](char c) { return c >= 0 && c < 0x20; }));
  }
}

TEST_CASE("the environment outweighs the file, and its errors name the variable") {
  {
    const Variable variable("HOLDFAST_TEST_LEVEL", "7");
    const Read read("level: 2\n");
    CHECK(read.all().empty());
    CHECK(read.config.level == 7);
  }
  {
    const Variable variable("HOLDFAST_TEST_LEVEL", "eleven");
    CHECK(Read("").all() ==
          "environment variable HOLDFAST_TEST_LEVEL: 'eleven': not a whole number; allowed: a number, -1 to 9\n");
  }
  {
    const Variable level("HOLDFAST_TEST_LEVEL", "\xc0\x92");
    CHECK(Read("level: 1\n").all() ==
          "environment variable HOLDFAST_TEST_LEVEL: '\\xc0\\x92': a byte that is not UTF-8; allowed: a number, -1 to "
          "9\n");
  }
  {
    const Variable variable("HOLDFAST_TEST_LEVEL", "");  // as good as unset
    CHECK(Read("level: 2\n").config.level == 2);
  }
  {
    const Variable variable("HOLDFAST_TEST_URL", "unreachable");  // wrong by its check
    CHECK(Read("url: fine\n").all() == "environment variable HOLDFAST_TEST_URL: url: cannot be reached\n");
  }
}

TEST_CASE("a check is told at its key's place, or at the file where the key was left out") {
  CHECK(Read("quick: true\nurl: unreachable\n").all() == "c.yaml:2:1: url: cannot be reached\n");
  CHECK(Read("pools:\n  web:\n    upstreams: []\n").all() == "c.yaml:3:5: pools.web.upstreams: empty\n");
  CHECK(Read("pools:\n  web:\n    policy: first\n").all() == "c.yaml: pools.web.upstreams: empty\n");
}

TEST_CASE("a secret stands neither in an error nor in the dump") {
  const Read wrong("url: \"pass\\nword\"\n");
  CHECK(wrong.errors.size() == 1);
  CHECK(wrong.all().find("pass") == std::string::npos);
  const Read right("url: password\n");
  CHECK(dump_config(right.keys).find("password") == std::string::npos);
  CHECK(dump_config(right.keys).find("url: \"(hidden)\"") != std::string::npos);
  CHECK(dump_config(Read("").keys).find("hidden") == std::string::npos);  // and none is not hidden
}

TEST_CASE("a dump reads back as the same configuration") {
  const Read first(
      "quick: true\nlevel: 0\ntags: [true, 'null']\nretry: {deadline: 1500ms, budget: 7%}\n"
      "pools: {'odd: name': {policy: first, upstreams: [{address: '[::1]:80', weight: 3}, 'h:1']}}\n");
  REQUIRE(first.all().empty());
  const std::string dump = dump_config(first.keys);
  const Read second(dump);
  CAPTURE(dump);
  CHECK(second.all().empty());
  CHECK(dump_config(second.keys) == dump);
  CHECK(second.config.retry.budget == 7);
  CHECK(second.config.tags == std::vector{"true"s, "null"s});
  REQUIRE(second.config.pools.size() == 1);
  CHECK(second.config.pools[0].name == "odd: name");
  REQUIRE(second.config.pools[0].servers.size() == 2);
  CHECK(second.config.pools[0].servers[0].address == "[::1]:80");
  CHECK(second.config.pools[0].servers[0].weight == 3);
}

TEST_CASE("the reference has a row for each key, with default, range, variable and other names") {
  const Read read("");
  const std::string reference = config_reference(read.keys);
  for (const std::string part :
       {"| `level` | `3` | a number, -1 to 9 | how high (environment: `HOLDFAST_TEST_LEVEL`) |",
        "| `retry.deadline` | `5s` |", "| `pools.NAME.policy` | `round_robin` | round_robin, first | who is next |",
        "| `pools.NAME.upstreams[].weight` | `1` | a number, 1 to 100 | its share |",
        "| `lb_try_duration` | | | another name for `retry.deadline` |"}) {
    CAPTURE(part);
    CHECK(reference.find(part) != std::string::npos);
  }
}

TEST_CASE("a file is read, whatever its line ends") {
  const Folder folder;
  CHECK(errors_of_file(folder.write("good.yaml", "level: 1\r\nquick: true\r\n")).empty());
  const std::string bad = folder.write("bad.yaml", "level: x\n");
  REQUIRE(errors_of_file(bad).size() == 1);
  CHECK(errors_of_file(bad).front().starts_with(bad + ":1:8: level: 'x'"));
}

TEST_CASE("a file that cannot be read whole is an error, never an empty configuration") {
  const Folder folder;
  const auto said = [](const std::string& file) {
    const auto errors = errors_of_file(file);
    REQUIRE_MESSAGE(errors.size() == 1, file);
    return errors.front();
  };
  CHECK(said((folder.path / "none.yaml").string()).find("No such file") != std::string::npos);
  CHECK(said(folder.path.string()).find("not a file") != std::string::npos);
  CHECK(said(folder.write("large.yaml", std::string(1024 * 1024 + 1, '#'))).find("larger than 1 MiB") !=
        std::string::npos);
  CHECK(errors_of_file(folder.write("just.yaml", std::string(1024 * 1024, '#'))).empty());
  if (std::filesystem::exists("/proc/self/mem")) {  // opens, but its first page can't be read
    CHECK(said("/proc/self/mem").find("can't be read") != std::string::npos);
  }
  const std::string locked = folder.write("locked.yaml", "level: 1\n");
  chmod(locked.c_str(), 0);
  const bool is_root = geteuid() == 0;  // whom no mode keeps out
  if (is_root) REQUIRE(seteuid(65534) == 0);
  const auto errors = errors_of_file(locked);
  if (is_root) REQUIRE(seteuid(0) == 0);
  REQUIRE(errors.size() == 1);
  CHECK(errors.front() == locked + ": can't be opened; is it yours to read?");
}
