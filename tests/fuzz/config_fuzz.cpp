// Whatever a configuration file holds, reading it ends, and its errors are lines that a terminal does not obey. A
// configuration without error dumps as one that reads back as the same.
#include "common/config/keys.h"
#include "common/units.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

using namespace holdfast;
using namespace std::chrono_literals;

namespace {

struct Server {
  std::string address;
  unsigned weight = 1;
};
void describe(Keys& keys, Server& server) {
  keys.add("address", server.address, "");
  keys.add("weight", server.weight, "", 1U, 100U);
}

struct Pool {
  std::string name;
  std::vector<Server> servers;
  std::chrono::milliseconds deadline = 5s;
};
void describe(Keys& keys, Pool& pool) {
  keys.list_of<Server>("upstreams", pool.servers, "", "", [](Server& server, std::string_view text) -> Wrong {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20) return "a control byte";
    }
    server.address = text;
    return std::nullopt;
  });
  keys.add("deadline", pool.deadline, "", 0ms, 1h);
}

struct Config {
  std::string text;
  bool flag = false;
  int number = 0;
  std::size_t size = 0;
  unsigned share = 20;
  Pool section;
  std::vector<Pool> pools;
};
void describe(Keys& keys, Config& config) {
  keys.add("text", config.text, "");
  keys.add("flag", config.flag, "");
  keys.add("number", config.number, "", -10, 10);
  keys.add_size("size", config.size, "", 0, 1_MiB);
  keys.add_percent("share", config.share, "", 0, 100);
  keys.section("section", config.section, "");
  keys.map("pools", config.pools, "");
  keys.alias("wait", "section.deadline");
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Config config;
  Keys keys;
  describe(keys, config);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> errors = read_config_text("f", text, keys);
  for (const std::string& error : errors) {
    for (const char c : error) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  if (!errors.empty()) return 0;
  const std::string dump = dump_config(keys);
  Config again;
  Keys keys_again;
  describe(keys_again, again);
  require(read_config_text("dump", dump, keys_again).empty());
  require(dump_config(keys_again) == dump);
  return 0;
}
