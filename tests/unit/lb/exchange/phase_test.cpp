#include "lb/exchange/phase.h"

#include <doctest/doctest.h>
#include <initializer_list>

using namespace holdfast::lb;

namespace {
constexpr std::initializer_list<Phase> kAll{Phase::Picking, Phase::Queued,     Phase::Connecting, Phase::Waiting,
                                            Phase::Holding, Phase::Responding, Phase::Done};
}

TEST_CASE("once the client has seen a byte there is no way back to another server") {
  for (const Phase to : kAll) CHECK(is_edge(Phase::Responding, to) == (to == Phase::Done));
}

TEST_CASE("every phase may end and the last one goes nowhere") {
  for (const Phase from : kAll) {
    CHECK(is_edge(from, Phase::Done) == (from != Phase::Done));
    CHECK_FALSE(is_edge(Phase::Done, from));
  }
}

TEST_CASE("a request is not sent before a server was picked, nor a response passed on before it began") {
  CHECK_FALSE(is_edge(Phase::Queued, Phase::Waiting));
  CHECK_FALSE(is_edge(Phase::Queued, Phase::Connecting));
  CHECK_FALSE(is_edge(Phase::Picking, Phase::Responding));
  CHECK_FALSE(is_edge(Phase::Connecting, Phase::Responding));
}
