#include "stores/redis/mapping.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "state/keys.h"
#include "stores/redis/document.h"
#include "stores/redis/record_text.h"

namespace holdfast::stores::redis {
namespace {

using state::Precondition;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Place kPlace{"orders", "10.0.0.7:6379"};
constexpr WallTime kNow{1'700'000'000'000'000};

std::vector<std::string> words_of(std::string_view command) {
  auto reply = resp::Reply::parse(command);
  std::vector<std::string> words;
  if (!reply) return words;
  for (const resp::Value word : reply->root()) words.emplace_back(word.text());
  return words;
}

// A reply that owns its bytes.
struct Canned {
  explicit Canned(std::string text) : bytes(std::move(text)), reply(resp::Reply::parse(bytes).value()) {}
  Canned(const Canned&) = delete;
  Canned& operator=(const Canned&) = delete;
  resp::Value root() const { return reply.root(); }
  const std::string bytes;
  const resp::Reply reply;
};

WriteContext context_at(WallTime now = kNow) {
  WriteContext context;
  context.now = now;
  context.principal = "app1";
  return context;
}

state::SetRequest put(std::string_view key, std::string_view value, Precondition when = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}

// ---- Slots

TEST(KeySlot, IsTheOneOfTheClusterSpecification) {
  EXPECT_EQ(key_slot("123456789"), 0x31c3);
  EXPECT_EQ(key_slot("foo"), 12182);
  EXPECT_EQ(key_slot("bar"), 5061);
  EXPECT_EQ(key_slot(""), 0);
  EXPECT_EQ(key_slot("app||cart/{42}/items"), key_slot("42"));
}

TEST(KeySlot, OnlyTheFirstPairOfBracesCountsAndOnlyWhenItHoldsSomething) {
  EXPECT_EQ(key_slot("{user1000}.following"), key_slot("{user1000}.followers"));
  EXPECT_EQ(key_slot("foo{bar}{zap}"), key_slot("bar"));
  EXPECT_EQ(key_slot("foo{{bar}}zap"), key_slot("{bar"));
  EXPECT_NE(key_slot("foo{}{bar}"), key_slot("bar"));
  EXPECT_NE(key_slot("foo{bar"), key_slot("bar"));
}

// ---- Texts of record fields

TEST(RecordText, ComesBackAsItWentIn) {
  const state::Pairs tags{{"a&b", "1=2"}, {"ü", ""}};
  const state::Pairs indexes{{"city", "Köln"}};
  const std::string tail = make_tail({state::Shape::json, kNow, "me:too", "text/plain", tags, indexes, "id:1"});
  const auto fields = read_fields(make_created(WallTime{7}, "a:b"), tail);
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->created, WallTime{7});
  EXPECT_EQ(fields->created_by, "a:b");
  EXPECT_EQ(fields->modified, kNow);
  EXPECT_EQ(fields->modified_by, "me:too");
  EXPECT_EQ(fields->content_type, "text/plain");
  EXPECT_EQ(fields->tags, tags);
  EXPECT_EQ(fields->indexes, indexes);
  EXPECT_EQ(shape_of(tail), state::Shape::json);
}

TEST(RecordText, StaysBelow64BytesForAnOrdinaryRecord) {
  const std::string tail = make_tail({state::Shape::json, kNow, "checkout", "application/json", {}, {}, "AbCdEfGh"});
  EXPECT_LE(("1700000000000000:" + tail).size(), 64u) << "beyond it Redis unpacks the hash";
  EXPECT_EQ(read_fields("1:", tail)->content_type, "application/json");
}

TEST(RecordText, IsBelievedForItsOwnVersionOnly) {
  EXPECT_EQ(believed_tail("12:b:1", "12"), "b:1");
  EXPECT_FALSE(believed_tail("12:b:1", "1"));
  EXPECT_FALSE(believed_tail("12:b:1", "13"));
  EXPECT_FALSE(believed_tail("", ""));
  EXPECT_FALSE(believed_tail("12", "12"));
}

TEST(RecordText, WhatIsNotOursIsNoFields) {
  const std::string good = make_tail({state::Shape::bytes, kNow, "me", "t", {}, {}, ""});
  ASSERT_TRUE(read_fields("1:me", good));
  for (std::size_t length = 0; length + 3 < good.size(); ++length)
    EXPECT_FALSE(read_fields("1:me", good.substr(0, length))) << length;
  EXPECT_FALSE(read_fields("me", good));
  EXPECT_FALSE(read_fields("1:me", "x" + good));
  EXPECT_FALSE(read_fields("1:me", "b:1:99999999999999999999:x"));
}

// ---- Reading

constexpr std::string_view kTail = "b:1700000000000000:2:me0:0:0:0:";

std::string hash_reply(std::initializer_list<std::optional<std::string>> values) {
  std::string out = "*" + std::to_string(values.size()) + "\r\n";
  for (const auto& value : values)
    out += value ? "$" + std::to_string(value->size()) + "\r\n" + *value + "\r\n" : std::string("$-1\r\n");
  return out;
}

Result<Got> get(const std::string& hash, const std::string& pttl, bool want_fields = true, bool want_value = true) {
  const Canned fields(hash), left(pttl);
  return read_get(kPlace, {"k", want_value, want_fields}, fields.root(), left.root(), kNow);
}

TEST(Get, AsksForWhatIsWanted) {
  std::string out;
  append_get(out, {"k", true, true});
  EXPECT_EQ(out,
            "*6\r\n$5\r\nHMGET\r\n$1\r\nk\r\n$7\r\nversion\r\n$4\r\nhf:m\r\n$4\r\ndata\r\n$4\r\nhf:c\r\n"
            "*2\r\n$4\r\nPTTL\r\n$1\r\nk\r\n");
  out.clear();
  append_get(out, {"k", false, false});
  EXPECT_EQ(out, "*4\r\n$5\r\nHMGET\r\n$1\r\nk\r\n$7\r\nversion\r\n$4\r\nhf:m\r\n*2\r\n$4\r\nPTTL\r\n$1\r\nk\r\n");
}

TEST(Get, ARecordOfOursHasItsFieldsAndItsExpiry) {
  const auto got = get(hash_reply({"7", "7:" + std::string(kTail), "value", "5:you"}), ":1500\r\n");
  ASSERT_TRUE(got && got->record);
  EXPECT_EQ(got->record->etag, "7");
  EXPECT_EQ(got->record->value, "value");
  EXPECT_EQ(got->record->shape, state::Shape::bytes);
  EXPECT_EQ(got->record->expires_at, WallTime{kNow.us + 1'500'000});
  ASSERT_TRUE(got->record->fields);
  EXPECT_EQ(got->record->fields->created_by, "you");
  EXPECT_EQ(got->record->fields->modified_by, "me");
}

TEST(Get, ARecordThatDaprRewroteHasNoFieldsRatherThanStaleOnes) {
  const auto got = get(hash_reply({"8", "7:" + std::string(kTail), "{\"a\":1}", "5:you"}), ":-1\r\n");
  ASSERT_TRUE(got && got->record);
  EXPECT_FALSE(got->record->fields);
  EXPECT_FALSE(got->record->expires_at);
  EXPECT_EQ(got->record->shape, state::Shape::json) << "as its value says";
}

TEST(Get, ShapeIsKnownWithoutTheFields) {
  const auto got = get(hash_reply({"7", "7:j:1:0:0:0:0:0:", "3"}), ":-1\r\n", false);
  ASSERT_TRUE(got && got->record);
  EXPECT_EQ(got->record->shape, state::Shape::json);
  EXPECT_FALSE(got->record->fields);
}

TEST(Get, WithoutTheValueFieldsStillComeFromTheirPlace) {
  const auto got = get(hash_reply({"7", "7:" + std::string(kTail), "5:you"}), ":-1\r\n", true, false);
  ASSERT_TRUE(got && got->record && got->record->fields);
  EXPECT_EQ(got->record->fields->created_by, "you");
}

TEST(Get, WhatIsNotThereIsNoRecord) {
  EXPECT_FALSE(get(hash_reply({{}, {}, {}, {}}), ":-2\r\n")->record);
  EXPECT_FALSE(get(hash_reply({"", {}, "x", {}}), ":-1\r\n")->record) << "an empty version";
  EXPECT_FALSE(get(hash_reply({"7", {}, "x", {}}), ":-2\r\n")->record) << "gone between the two commands";
}

TEST(Get, AnExpiryBeyondAllTimeIsBounded) {
  const auto got = get(hash_reply({"7", {}, "x", {}}), ":9223372036854775807\r\n");
  ASSERT_TRUE(got && got->record);
  EXPECT_GT(*got->record->expires_at, kNow);
}

TEST(Get, AKeyOfAnotherTypeAsksForASecondLook) {
  const auto got = get("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", ":-1\r\n");
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->is_other_type);
}

TEST(Get, ErrorsAndNonsenseAreErrors) {
  EXPECT_EQ(get("-NOAUTH Authentication required.\r\n", ":-1\r\n").error().code, Errc::denied);
  EXPECT_EQ(get("*1\r\n$1\r\n7\r\n", ":-1\r\n").error().code, Errc::internal);
  EXPECT_EQ(get("+OK\r\n", ":-1\r\n").error().code, Errc::internal);
  EXPECT_EQ(get(hash_reply({"7", {}, "x", {}}), "-LOADING x\r\n").error().code, Errc::unavailable);
  EXPECT_EQ(get(hash_reply({"7", {}, {}, {}}), ":-1\r\n").error().code, Errc::internal) << "a version without data";
}

Result<std::optional<state::Record>> get_other(const std::string& type, const std::string& text,
                                               const std::string& json) {
  const Canned a("+" + type + "\r\n"), b(text), c(json), d(":-1\r\n");
  const std::array replies{a.root(), b.root(), c.root(), d.root()};
  return read_get_other(kPlace, {"k", true, true}, replies, kNow);
}
constexpr const char* kUnknown = "-ERR unknown command 'JSON.GET', with args beginning with: 'k' \r\n";
constexpr const char* kWrongType = "-WRONGTYPE Operation against a key\r\n";

TEST(GetOther, APlainStringOfAnOldDaprIsARecordWithoutAnEtag) {
  const auto record = get_other("string", "$3\r\nold\r\n", kUnknown);
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->value, "old");
  EXPECT_EQ((*record)->etag, "");
}

TEST(GetOther, ADocumentIsARecordWithItsOwnText) {
  const std::string json =
      R"({"$[\"hf:m\"]":["7:j:9:2:me~0:0:0:"],"$.version":[7],"$[\"hf:c\"]":["5:you"],"$.data":[{"b":1.50,"a":"]}\","}]})";
  const auto record = get_other("ReJSON-RL", kWrongType, "$" + std::to_string(json.size()) + "\r\n" + json + "\r\n");
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->value, R"({"b":1.50,"a":"]}\","})");
  EXPECT_EQ((*record)->etag, "7");
  EXPECT_EQ((*record)->shape, state::Shape::json);
  ASSERT_TRUE((*record)->fields);
  EXPECT_EQ((*record)->fields->created_by, "you");
  EXPECT_EQ((*record)->fields->content_type, "application/json");
}

TEST(GetOther, AKeyThatWentAwayIsNoRecordAndAListIsAnError) {
  EXPECT_FALSE(get_other("none", "$-1\r\n", "$-1\r\n")->has_value());
  EXPECT_FALSE(get_other("string", "$-1\r\n", kUnknown)->has_value());
  const auto list = get_other("list", kWrongType, kUnknown);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Errc::internal);
  EXPECT_THAT(list.error().message, HasSubstr("holds something else than a record"));
  EXPECT_THAT(list.error().backend_message, HasSubstr("list"));
}

TEST(Document, TextThatIsNoneIsNoRecord) {
  for (const char* json : {"", "[]", "{}", R"({"$.data":[],"$.version":[1]})", R"({"$.data":[1],"$.version":[]})",
                           R"({"$.data":[1],"$.version":["1"]})", R"({"$.data":[1],"$.version":[1.5]})",
                           R"({"$.data":[1)", R"({"$.data")", R"({"$.data":["a)", R"({"$.data":[1],"$.version":[1])"})
    EXPECT_FALSE(read_document(json, true, true)) << json;
  EXPECT_EQ(only_element("[\"a,]\"]"), "\"a,]\"");
  EXPECT_FALSE(only_element("[1,2]"));
}

// ---- Writing

TEST(Set, IsOneScriptWithItsArguments) {
  state::SetRequest request = put("k", "v");
  request.created_by = "you";
  std::string out;
  ASSERT_TRUE(append_set(out, request, context_at()));
  EXPECT_THAT(words_of(out),
              ElementsAre("EVALSHA", set_hash_script().sha1, "1", "k", "v",
                          "b:1700000000000000:4:app10:0:0:0:", "1700000000000000:you", "1700000000000000"));
  out.clear();
  request.ttl = Milliseconds(1500);
  ASSERT_TRUE(append_set(out, request, context_at()));
  EXPECT_THAT(words_of(out), ElementsAre("EVALSHA", set_hash_script().sha1, "1", "k", "v",
                                         "b:1700000000000000:4:app10:0:0:0:", "1700000000000000:you",
                                         "1700000000000000", "a", "1500"));
  out.clear();
  request.ttl.reset();
  WriteContext again = context_at();
  again.is_repeat = true;
  ASSERT_TRUE(append_set(out, request, again));
  EXPECT_THAT(words_of(out),
              ElementsAre("EVALSHA", set_hash_script().sha1, "1", "k", "v",
                          "b:1700000000000000:4:app10:0:0:0:", "1700000000000000:you", "1700000000000000", "A", "0"));
}

TEST(Set, EtagsFollowTheArgumentsAndOneThatIsNoNumberMatchesNothing) {
  const std::array<std::string_view, 4> etags{"7", "+08", "x", "-0"};
  state::SetRequest request = put("k", "v", Precondition::one_of(etags));
  WriteContext context = context_at();
  std::string out;
  ASSERT_TRUE(append_set(out, request, context));
  auto words = words_of(out);
  EXPECT_EQ(words[8], "o");
  EXPECT_THAT(std::vector(words.begin() + 10, words.end()), ElementsAre("7", "+08", "-0"));
  out.clear();
  context.is_repeat = true;
  ASSERT_TRUE(append_set(out, request, context));
  EXPECT_EQ(words_of(out)[8], "O");
}

TEST(Set, AnEtagThatIsNoNumberIsInvalidAndChangesNothingInTheBuffer) {
  for (const std::string_view etag : {"x", "", "7 ", "7.0", "-", "99999999999999999999"}) {
    state::SetRequest request = put("k", "v", Precondition::one_of({&etag, 1}));
    std::string out = "before";
    const Status status = append_set(out, request, context_at());
    ASSERT_FALSE(status) << etag;
    EXPECT_EQ(status.error().code, Errc::etag_invalid) << etag;
    EXPECT_EQ(out, "before");
  }
}

TEST(Erase, AnEtagThatIsNoNumberDoesNotMatch) {
  const std::string_view etag = "x";
  std::string out;
  const Status status = append_erase(out, {"k", Precondition::one_of({&etag, 1})}, context_at());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::precondition_failed);
  EXPECT_EQ(out, "");
}

TEST(Set, ManyEtagsAreBounded) {
  const std::vector<std::string_view> etags(kEtagsMax + 1, "7");
  state::SetRequest request = put("k", "v", Precondition::one_of(etags));
  std::string out;
  EXPECT_EQ(append_set(out, request, context_at()).error().code, Errc::invalid_argument);
  request.when = Precondition::one_of(std::span(etags).first(kEtagsMax));
  EXPECT_TRUE(append_set(out, request, context_at()));
}

TEST(Set, DaprsLaxityTakesZeroForNoEtagAndDoesNotCheckWhereNothingIs) {
  WriteContext context = context_at();
  context.lenient = true;
  const auto letter_for = [&](std::string_view etag) {
    std::string out;
    EXPECT_TRUE(append_set(out, put("k", "v", Precondition::one_of({&etag, 1})), context));
    const auto words = words_of(out);
    return words.size() == 8 ? std::string("none") : std::string(words[8]);
  };
  EXPECT_EQ(letter_for("0"), "none");
  EXPECT_EQ(letter_for("7"), "l");
}

TEST(Set, JsonBecomesADocumentWhereTheServerCanAndTheRequestSaysSo) {
  state::SetRequest request = put("k", "{\"a\":1}");
  request.shape = state::Shape::json;
  request.content_type = "Application/JSON; charset=utf-8";
  WriteContext context = context_at();
  EXPECT_FALSE(is_document(request, context));
  context.server_has_json = true;
  EXPECT_TRUE(is_document(request, context));
  std::string out;
  ASSERT_TRUE(append_set(out, request, context));
  EXPECT_EQ(words_of(out)[1], set_json_script().sha1);
  request.value = "1,\"version\":99";
  EXPECT_EQ(append_set(out, request, context).error().code, Errc::invalid_argument)
      << "it would become part of the text";
  request.content_type = "";
  EXPECT_FALSE(is_document(request, context)) << "as in Dapr";
}

TEST(Set, TimesToLiveAreBoundedAndZeroIsNone) {
  const auto ttl = [](std::optional<Milliseconds> given, std::optional<Milliseconds> fallback) {
    WriteContext context = context_at();
    context.default_ttl = fallback;
    state::SetRequest request = put("k", "v");
    request.ttl = given;
    std::string out;
    EXPECT_TRUE(append_set(out, request, context));
    const auto words = words_of(out);
    return words.size() == 8 ? std::string("none") : std::string(words[9]);
  };
  EXPECT_EQ(ttl({}, {}), "none");
  EXPECT_EQ(ttl({}, Milliseconds(5)), "5");
  EXPECT_EQ(ttl(Milliseconds(0), Milliseconds(5)), "none") << "the caller asks for none";
  EXPECT_EQ(ttl(Milliseconds(-1), {}), "none");
  EXPECT_EQ(ttl(Milliseconds::max(), {}), "316224000000000");
}

TEST(Set, TheWholeScriptCanBeSentInstead) {
  WriteContext context = context_at();
  context.sending = Sending::in_full;
  std::string out;
  ASSERT_TRUE(append_set(out, put("k", "v"), context));
  EXPECT_EQ(words_of(out)[0], "EVAL");
  EXPECT_EQ(words_of(out)[1], set_hash_script().source);
}

Result<state::Written> written(const std::string& reply, state::SetRequest request) {
  const Canned canned(reply);
  return read_set(kPlace, request, context_at(), canned.root());
}

TEST(Set, WhatItKeepsIsReportedAsItWasFound) {
  state::SetRequest request = put("k", "v");
  request.keep_expiry = true;
  std::string out;
  ASSERT_TRUE(append_set(out, request, context_at()));
  EXPECT_EQ(words_of(out)[9], "k");
  EXPECT_EQ(written("$12\r\n8 0 70 5:you\r\n", request)->expires_at, WallTime{kNow.us + 70'000});
  EXPECT_EQ(written("$12\r\n8 0 -1 5:you\r\n", request)->expires_at, std::nullopt);
}

TEST(Set, ItsReplyIsTheNewRecord) {
  state::SetRequest request = put("k", "v");
  request.ttl = Milliseconds(10);
  request.want_record = true;
  const auto result = written("$15\r\n8 0 0 5:you too\r\n", request);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->etag, "8");
  EXPECT_EQ(result->created, false);
  EXPECT_EQ(result->expires_at, WallTime{kNow.us + 10'000});
  ASSERT_TRUE(result->fields);
  EXPECT_EQ(result->fields->created_by, "you too");
  EXPECT_EQ(result->fields->modified_by, "app1");
}

TEST(Set, ARepeatThatIsRefusedSaysNothingAboutTheFirstTry) {
  const Canned loading("-LOADING Redis is loading the dataset in memory\r\n");
  WriteContext context = context_at();
  EXPECT_EQ(read_set(kPlace, put("k", "v"), context, loading.root()).error().code, Errc::unavailable);
  context.is_repeat = true;
  EXPECT_EQ(read_set(kPlace, put("k", "v"), context, loading.root()).error().code, Errc::outcome_unknown);
}

TEST(Set, AFailedConditionTellsTheCurrentEtag) {
  const std::string_view etag = "7";
  const auto result = written("*2\r\n:0\r\n$1\r\n9\r\n", put("k", "", Precondition::one_of({&etag, 1})));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::precondition_failed);
  EXPECT_EQ(result.error().current_etag, "9");
  EXPECT_EQ(written("*2\r\n:2\r\n$1\r\n9\r\n", put("k", "")).error().code, Errc::outcome_unknown);
  EXPECT_EQ(written("*1\r\n:1\r\n", put("k", "")).error().code, Errc::internal);
  EXPECT_EQ(written("*0\r\n", put("k", "")).error().code, Errc::internal);
  for (const std::string_view text : {"", "8", "8 0", "8 0 ", "8 2 0 5:you", "8 0 x 5:you", " 0 0 5:you"}) {
    const std::string reply = fmt::format("${}\r\n{}\r\n", text.size(), text);
    EXPECT_EQ(written(reply, put("k", "")).error().code, Errc::internal) << reply;
  }
}

TEST(Erase, WithoutAConditionIsNoScript) {
  std::string out;
  ASSERT_TRUE(append_erase(out, {"k", Precondition::any()}, context_at()));
  EXPECT_THAT(words_of(out), ElementsAre("UNLINK", "k"));
  out.clear();
  ASSERT_TRUE(append_erase(out, {"k", Precondition::present()}, context_at()));
  EXPECT_THAT(words_of(out), ElementsAre("EVALSHA", erase_script().sha1, "1", "k", "p"));
  const Canned plain(":1\r\n"), script("*2\r\n:1\r\n:0\r\n"), failed("*2\r\n:0\r\n$0\r\n\r\n");
  EXPECT_EQ(read_erase(kPlace, {"k", {}}, plain.root())->existed, true);
  EXPECT_EQ(read_erase(kPlace, {"k", {}}, script.root())->existed, false);
  EXPECT_EQ(read_erase(kPlace, {"k", {}}, failed.root()).error().code, Errc::precondition_failed);
}

TEST(Transaction, NamesEveryKeyOnceAndPacksItsOperations) {
  const std::string_view etag = "7";
  const std::vector<state::Operation> operations{put("a", "1", Precondition::one_of({&etag, 1})),
                                                 state::DeleteRequest{"b", Precondition::any()},
                                                 state::CheckRequest{"a", Precondition::present()}};
  std::string out;
  ASSERT_TRUE(append_transaction(out, operations, context_at()));
  EXPECT_THAT(words_of(out), ElementsAre("EVALSHA", transaction_script().sha1, "2", "a", "b", "h", "1", "o", "1", "7",
                                         "1", "0", "b:1700000000000000:4:app10:0:0:0:", "1700000000000000:app1", "0",
                                         "d", "2", "a", "0", "c", "1", "p", "0"));
  const Canned applied(
      "*13\r\n:1\r\n$1\r\n8\r\n:0\r\n$2\r\n5:\r\n:0\r\n$0\r\n\r\n:1\r\n$0\r\n\r\n:0\r\n$0\r\n\r\n:0\r\n$0\r\n\r\n:"
      "0\r\n");
  const auto written = read_transaction(kPlace, operations, context_at(), applied.root());
  ASSERT_TRUE(written);
  ASSERT_EQ(written->size(), 3u);
  EXPECT_EQ((*written)[0].etag, "8");
  EXPECT_EQ((*written)[1].etag, "");
  const Canned failed("*3\r\n:0\r\n:2\r\n$1\r\n9\r\n");
  const auto refused = read_transaction(kPlace, operations, context_at(), failed.root());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().operation, 2);
  EXPECT_EQ(refused.error().current_etag, "9");
}

TEST(Transaction, PutsRecordsIntoTheSetsOfTheirIndexEntries) {
  const state::Pairs both{{"n", "1"}, {"m", "2"}};
  const state::Pairs one{{"n", "1"}};
  state::SetRequest first = put("a", "1");
  state::SetRequest second = put("b", "2");
  first.indexes = both;
  second.indexes = one;
  const std::vector<state::Operation> operations{first, second};
  WriteContext context = context_at();
  context.keeps_index = true;
  std::string out;
  ASSERT_TRUE(append_transaction(out, operations, context));
  EXPECT_THAT(words_of(out),
              ElementsAre("EVALSHA", transaction_script().sha1, "5", "a", "b", "hf:index||||1:n1", "hf:index||||1:m2",
                          "hf:index||||1:n1", "h", "1", "a", "0", "1", "0", testing::_, "1700000000000000:app1", "2",
                          "3", "4", "h", "2", "a", "0", "2", "0", testing::_, "1700000000000000:app1", "1", "5"));
  context.keeps_index = false;
  out.clear();
  ASSERT_TRUE(append_transaction(out, operations, context));
  EXPECT_EQ(words_of(out)[2], "2") << "in a cluster";
}

TEST(Transaction, IsBoundedAndNamesABadOperation) {
  std::string out;
  EXPECT_EQ(append_transaction(out, {}, context_at()).error().code, Errc::invalid_argument);
  const std::vector<state::Operation> many(kTransactionOpsMax + 1, state::DeleteRequest{"k", {}});
  EXPECT_EQ(append_transaction(out, many, context_at()).error().code, Errc::invalid_argument);
  const std::string_view etag = "x";
  const std::vector<state::Operation> bad{state::DeleteRequest{"k", {}},
                                          state::DeleteRequest{"k", Precondition::one_of({&etag, 1})}};
  const Status status = append_transaction(out, bad, context_at());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().operation, 1);
  EXPECT_EQ(out, "");
}

TEST(Transaction, KeysOfSeveralSlotsAreRefusedWithTheAdvice) {
  const std::vector<state::Operation> apart{state::DeleteRequest{"foo", {}}, state::DeleteRequest{"bar", {}}};
  const Status status = check_one_slot("orders", apart);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::invalid_argument);
  EXPECT_THAT(status.error().message, HasSubstr("cart/{42}/items"));
  const std::vector<state::Operation> together{state::DeleteRequest{"foo{1}", {}}, state::DeleteRequest{"bar{1}", {}}};
  EXPECT_TRUE(check_one_slot("orders", together));
}

// ---- Listing, replication

TEST(Globs, APrefixMeansItselfOnly) { EXPECT_EQ(prefix_glob("a*[b]?\\^||"), R"(a\*\[b\]\?\\\^||*)"); }

TEST(Globs, ALikePatternBecomesOneThatMatchesNoLess) {
  EXPECT_EQ(like_glob("app||%"), "app||*");
  EXPECT_EQ(like_glob("a_c"), "a?*c") << "a character may be several bytes";
  EXPECT_EQ(like_glob("a__%_c"), "a???*c");
  EXPECT_EQ(like_glob("100\\%*"), "100%\\*");
  EXPECT_EQ(like_glob("a\\"), "a\\\\");
  EXPECT_EQ(like_glob("ab%c%d%e%f%"), "ab*") << "too many wildcards for the server";
}

TEST(Scan, ItsReplyIsACursorAndKeys) {
  std::string out;
  append_scan(out, "17", "a*", 1000);
  EXPECT_THAT(words_of(out), ElementsAre("SCAN", "17", "MATCH", "a*", "COUNT", "1000"));
  const Canned page("*2\r\n$2\r\n42\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"), broken("*2\r\n$1\r\n0\r\n*1\r\n:1\r\n");
  const auto scanned = read_scan(kPlace, page.root());
  ASSERT_TRUE(scanned);
  EXPECT_EQ(scanned->cursor, "42");
  EXPECT_THAT(scanned->keys, ElementsAre("a", "b"));
  EXPECT_FALSE(read_scan(kPlace, broken.root()));
}

TEST(Wait, TellsWhoConfirmed) {
  const Canned replicas(":1\r\n"), files("*2\r\n:0\r\n:2\r\n"), error("-ERR WAIT cannot be used with replica\r\n");
  EXPECT_EQ(read_wait(kPlace, replicas.root())->replicas, 1u);
  EXPECT_EQ(read_wait(kPlace, files.root())->replicas, 2u);
  EXPECT_EQ(read_wait(kPlace, files.root())->local_file, false);
  EXPECT_FALSE(read_wait(kPlace, error.root()));
  const Error missing = shortfall(kPlace, "k", 2, {1, std::nullopt});
  EXPECT_EQ(missing.code, Errc::replication_shortfall);
  EXPECT_THAT(missing.message, HasSubstr("1 of 2 replicas"));
}

TEST(Search, BothProtocolsSayTheSame) {
  const Canned two(
      "*5\r\n:2\r\n$1\r\na\r\n*4\r\n$6\r\n$.data\r\n$5\r\n[\"x\"]\r\n$9\r\n$.version\r\n$3\r\n[7]\r\n"
      "$1\r\nb\r\n*-1\r\n");
  const Canned three(
      "%2\r\n$13\r\ntotal_results\r\n:2\r\n$7\r\nresults\r\n*1\r\n%2\r\n$2\r\nid\r\n$1\r\na\r\n"
      "$16\r\nextra_attributes\r\n%2\r\n$6\r\n$.data\r\n$5\r\n[\"x\"]\r\n$9\r\n$.version\r\n$3\r\n[7]\r\n");
  for (const Canned* reply : {&two, &three}) {
    const auto found = read_search(kPlace, reply->root());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->total, 2u);
    ASSERT_EQ(found->items.size(), 1u);
    EXPECT_EQ(found->items[0].key, "a");
    EXPECT_EQ(found->items[0].record.value, "\"x\"");
    EXPECT_EQ(found->items[0].record.etag, "7");
  }
  EXPECT_EQ(read_search(kPlace, two.root())->rows, 2u) << "a hit that has gone still counts for the next page";
}

TEST(Search, NothingFoundIsNoError) {
  const Canned two("*1\r\n:0\r\n"), three("%2\r\n$13\r\ntotal_results\r\n:0\r\n$7\r\nresults\r\n*0\r\n");
  EXPECT_TRUE(read_search(kPlace, two.root())->items.empty());
  EXPECT_TRUE(read_search(kPlace, three.root())->items.empty());
}

// ---- Errors

struct ErrorCase {
  const char* name;
  const char* words;
  Trouble trouble;
  Errc code;
};
class RedisErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(RedisErrors, SayWhatCanBeDone) {
  EXPECT_EQ(trouble_of(GetParam().words), GetParam().trouble);
  const Error error = describe(kPlace, "save \"cart/42\"", GetParam().words);
  EXPECT_EQ(error.code, GetParam().code);
  EXPECT_EQ(error.backend_message, GetParam().words);
  EXPECT_THAT(error.message,
              testing::StartsWith("component \"orders\" (state.redis): cannot save \"cart/42\": 10.0.0.7:6379 "));
}

INSTANTIATE_TEST_SUITE_P(
    Words, RedisErrors,
    testing::Values(
        ErrorCase{"NoAuth", "NOAUTH Authentication required.", Trouble::no_auth, Errc::denied},
        ErrorCase{"Password", "WRONGPASS invalid username-password pair or user is disabled.", Trouble::wrong_password,
                  Errc::denied},
        ErrorCase{"OldPassword", "ERR invalid password", Trouble::wrong_password, Errc::denied},
        ErrorCase{"Permission", "NOPERM User app has no permissions to run the 'hset' command", Trouble::no_permission,
                  Errc::denied},
        ErrorCase{"PermissionInOldScript",
                  "ERR Error running script (call to f_1): @user_script:3: NOPERM this user has no permissions",
                  Trouble::no_permission, Errc::denied},
        ErrorCase{"Memory", "OOM command not allowed when used memory > 'maxmemory'.", Trouble::out_of_memory,
                  Errc::overloaded},
        ErrorCase{"Replica", "READONLY You can't write against a read only replica.", Trouble::read_only,
                  Errc::unavailable},
        ErrorCase{"Loading", "LOADING Redis is loading the dataset in memory", Trouble::loading, Errc::unavailable},
        ErrorCase{"MasterDown", "MASTERDOWN Link with MASTER is down", Trouble::master_down, Errc::unavailable},
        ErrorCase{"ClusterDown", "CLUSTERDOWN Hash slot not served", Trouble::cluster_down, Errc::unavailable},
        ErrorCase{"TryAgain", "TRYAGAIN Multiple keys request during rehashing of slot", Trouble::try_again,
                  Errc::unavailable},
        ErrorCase{"Moved", "MOVED 3999 127.0.0.1:6381", Trouble::moved, Errc::unavailable},
        ErrorCase{"NoScript", "NOSCRIPT No matching script.", Trouble::no_script, Errc::unavailable},
        ErrorCase{"CrossSlot", "CROSSSLOT Keys in request don't hash to the same slot", Trouble::cross_slot,
                  Errc::invalid_argument},
        ErrorCase{"Misconf", "MISCONF Redis is configured to save RDB snapshots", Trouble::cannot_persist,
                  Errc::unavailable},
        ErrorCase{"NoReplicas", "NOREPLICAS Not enough good replicas to write.", Trouble::no_replicas,
                  Errc::unavailable},
        ErrorCase{"Busy", "BUSY Redis is busy running a script.", Trouble::busy, Errc::unavailable},
        ErrorCase{"UnknownCommand", "ERR unknown command 'FT.SEARCH'", Trouble::unknown_command, Errc::unsupported},
        ErrorCase{"UnknownInScript", "ERR Unknown Redis command called from script script: x", Trouble::unknown_command,
                  Errc::unsupported},
        ErrorCase{"Index", "nope: no such index", Trouble::unknown_index, Errc::invalid_argument},
        ErrorCase{"Other", "ERR something new", Trouble::other, Errc::internal}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RedisErrors, TheWholeMessage) {
  EXPECT_EQ(describe(kPlace, "save \"cart/42\"", "WRONGPASS secret words").message,
            "component \"orders\" (state.redis): cannot save \"cart/42\": 10.0.0.7:6379 rejected the password "
            "(WRONGPASS). Check redisUsername and redisPassword of the component.");
}

TEST(Redirects, AreReadInEveryForm) {
  const auto moved = parse_redirect("MOVED 3999 10.0.0.7:6381");
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->is_ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->host, "10.0.0.7");
  EXPECT_EQ(moved->port, 6381);
  EXPECT_TRUE(parse_redirect("ASK 1 h:1")->is_ask);
  EXPECT_EQ(parse_redirect("MOVED 1 ::1:6381")->host, "::1");
  EXPECT_EQ(parse_redirect("MOVED 1 :6381")->host, "") << "the host that answered";
  EXPECT_EQ(parse_redirect("MOVED 1 ?:6381")->host, "");
  for (const char* words : {"", "MOVED", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:0", "MOVED 1 h:70000", "ERR 1 h:1"})
    EXPECT_FALSE(parse_redirect(words)) << words;
}

}  // namespace
}  // namespace holdfast::stores::redis
