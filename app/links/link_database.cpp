#include "app/links/link_database.h"

#include <memory>

namespace holdfast::app {
namespace {

class FindLinks final : public PgQuery {
 public:
  FindLinks(const std::vector<std::string_view>& codes, Tier tier, LinkDatabase::Receiver& receiver)
      : PgQuery(Statement::FindLinks), tier_(tier), receiver_(receiver) {
    add(array_literal(codes));
  }

  void on_answer(const PgAnswer& answer) override {
    if (!answer.is_ok()) {
      return receiver_.on_rows(tier_, answer.status() == PgStatus::Timeout ? Asked::Timeout : Asked::Error, {});
    }
    std::vector<FoundLink> links;
    links.reserve(static_cast<std::size_t>(answer.rows()));
    for (int row = 0; row < answer.rows(); ++row) {
      links.push_back(
          {.code = answer.text(row, 0), .target = answer.text(row, 2), .is_deleted = answer.is_true(row, 1)});
    }
    receiver_.on_rows(tier_, Asked::Hit, links);
  }

 private:
  Tier tier_;
  LinkDatabase::Receiver& receiver_;
};

}  // namespace

PgQueryPtr make_find_links(const std::vector<std::string_view>& codes, Tier tier, LinkDatabase::Receiver& receiver) {
  return std::make_unique<FindLinks>(codes, tier, receiver);
}

void PostgresLinks::ask(const std::vector<std::string_view>& codes, Receiver& receiver) {
  postgres_.send(make_find_links(codes, tier_, receiver), deadline_);
}

}  // namespace holdfast::app
