#include "app/links/cache.h"

#include <doctest/doctest.h>
#include <string>

using namespace holdfast;
using namespace holdfast::app;
using namespace std::chrono_literals;

namespace {

constexpr double kNoSpread = 0.5;  // the middle of ±10 %

TimePoint at(std::chrono::milliseconds time) { return TimePoint(1'000'000ms + time); }

bool is_fresh_at(LinkCache& cache, std::string_view code, std::chrono::milliseconds time) {
  const CacheEntry* entry = cache.find(code, at(time));
  return entry != nullptr && LinkCache::is_fresh(*entry, at(time));
}

}  // namespace

TEST_CASE("a link is fresh for the TTL from its fill, however often it is hit meanwhile") {
  LinkCache cache({});
  cache.fill("a", "http://x/", Proof::Proven, at(0ms), kNoSpread);
  for (auto time = 0ms; time < 30'000ms; time += 1'000ms) CHECK(is_fresh_at(cache, "a", time));
  CHECK_FALSE(is_fresh_at(cache, "a", 30'001ms));
}

TEST_CASE("what a replica said is fresh for a shorter time") {
  LinkCache cache({});
  cache.fill("a", "http://x/", Proof::Unproven, at(0ms), kNoSpread);
  CHECK(is_fresh_at(cache, "a", 4'999ms));
  CHECK_FALSE(is_fresh_at(cache, "a", 5'001ms));
}

TEST_CASE("the TTL is spread by a tenth to both sides") {
  LinkCache cache({});
  cache.fill("early", "http://x/", Proof::Proven, at(0ms), 0.0);
  cache.fill("late", "http://x/", Proof::Proven, at(0ms), 1.0);
  CHECK_FALSE(is_fresh_at(cache, "early", 27'001ms));
  CHECK(is_fresh_at(cache, "late", 32'900ms));
}

TEST_CASE("an old copy stays for the hours in which nobody else answers, and no longer") {
  LinkCache cache({.stale_max = 1h});
  cache.fill("a", "http://x/", Proof::Proven, at(0ms), kNoSpread);
  CHECK(cache.find("a", at(1h)) != nullptr);
  CHECK(cache.find("a", at(1h + 1ms)) == nullptr);
  CHECK(cache.entries() == 0);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("a reader that looked before the deletion does not bring the link back") {
  LinkCache cache({});
  cache.fill("a", "http://x/", Proof::Proven, at(0ms), kNoSpread);
  cache.bury("a", at(10ms), kNoSpread);
  cache.fill("a", "http://x/", Proof::Unproven, at(20ms), kNoSpread);
  const CacheEntry* entry = cache.find("a", at(30ms));
  REQUIRE(entry != nullptr);
  CHECK(entry->is_deleted);
  CHECK(entry->target.empty());
}

TEST_CASE("the writer's word replaces whatever is there") {
  LinkCache cache({});
  cache.bury("a", at(0ms), kNoSpread);
  cache.put("a", "http://y/", at(1ms), kNoSpread);
  const CacheEntry* entry = cache.find("a", at(2ms));
  REQUIRE(entry != nullptr);
  CHECK_FALSE(entry->is_deleted);
  CHECK(entry->target == "http://y/");
  cache.forget("a");
  CHECK(cache.find("a", at(2ms)) == nullptr);
}

TEST_CASE("memory stays within its bound, whatever is filled in, and all of it is given back") {
  LinkCache cache({.bytes_max = 100'000});
  for (int i = 0; i < 5'000; ++i) {
    cache.fill(std::to_string(i), "http://x/" + std::string(static_cast<std::size_t>(i % 3'000), 'a'), Proof::Proven,
               at(0ms), kNoSpread);
    CHECK(cache.bytes() <= 100'000);
  }
  CHECK(cache.entries() > 10);
  CHECK(cache.evictions() > 4'000);
  for (int i = 0; i < 5'000; ++i) cache.forget(std::to_string(i));
  CHECK(cache.bytes() == 0);
}

TEST_CASE("what is hit again survives a scan of links that are used once") {
  LinkCache cache({.bytes_max = 50'000});
  cache.fill("hot", "http://hot/", Proof::Proven, at(0ms), kNoSpread);
  for (int i = 0; i < 10'000; ++i) {
    CHECK(cache.find("hot", at(1ms)) != nullptr);
    cache.fill("cold" + std::to_string(i), "http://cold/", Proof::Proven, at(1ms), kNoSpread);
  }
}
