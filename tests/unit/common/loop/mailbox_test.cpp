#include "common/loop/mailbox.h"

#include <doctest/doctest.h>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace holdfast;

TEST_CASE("tasks run on the loop's thread, in the order in which they were posted") {
  Loop loop;
  const Mailbox inbox(loop);
  std::vector<int> seen;
  std::thread other([&, inbox_of = inbox.sender()] {
    for (int i = 0; i < 100; ++i) CHECK(inbox_of.post([&seen, i] { seen.push_back(i); }));
    CHECK(inbox_of.post([&loop] { loop.stop(); }));
  });
  loop.run();
  other.join();
  REQUIRE(seen.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a task for a receiver that is gone is dropped, not run") {
  bool has_run = false;
  auto owned = std::make_shared<int>(1);
  {
    Loop loop;
    auto inbox = std::make_optional<Mailbox>(loop);
    const Mailbox::Sender sender = inbox->sender();
    CHECK(sender.post([&has_run, owned] { has_run = true; }));
    inbox.reset();
    CHECK(owned.use_count() == 1);
    CHECK_FALSE(sender.post([&has_run] { has_run = true; }));
  }
  CHECK_FALSE(has_run);
}

TEST_CASE("a sender may outlive the loop") {
  auto loop = std::make_unique<Loop>();
  auto inbox = std::make_unique<Mailbox>(*loop);
  const Mailbox::Sender sender = inbox->sender();
  inbox.reset();
  loop.reset();
  CHECK_FALSE(sender.post([] {}));
}

TEST_CASE("a task may end the receiver: those behind it are dropped") {
  Loop loop;
  auto inbox = std::make_unique<Mailbox>(loop);
  bool has_run = false;
  inbox->post([&] { inbox.reset(); });
  inbox->post([&] { has_run = true; });
  loop.run();  // nothing is left in it
  CHECK_FALSE(has_run);
}

TEST_CASE("posting while the receiver goes is safe") {
  for (int round = 0; round < 200; ++round) {
    Loop loop;
    auto inbox = std::make_unique<Mailbox>(loop);
    std::atomic<bool> has_begun{false};
    std::thread other([&has_begun, sender = inbox->sender()] {
      has_begun = true;
      while (sender.post([] {})) {
      }
    });
    while (!has_begun) {
    }
    inbox.reset();
    other.join();
  }
}
