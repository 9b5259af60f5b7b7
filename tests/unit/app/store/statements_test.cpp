#include "app/store/statements.h"
#include "app/store/postgres_query.h"

#include <doctest/doctest.h>

using namespace holdfast::app;

TEST_CASE("every item of an array literal is quoted, so that none is taken for NULL or for two") {
  CHECK(array_literal({}) == "{}");
  CHECK(array_literal({"abc"}) == R"({"abc"})");
  CHECK(array_literal({"NULL", "a,b", "x\"y", "z\\"}) == R"({"NULL","a,b","x\"y","z\\"})");
}

TEST_CASE("an SQLSTATE tells a taken code from a server that is away, and both from a mistake of ours") {
  CHECK(status_of("23505") == PgStatus::UniqueViolation);
  CHECK(status_of("40001") == PgStatus::Conflict);
  CHECK(status_of("40P01") == PgStatus::Conflict);
  CHECK(status_of("57014") == PgStatus::Timeout);
  for (const char* away : {"", "08006", "53300", "57P01", "57P03", "58030", "25006"}) {
    CAPTURE(away);
    CHECK(status_of(away) == PgStatus::Unavailable);
  }
  for (const char* ours : {"42601", "42P01", "22001", "23514", "26000"}) {
    CAPTURE(ours);
    CHECK(status_of(ours) == PgStatus::Bug);
  }
}

TEST_CASE("no statement is prepared under the name of another") {
  for (const StatementInfo& one : kStatements) {
    for (const StatementInfo& other : kStatements) {
      if (one.id != other.id) CHECK(std::string_view(one.name) != other.name);
    }
  }
}
