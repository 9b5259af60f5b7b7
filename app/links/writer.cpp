#include "app/links/writer.h"

#include "app/links/code.h"
#include "app/store/breaker.h"
#include "app/store/sha256.h"
#include "common/log.h"

#include <utility>

namespace holdfast::app {
namespace {

/// A random code that is taken is replaced so often; then one letter more is used.
constexpr int kCollisionsMax = 5;

}  // namespace

struct LinkWriter::Creation {
  NewLink link;
  std::unique_ptr<CreateUser> user;
  std::string code;
  std::string body;
  int collisions = 0;
};

class LinkWriter::CreateQuery final : public PgQuery {
 public:
  CreateQuery(LinkWriter& writer, std::shared_ptr<Creation> creation)
      : PgQuery(creation->link.key.empty() ? Statement::CreateLink : Statement::CreateLinkOnce),
        writer_(writer),
        creation_(std::move(creation)) {
    const NewLink& link = creation_->link;
    add(creation_->code);
    add(link.target);
    add("\\x" + sha256_hex(link.target));
    add(link.created_at);
    if (link.key.empty()) return;
    add(link.scope);
    add(link.key);
    add("\\x" + link.fingerprint);
    add(creation_->body);
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_answer(std::move(creation_), answer); }

 private:
  LinkWriter& writer_;
  std::shared_ptr<Creation> creation_;
};

class LinkWriter::DeleteQuery final : public PgQuery {
 public:
  DeleteQuery(LinkWriter& writer, std::string_view code, std::unique_ptr<DeleteUser> user)
      : PgQuery(Statement::DeleteLink), writer_(writer), code_(code), user_(std::move(user)) {
    add(code_);
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_removed(code_, std::move(user_), answer); }

 private:
  LinkWriter& writer_;
  std::string code_;
  std::unique_ptr<DeleteUser> user_;
};

void LinkWriter::create(NewLink link, std::unique_ptr<CreateUser> user) {
  auto creation = std::make_shared<Creation>();  // shared, since Redis' answer is waited for by a copyable function
  creation->link = std::move(link);
  creation->user = std::move(user);
  attempt(std::move(creation));
}

void LinkWriter::attempt(std::shared_ptr<Creation> creation) {
  const std::size_t length = kCodeLength + (creation->collisions >= kCollisionsMax ? 1 : 0);
  creation->code = creation->link.slug.empty() ? random_code(length) : creation->link.slug;
  creation->body = creation->user->response_for(creation->code);
  primary_.send(std::make_unique<CreateQuery>(*this, std::move(creation)), deadline_);
}

void LinkWriter::on_answer(std::shared_ptr<Creation> creation, const PgAnswer& answer) {
  CreateUser& user = *creation->user;
  const bool has_key = !creation->link.key.empty();
  if (answer.status() == PgStatus::UniqueViolation) {
    if (!creation->link.slug.empty()) return user.on_created(Created::SlugTaken, {});
    counters_[AppCounter::CodeCollisions].add();
    if (++creation->collisions > 2 * kCollisionsMax) return user.on_created(Created::Unavailable, {});
    return attempt(std::move(creation));
  }
  if (answer.status() == PgStatus::Timeout && !answer.is_lost() && has_key) {
    return user.on_created(Created::InProgress, {});  // it waited for the first one's outcome
  }
  if (!answer.is_ok() || (has_key && answer.rows() != 1)) {
    log::warn_limited("create failed", "primary", {{"why", name_of(answer.status())}, {"said", answer.why()}});
    return user.on_created(Created::Unavailable, {});
  }
  if (has_key && !answer.is_true(0, 0)) {
    const bool matches = answer.is_true(0, 1);
    counters_[matches ? AppCounter::IdempotencyReplays : AppCounter::IdempotencyMismatches].add();
    return user.on_created(matches ? Created::Replayed : Created::KeyMismatch, answer.text(0, 2));
  }
  if (has_key) counters_[AppCounter::IdempotencyFresh].add();
  lookup_.supersede(creation->code);
  cache_.put(creation->code, creation->link.target, loop_.now(), random_share());
  const auto done = [creation] { creation->user->on_created(Created::Fresh, creation->body); };
  if (shared_ == nullptr) return done();
  shared_->put(creation->code, creation->link.target, done);
}

void LinkWriter::remove(std::string_view code, std::unique_ptr<DeleteUser> user) {
  primary_.send(std::make_unique<DeleteQuery>(*this, code, std::move(user)), deadline_);
}

void LinkWriter::on_removed(const std::string& code, std::shared_ptr<DeleteUser> user, const PgAnswer& answer) {
  if (!answer.is_ok()) {
    log::warn_limited("delete failed", "primary", {{"why", name_of(answer.status())}, {"said", answer.why()}});
    return user->on_deleted(Deleted::Unavailable);
  }
  if (answer.rows() == 0) return user->on_deleted(Deleted::NotFound);
  lookup_.supersede(code);
  cache_.bury(code, loop_.now(), random_share());
  const auto done = [user] { user->on_deleted(Deleted::Done); };
  if (shared_ == nullptr) return done();
  shared_->bury(code, done);
}

}  // namespace holdfast::app
