#include "app/links/writer.h"

#include "app/links/code.h"
#include "app/store/breaker.h"
#include "common/json.h"
#include "common/log.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace holdfast::app {
namespace {

using Json = nlohmann::json;

/// A random code that is taken is replaced so often; then one letter more is used.
constexpr int kCollisionsMax = 5;
/// Of many links at once each has so many codes to choose from, the last ones longer.
constexpr int kCodesOfMany = 3;

void log_failure(std::string_view event, const PgAnswer& answer) {
  log::warn_limited(event, "primary", {{"why", name_of(answer.status())}, {"said", answer.why()}});
}

/// What an answer without rows of use says about a statement with a key. `has_key` false: nothing else is known.
Created outcome_of_failure(const PgAnswer& answer, bool has_key) {
  // It waited for the first one's outcome.
  if (answer.status() == PgStatus::Timeout && !answer.is_lost() && has_key) return Created::InProgress;
  log_failure("create failed", answer);
  return Created::Unavailable;
}

}  // namespace

struct LinkWriter::Creation {
  NewLink wanted;
  OnceKey once;
  std::unique_ptr<CreateUser> user;
  StoredLink link;
  std::string body;
  int collisions = 0;
};

struct LinkWriter::CreationOfMany {
  ManyLinks wanted;
  OnceKey once;
  std::unique_ptr<CreateManyUser> user;
};

class LinkWriter::CreateQuery final : public PgQuery {
 public:
  CreateQuery(LinkWriter& writer, std::shared_ptr<Creation> creation)
      : PgQuery(creation->once.key.empty() ? Statement::CreateLink : Statement::CreateLinkOnce),
        writer_(writer),
        creation_(std::move(creation)) {
    add(record_of(creation_->link));
    if (creation_->once.key.empty()) return;
    add(creation_->once.scope);
    add(creation_->once.key);
    add("\\x" + creation_->once.fingerprint);
    add(creation_->body);
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_answer(std::move(creation_), answer); }

 private:
  LinkWriter& writer_;
  std::shared_ptr<Creation> creation_;
};

class LinkWriter::CreateManyQuery final : public PgQuery {
 public:
  CreateManyQuery(LinkWriter& writer, std::shared_ptr<CreationOfMany> creation)
      : PgQuery(Statement::CreateLinks), writer_(writer), creation_(std::move(creation)) {
    ManyLinks& wanted = creation_->wanted;
    add(std::move(wanted.json_) + "]");
    add(wanted.links_.empty() ? "now" : wanted.links_.front().link.created_at);
    add(creation_->once.scope);
    add(creation_->once.key);
    add("\\x" + creation_->once.fingerprint);
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_answer(std::move(creation_), answer); }

 private:
  LinkWriter& writer_;
  std::shared_ptr<CreationOfMany> creation_;
};

class LinkWriter::ChangeQuery final : public PgQuery {
 public:
  ChangeQuery(LinkWriter& writer, std::string_view code, std::string changes, std::string version, std::string owner,
              std::unique_ptr<ChangeUser> user)
      : PgQuery(Statement::ChangeLink), writer_(writer), user_(std::move(user)) {
    add(std::string(code));
    add(std::move(changes));
    add(std::move(version));
    add(std::move(owner));
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_changed(std::move(user_), answer); }

 private:
  LinkWriter& writer_;
  std::unique_ptr<ChangeUser> user_;
};

class LinkWriter::DeleteQuery final : public PgQuery {
 public:
  DeleteQuery(LinkWriter& writer, std::string_view code, std::string owner, std::unique_ptr<ChangeUser> user)
      : PgQuery(Statement::DeleteLink), writer_(writer), code_(code), user_(std::move(user)) {
    add(code_);
    add(std::move(owner));
  }
  void on_answer(const PgAnswer& answer) override { writer_.on_removed(code_, std::move(user_), answer); }

 private:
  LinkWriter& writer_;
  std::string code_;
  std::unique_ptr<ChangeUser> user_;
};

void LinkWriter::create(NewLink link, OnceKey once, std::unique_ptr<CreateUser> user) {
  auto creation = std::make_shared<Creation>();  // shared, since Redis' answer is waited for by a copyable function
  creation->wanted = std::move(link);
  creation->once = std::move(once);
  creation->user = std::move(user);
  attempt(std::move(creation));
}

void LinkWriter::attempt(std::shared_ptr<Creation> creation) {
  const std::size_t longer = creation->collisions >= kCollisionsMax ? 1 : 0;
  creation->link = creation->wanted.link;
  if (creation->link.code.empty()) creation->link.code = random_code(creation->wanted.code_length + longer);
  creation->body = creation->user->response_for(creation->link);
  primary_.send(std::make_unique<CreateQuery>(*this, std::move(creation)), deadline_);
}

void LinkWriter::on_answer(std::shared_ptr<Creation> creation, const PgAnswer& answer) {
  CreateUser& user = *creation->user;
  const bool has_key = !creation->once.key.empty();
  if (answer.status() == PgStatus::UniqueViolation) {
    if (!creation->wanted.link.code.empty()) return user.on_created(Created::SlugTaken, {});
    counters_[AppCounter::CodeCollisions].add();
    if (++creation->collisions > 2 * kCollisionsMax) return user.on_created(Created::Unavailable, {});
    return attempt(std::move(creation));
  }
  if (!answer.is_ok() || (has_key && answer.rows() != 1)) {
    return user.on_created(outcome_of_failure(answer, has_key), {});
  }
  if (has_key && !answer.is_true(0, 0)) {
    const bool matches = answer.is_true(0, 1);
    counters_[matches ? AppCounter::IdempotencyReplays : AppCounter::IdempotencyMismatches].add();
    return user.on_created(matches ? Created::Replayed : Created::KeyMismatch, answer.text(0, 2));
  }
  if (has_key) counters_[AppCounter::IdempotencyFresh].add();
  const auto done = [creation] { creation->user->on_created(Created::Fresh, creation->body); };
  lookup_.supersede(creation->link.code);
  if (lookup_.may_be_old(creation->link.code)) return done();  // somebody changed it already: what we have is old
  const std::string value = creation->link.packed();
  cache_.put(creation->link.code, value, loop_.now(), random_share());
  if (shared_ == nullptr) return done();
  shared_->put(creation->link.code, value, done);
}

void ManyLinks::add(NewLink link) {
  Json codes = Json::array();
  if (!link.link.code.empty()) {
    codes.push_back(link.link.code);
  } else {
    for (int i = 0; i < kCodesOfMany; ++i) {
      codes.push_back(random_code(link.code_length + static_cast<std::size_t>(i / 2)));
    }
  }
  if (!links_.empty()) json_ += ',';
  json_ += R"({"codes":)" + json_text(codes) + R"(,"link":)" + record_of(link.link) + '}';
  links_.push_back(std::move(link));
}

void LinkWriter::create_many(ManyLinks links, OnceKey once, std::unique_ptr<CreateManyUser> user) {
  auto creation = std::make_shared<CreationOfMany>();
  creation->wanted = std::move(links);
  creation->once = std::move(once);
  creation->user = std::move(user);
  primary_.send(std::make_unique<CreateManyQuery>(*this, std::move(creation)), deadline_);
}

void LinkWriter::on_answer(std::shared_ptr<CreationOfMany> creation, const PgAnswer& answer) {
  const bool has_key = !creation->once.key.empty();
  const auto fail = [&](Created outcome) { creation->user->on_created_many(outcome, {}, {}); };
  if (!answer.is_ok() || answer.rows() != 1) return fail(outcome_of_failure(answer, has_key));
  const bool is_fresh = answer.is_true(0, 0);
  if (!answer.is_true(0, 1)) {
    counters_[AppCounter::IdempotencyMismatches].add();
    return fail(Created::KeyMismatch);
  }
  const Json said = parse_json(answer.text(0, 2));
  if (!said.is_object() || !said.contains("codes") || said["codes"].size() != creation->wanted.size()) {
    return fail(Created::Unavailable);
  }
  std::vector<std::string> codes;
  for (const Json& code : said["codes"]) codes.push_back(code.is_string() ? code.get<std::string>() : std::string());
  const std::string created_at = said["createdAt"].get<std::string>();
  if (has_key) counters_[is_fresh ? AppCounter::IdempotencyFresh : AppCounter::IdempotencyReplays].add();
  const auto done = [creation, codes, created_at, is_fresh] {
    creation->user->on_created_many(is_fresh ? Created::Fresh : Created::Replayed, created_at, codes);
  };
  if (!is_fresh) return done();
  // The answer follows the last of Redis' words.
  auto awaited = std::make_shared<std::size_t>(1);
  const auto one_done = [awaited, done] {
    if (--*awaited == 0) done();
  };
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i].empty()) continue;
    const std::string value = creation->wanted.links_[i].link.packed();
    lookup_.supersede(codes[i]);
    if (lookup_.may_be_old(codes[i])) continue;
    cache_.put(codes[i], value, loop_.now(), random_share());
    if (shared_ == nullptr) continue;
    ++*awaited;
    shared_->put(codes[i], value, one_done);
  }
  one_done();
}

void LinkWriter::change(std::string_view code, std::string changes, std::string version, std::string owner,
                        std::unique_ptr<ChangeUser> user) {
  primary_.send(std::make_unique<ChangeQuery>(*this, code, std::move(changes), std::move(version), std::move(owner),
                                              std::move(user)),
                deadline_);
}

void LinkWriter::on_changed(std::shared_ptr<ChangeUser> user, const PgAnswer& answer) {
  constexpr int kReasons = 4;  // columns before those of the link
  if (!answer.is_ok()) {
    log_failure("change failed", answer);
    return user->on_changed(Changed::Unavailable, {});
  }
  if (answer.rows() == 0) return user->on_changed(Changed::NotFound, {});
  if (answer.is_null(0, kReasons)) {
    const Changed why = answer.is_true(0, 0)   ? Changed::Gone
                        : answer.is_true(0, 1) ? Changed::Foreign
                        : answer.is_true(0, 2) ? Changed::OldVersion
                                               : Changed::BadRange;
    return user->on_changed(why, {});
  }
  const StoredLink link = read_link(answer, 0, kReasons);
  // Of two changes the later one may be answered first: what this one made must not be put over it. Whoever asks next
  // is told by the primary.
  lookup_.changed(link.code);
  const auto done = [user, link] { user->on_changed(Changed::Done, link); };
  if (shared_ == nullptr) return done();
  shared_->forget(link.code, done);
}

void LinkWriter::remove(std::string_view code, std::string owner, std::unique_ptr<ChangeUser> user) {
  primary_.send(std::make_unique<DeleteQuery>(*this, code, std::move(owner), std::move(user)), deadline_);
}

void LinkWriter::on_removed(const std::string& code, std::shared_ptr<ChangeUser> user, const PgAnswer& answer) {
  if (!answer.is_ok()) {
    log_failure("delete failed", answer);
    return user->on_changed(Changed::Unavailable, {});
  }
  if (answer.rows() == 0) return user->on_changed(Changed::NotFound, {});
  if (answer.is_true(0, 0)) return user->on_changed(Changed::Foreign, {});
  lookup_.changed(code);
  cache_.bury(code, loop_.now(), random_share());
  const auto done = [user] { user->on_changed(Changed::Done, {}); };
  if (shared_ == nullptr) return done();
  shared_->bury(code, done);
}

}  // namespace holdfast::app
