#include "lb/descriptors.h"

#include <doctest/doctest.h>

using namespace holdfast::lb;

namespace {

Settings settings_with(std::size_t connections, std::size_t servers) {
  Settings settings;
  settings.limits.connections = connections;
  settings.pools.emplace_back();
  settings.pools.back().servers.resize(servers);
  return settings;
}

}  // namespace

TEST_CASE("all shares together fit into the descriptors, with a connection to a server for each client") {
  for (const std::size_t files : {128UL, 256UL, 1024UL, 20'000UL, 1'000'000UL}) {
    for (const std::size_t workers : {1UL, 2UL, 4UL}) {
      for (const std::size_t servers : {1UL, 2UL, 20UL}) {
        const Settings settings = settings_with(1'000'000, servers);
        const auto shares = share_descriptors(files, settings, workers);
        CAPTURE(files);
        CAPTURE(workers);
        CAPTURE(servers);
        REQUIRE(shares.has_value());
        const std::size_t used = 2 * shares->clients + shares->idle_each * servers * workers + shares->admin + servers;
        CHECK(used < files);
        CHECK(shares->clients >= 4);
        CHECK(files - used >= 32 + 8 * workers);
      }
    }
  }
}

TEST_CASE("with descriptors enough everybody gets what is configured") {
  const auto shares = share_descriptors(100'000, settings_with(10'000, 4), 2);
  REQUIRE(shares.has_value());
  CHECK(shares->clients == 10'000);
  CHECK(shares->idle_each == 1024);
  CHECK(shares->admin == 100);
}

TEST_CASE("a limit of connections that is small by wish is no shortage") {
  CHECK(share_descriptors(1024, settings_with(1, 1), 1).value().clients == 1);
}

TEST_CASE("descriptors that suffice for nobody are an error") {
  CHECK_FALSE(share_descriptors(60, settings_with(10, 1), 1).has_value());
}
