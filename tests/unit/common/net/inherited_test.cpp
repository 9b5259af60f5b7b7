#include "common/net/inherited.h"

#include <doctest/doctest.h>
#include <unistd.h>
#include <cstdlib>
#include <string>

using namespace holdfast;

TEST_CASE("sockets meant for another process, or none, are not taken") {
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_PID", std::to_string(getpid() + 1).c_str(), 1);
  CHECK(adopt_inherited_sockets() == 0);
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
  CHECK(std::getenv("LISTEN_PID") == nullptr);
  for (const char* count : {"0", "-1", "many", ""}) {
    setenv("LISTEN_FDS", count, 1);
    CHECK(adopt_inherited_sockets() == 0);
  }
  CHECK(adopt_inherited_sockets() == 0);
  CHECK_FALSE(has_inherited_socket(*Address::parse("127.0.0.1:0")));
  CHECK(inherited_sockets_left() == 0);
}
