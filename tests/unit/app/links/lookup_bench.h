// A look-up between stores that do what a test says, and when it says so.
#pragma once

#include "app/links/lookup.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::app {

struct Link {
  std::string target;
  bool is_deleted = false;
};

/// A database that answers when the test says so.
class FakeDatabase final : public LinkDatabase, public ReplicaDatabase {
 public:
  using Receiver = LinkDatabase::Receiver;
  explicit FakeDatabase(Tier its_tier) : tier(its_tier) {}
  bool is_available() const override { return available; }
  void ask(const std::vector<std::string_view>& codes, Receiver& receiver) override {
    flights.emplace_back(codes.begin(), codes.end());
    receivers_.push_back(&receiver);
  }
  void ask(const std::vector<std::string_view>& codes, std::uint64_t lsn_min, Receiver& receiver) override {
    if (lsn_min > lsn) return receiver.on_rows(tier, Asked::Skipped, {});
    ask(codes, receiver);
  }
  std::uint64_t replayed() const override { return lsn; }
  std::uint64_t replayed_by_all() const override { return lsn; }
  void hurry() override {}
  /// Lands the last flight, or that one of them.
  void answer(Asked asked = Asked::Hit) { answer(flights.size() - 1, asked); }
  void answer(std::size_t flight, Asked asked) {
    std::vector<FoundLink> rows;
    for (const std::string& code : flights[flight]) {
      const auto found = links.find(code);
      if (found != links.end()) rows.push_back({found->first, found->second.target, found->second.is_deleted});
    }
    receivers_[flight]->on_rows(tier, asked, asked == Asked::Hit ? rows : std::vector<FoundLink>{});
  }

  Tier tier;
  bool available = true;
  std::uint64_t lsn = 1000;
  std::map<std::string, Link, std::less<>> links;
  std::vector<std::vector<std::string>> flights;

 private:
  std::vector<Receiver*> receivers_;
};

/// A Redis that answers at once.
class FakeShared final : public SharedCache {
 public:
  bool is_available() const override { return available; }
  bool ask(std::string_view code, Receiver& receiver) override {
    if (!available) return false;
    const auto found = values.find(code);
    if (found == values.end()) {
      receiver.on_cached(code, Asked::Miss, {}, Proof::Unproven);
    } else {
      receiver.on_cached(code, Asked::Hit, {code, found->second.target, found->second.is_deleted}, Proof::Proven);
    }
    return true;
  }
  void fill(std::string_view code, std::string_view target, Proof proof) override {
    values.try_emplace(std::string(code), Link{std::string(target)});
    proofs[std::string(code)] = proof;
  }
  void put(std::string_view code, std::string_view target, std::function<void()> done) override {
    values[std::string(code)] = {std::string(target)};
    done();
  }
  void bury(std::string_view code, std::function<void()> done) override {
    values[std::string(code)] = {{}, true};
    if (done) done();
  }
  void forget(std::string_view code, std::function<void()> done) override {
    values.erase(std::string(code));
    if (done) done();
  }

  bool available = true;
  std::map<std::string, Link, std::less<>> values;
  std::map<std::string, Proof> proofs;
};

struct Answer {
  Outcome outcome;
  std::string target;
};

class Waiter final : public LookupWaiter {
 public:
  explicit Waiter(std::vector<Answer>& answers) : answers_(answers) {}
  void on_looked_up(const LookupAnswer& answer) override {
    answers_.push_back({answer.outcome, std::string(answer.target)});
  }

 private:
  std::vector<Answer>& answers_;
};

struct Bench {
  explicit Bench(LookupSettings settings = {}, CacheSettings cache_settings = {}, bool has_redis = true)
      : cache(cache_settings),
        lookup(loop, timeouts, settings, cache, has_redis ? &redis : nullptr, replica, primary, *counters) {}
  ~Bench() { loop.settle(); }

  void find(std::string_view code) { lookup.find(code, std::make_unique<Waiter>(answers)); }
  std::uint64_t count(AppCounter counter) { return (*counters)[counter].value(); }

  Loop loop;
  Timeouts timeouts{loop};
  std::unique_ptr<AppCounters> counters = std::make_unique<AppCounters>();
  LinkCache cache;
  FakeShared redis;
  FakeDatabase replica{Tier::Replica};
  FakeDatabase primary{Tier::Primary};
  Lookup lookup;
  std::vector<Answer> answers;
};

}  // namespace holdfast::app
