// Reads the include lines of the repository and fails on an arrow that points the wrong way (docs/architecture.md).
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// A room (a folder, or a file without its suffix) and the rooms right below it. It may include these, all that they
/// may include, and itself. The row with the longest path that fits a file is that file's.
struct Room {
  std::string_view path;
  std::vector<std::string_view> below;
};

const std::vector<Room> kRooms{
    // The load balancer, in the order of the data.
    {"lb/main", {"lb/control", "lb/preflight"}},
    {"lb/preflight", {"lb/access_log", "lb/descriptors"}},
    {"lb/control",
     {"lb/worker", "lb/handover", "lb/dns", "lb/health", "lb/admin", "lb/config", "lb/reload", "lb/descriptors"}},
    {"lb/handover", {"common"}},
    {"lb/reload", {"lb/health", "lb/config"}},
    {"lb/descriptors", {"lb/pool"}},
    {"lb/worker", {"lb/downstream"}},
    {"lb/downstream", {"lb/exchange"}},
    {"lb/exchange", {"lb/balance", "lb/upstream", "lb/health/passive", "lb/access_log"}},
    {"lb/admin", {"lb/health", "lb/access_log", "lb/reload"}},  // shows what they know
    {"lb/access_log", {"lb/pool"}},
    {"lb/balance", {"lb/pool"}},
    {"lb/upstream", {"lb/pool"}},
    {"lb/dns", {"lb/health"}},
    {"lb/health", {"lb/health/passive"}},
    {"lb/health/passive", {"lb/pool"}},
    {"lb/config", {"lb/pool"}},
    {"lb/pool", {"lb/metrics", "lb/routing"}},
    {"lb/routing", {"common"}},
    {"lb/metrics", {"lb/reasons"}},
    {"lb/reasons", {"common"}},
    // The shortener.
    {"app/main", {"app/serve", "app/worker", "app/check", "app/operate"}},
    {"app/check", {"app/config"}},
    {"app/operate", {"app/config", "app/clicks"}},
    {"app/serve", {"app/service"}},
    {"app/worker", {"app/http", "app/config"}},
    {"app/service", {"app/http", "app/clicks", "app/config"}},
    {"app/http", {"app/links", "app/clicks", "app/keys"}},
    {"app/config", {"app/links", "app/keys", "app/clicks/settings"}},
    {"app/links", {"app/store", "app/metrics", "app/links/code"}},
    {"app/links/code", {"common"}},
    {"app/clicks", {"app/store", "app/clicks/settings"}},
    {"app/clicks/settings", {"common"}},
    {"app/keys", {"app/store", "app/metrics", "app/links/code"}},
    {"app/metrics", {"app/links/stores"}},  // counts by the names of tiers and answers
    {"app/links/stores", {"app/links/cache"}},
    {"app/links/cache", {"app/links/link"}},
    {"app/links/link", {"app/links/rules", "app/links/host"}},
    {"app/links/host", {"common"}},
    {"app/links/rules", {"common"}},
    {"app/store", {"common"}},
    // What both stand on.
    {"common/http", {"common/net"}},
    {"common/config", {"common/net"}},
    {"common/metrics", {"common/net", "common/version"}},
    {"common/net", {"common/loop", "common/result"}},
    {"common/loop", {"common/memory", "common/log", "common/result"}},
    {"common/memory", {"common/assert"}},
    {"common/log", {"common/escape", "common/repeat_limit", "common/time_text", "common/units"}},
    {"common/time_text", {}},
    {"common/escape", {}},
    {"common/html", {}},
    {"common/json", {}},
    {"common/repeat_limit", {}},
    {"common/units", {}},
    {"common/assert", {}},
    {"common/result", {}},
    {"common/version", {}},
};

/// Files that few may see: who else includes them does what belongs there.
struct Kept {
  std::string_view file;  // how the include line begins
  std::vector<std::string_view> by;
};

const std::vector<Kept> kKept{
    {"yaml-cpp/", {"common/config/"}},
    {"common/config/keys.h", {"common/config/", "lb/config", "app/config.cpp"}},
    {"spdlog/", {"common/log.cpp"}},
    {"prometheus/", {"common/metrics/registry.cpp"}},
    {"llhttp", {"common/http/parser."}},
    {"libpq-fe.h", {"app/store/"}},
    {"hiredis/", {"app/store/"}},
    {"qrencode.h", {"app/http/qr.cpp"}},
    {"png.h", {"app/http/qr.cpp"}},
    {"idn2.h", {"app/links/host.cpp"}},
    {"CLI/", {"lb/main.cpp", "app/main.cpp", "app/operate/commands."}},
    {"tests/", {"tests/"}},
};

/// Whether `path` is `room` or stands in it.
bool is_in(std::string_view path, std::string_view room) {
  return path.starts_with(room) && (path.size() == room.size() || path[room.size()] == '/' || path[room.size()] == '.');
}

const Room* room_of(std::string_view path) {
  const Room* found = nullptr;
  for (const Room& room : kRooms) {
    if (is_in(path, room.path) && (found == nullptr || room.path.size() > found->path.size())) found = &room;
  }
  return found;
}

/// Adds all rooms that may be included from `room`, itself too.
void add_reachable(const Room& room, std::set<std::string_view>& reachable) {
  if (!reachable.insert(room.path).second) return;
  for (const Room& other : kRooms) {
    const bool is_below = std::any_of(room.below.begin(), room.below.end(), [&](std::string_view below) {
      return other.path == below || (below == "common" && is_in(other.path, "common"));
    });
    if (is_below) add_reachable(other, reachable);
  }
}

/// What is wrong with an include line of `file`; empty where it is well.
std::string wrong_with(const std::string& file, const std::string& included) {
  const std::string line = file + " includes " + included + ": ";
  for (const Kept& kept : kKept) {
    if (!included.starts_with(kept.file)) continue;
    const bool may =
        std::any_of(kept.by.begin(), kept.by.end(), [&](std::string_view by) { return file.starts_with(by); });
    if (!may) return line + "that is kept to " + std::string(kept.by.front());
  }
  const bool is_ours = std::any_of(kRooms.begin(), kRooms.end(), [&](const Room& room) {
    return is_in(included, room.path.substr(0, room.path.find('/')));
  });
  if (!is_ours) return "";
  const Room* from = room_of(file);
  const Room* to = room_of(included);
  if (from == nullptr || to == nullptr) {
    return line + (from == nullptr ? file : included) +
           " stands in no room; give it a row in tests/unit/layers_test.cpp";
  }
  std::set<std::string_view> reachable;
  add_reachable(*from, reachable);
  if (reachable.contains(to->path)) return "";
  return line + std::string(from->path) + " may not know " + std::string(to->path);
}

struct Source {
  std::string file;  // from the repository's root
  std::vector<std::string> ours;
  std::vector<std::string> all;
  bool has_pragma_once = false;
};

std::vector<Source> sources() {
  static const std::regex kInclude(R"(^\s*#\s*include\s*(["<])([^">]+)[">].*)");
  const std::filesystem::path root = HOLDFAST_SOURCE_DIR;
  std::vector<Source> found;
  for (const char* top : {"common", "lb", "app"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
      if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
      Source& source = found.emplace_back();
      source.file = std::filesystem::relative(entry.path(), root).generic_string();
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        source.has_pragma_once = source.has_pragma_once || line == "#pragma once";
        std::smatch match;
        if (!std::regex_match(line, match, kInclude)) continue;
        source.all.push_back(match[2]);
        if (match[1] == "\"") source.ours.push_back(match[2]);
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("no include line points up, across, or past a room that keeps its library to itself") {
  const auto all = sources();
  REQUIRE(all.size() > 50);
  for (const Source& source : all) {
    for (const std::string& included : source.all) {
      const std::string wrong = wrong_with(source.file, included);
      CHECK_MESSAGE(wrong.empty(), wrong);
    }
  }
}

TEST_CASE("include lines in quotes begin at the repository's root") {
  for (const Source& source : sources()) {
    for (const std::string& included : source.ours) {
      const bool is_there = std::filesystem::exists(std::filesystem::path(HOLDFAST_SOURCE_DIR) / included);
      CHECK_MESSAGE(is_there, source.file << " includes \"" << included << "\", which is no file of the repository");
    }
  }
}

TEST_CASE("a source includes its own header first, so that each header stands alone") {
  for (const Source& source : sources()) {
    if (source.file.ends_with(".h")) {
      CHECK_MESSAGE(source.has_pragma_once, source.file << " has no #pragma once");
      continue;
    }
    const std::string header = source.file.substr(0, source.file.size() - 3) + "h";
    if (!std::filesystem::exists(std::filesystem::path(HOLDFAST_SOURCE_DIR) / header)) continue;
    REQUIRE_FALSE(source.all.empty());
    CHECK_MESSAGE(source.all.front() == header, source.file << " includes " << source.all.front() << " first");
  }
}

TEST_CASE("the arrows of the table name rooms of the table and never lead back") {
  for (const Room& room : kRooms) {
    CAPTURE(room.path);
    for (const std::string_view below : room.below) {
      CAPTURE(below);
      const Room* found = room_of(below);
      CHECK((below == "common" || (found != nullptr && found->path == below)));
      if (found == nullptr) continue;
      std::set<std::string_view> reachable;
      add_reachable(*found, reachable);
      CHECK_FALSE(reachable.contains(room.path));
    }
  }
}

TEST_CASE("the rule of the rooms tells right arrows from wrong ones") {
  const auto is_well = [](const char* file, const char* included) { return wrong_with(file, included).empty(); };
  CHECK(is_well("lb/worker.cpp", "lb/pool/server.h"));
  CHECK(is_well("lb/exchange/exchange.cpp", "common/http/head.h"));
  CHECK(is_well("app/http/links_api.cpp", "app/store/hashes.h"));
  CHECK(is_well("common/net/stream.cpp", "common/assert.h"));
  CHECK(is_well("lb/pool/state.cpp", "vector"));
  CHECK_FALSE(is_well("lb/worker.cpp", "app/config.h"));
  CHECK_FALSE(is_well("app/config.cpp", "lb/config.h"));
  CHECK_FALSE(is_well("common/log.cpp", "lb/reasons.h"));
  CHECK_FALSE(is_well("lb/pool/state.cpp", "lb/exchange/exchange.h"));
  CHECK_FALSE(is_well("lb/exchange/exchange.cpp", "lb/health/prober.h"));
  CHECK_FALSE(is_well("lb/balance/policy.cpp", "lb/upstream/connection.h"));
  CHECK_FALSE(is_well("app/store/redis.cpp", "app/links/cache.h"));
  CHECK_FALSE(is_well("common/net/stream.h", "common/http/head.h"));
  CHECK_FALSE(is_well("common/loop/loop.h", "common/net/address.h"));
  CHECK_FALSE(is_well("lb/worker.cpp", "common/config/keys.h"));
  CHECK_FALSE(is_well("lb/config.cpp", "yaml-cpp/yaml.h"));
  CHECK_FALSE(is_well("lb/new_room/thing.cpp", "common/log.h"));
}
