// Replies and texts of a hostile Redis, and what an operator writes about it: every reading ends in a record or an
// error, and what the search language is made of never holds more than the words that we put into it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "require.h"
#include "state/keys.h"
#include "stores/redis/document.h"
#include "stores/redis/mapping.h"
#include "stores/redis/query_text.h"
#include "stores/redis/record_text.h"
#include "stores/redis/settings.h"

namespace redis = holdfast::stores::redis;
namespace resp = holdfast::resp;
namespace state = holdfast::state;

namespace {

constexpr redis::Place kPlace{"orders", "server"};

void read_reply(std::string_view bytes) {
  const auto reply = resp::Reply::parse(bytes);
  if (!reply) return;
  const resp::Value root = reply->root();
  const std::array<std::string_view, 1> etag{"7"};
  state::SetRequest set;
  set.key = "k";
  set.when = state::Precondition::one_of(etag);
  set.want_record = true;
  const std::vector<state::Operation> operations{set, state::DeleteRequest{"k", {}}};
  redis::WriteContext context;
  (void)redis::read_set(kPlace, set, context, root);
  (void)redis::read_erase(kPlace, {"k", set.when}, root);
  (void)redis::read_transaction(kPlace, operations, context, root);
  (void)redis::read_scan(kPlace, root);
  (void)redis::read_keys(kPlace, root);
  (void)redis::read_count(kPlace, "count", root);
  (void)redis::read_wait(kPlace, root);
  (void)redis::read_search(kPlace, root);
  for (const bool want : {false, true}) {
    (void)redis::read_get(kPlace, {"k", want, want}, root, root[root.size() - 1], {});
    const std::array others{root[0], root[1], root[2], root[3]};
    (void)redis::read_get_other(kPlace, {"k", want, want}, others, {});
  }
  if (const auto redirect = redis::parse_redirect(root.text())) FUZZ_REQUIRE(redirect->port != 0);
}

void read_texts(std::string_view text) {
  if (const auto record = redis::read_document(text, true, true)) FUZZ_REQUIRE(!record->etag.empty());
  const std::size_t half = text.size() / 2;
  if (const auto tail = redis::believed_tail(text, text.substr(0, half / 2))) FUZZ_REQUIRE(tail->size() < text.size());
  (void)redis::read_fields(text.substr(0, half), text.substr(half));
  (void)redis::key_slot(text);
  if (!text.empty()) {
    const std::string glob = redis::like_glob(text);
    FUZZ_REQUIRE(glob.size() <= 2 * text.size() + 1);
  }
  if (const auto addresses = redis::parse_addresses(text, 6379, false))
    for (const redis::Address& address : *addresses) FUZZ_REQUIRE(!address.text().empty());
  (void)redis::parse_search_indexes(text);
}

// A value may not close what it stands in: whatever it holds, the query is one field of it.
void compile(std::string_view value) {
  const redis::SearchIndex index{"i",
                                 {{"text", redis::SearchIndex::Type::text}, {"tag", redis::SearchIndex::Type::tag}}};
  for (const char* path : {"text", "tag"}) {
    state::Query query;
    query.filter.emplace_back();
    query.filter.front().path = path;
    query.filter.front().values.emplace_back(std::string(value));
    const auto command = redis::compile_search(index, query);
    if (!command) continue;
    const auto words = resp::Reply::parse(command->bytes);
    FUZZ_REQUIRE(words.has_value());
    const std::string_view text = words->root()[2].text();
    const bool is_tag = text.starts_with("@var1:{");
    FUZZ_REQUIRE(is_tag ? text.ends_with('}') : text.starts_with("@var0:(\"") && text.ends_with("\")"));
    const std::string_view inside = is_tag ? text.substr(7, text.size() - 8) : text.substr(8, text.size() - 10);
    for (std::size_t at = 0; at < inside.size(); ++at) {
      if (is_tag && inside[at] == '\\') {
        ++at;
        FUZZ_REQUIRE(at < inside.size());
      } else {
        FUZZ_REQUIRE(!std::string_view("\"'{}()[]|@:*-~%$\\").contains(inside[at]));
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read_reply(text);
      break;
    case 1:
      read_texts(text);
      break;
    default:
      compile(text);
  }
  return 0;
}
