#include "migration/digest.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::migration {
namespace {

using state::Record;
using state::Shape;

std::string hex(const Hash& hash) { return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()}); }

Record full_record() {
  Record record;
  record.value = R"({"a":1})";
  record.shape = Shape::json;
  record.expires_at = WallTime::from_ms(1'790'000'000'000);
  record.fields.emplace();
  record.fields->content_type = "application/json";
  record.fields->created_by = "alice";
  record.fields->modified_by = "bob";
  record.fields->tags = {{"color", "red"}, {"size", "l"}};
  record.fields->indexes = {{"owner", "carol"}};
  return record;
}

TEST(Sha256, IsTheOneOfTheStandard) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, IsTheSameInAnyOrderAndComesBackFromItsText) {
  Digest one;
  Digest other;
  for (const char* text : {"a", "b", "c"}) one.add(sha256(text));
  for (const char* text : {"c", "a", "b"}) other.add(sha256(text));
  EXPECT_EQ(one, other);
  EXPECT_EQ(Digest::parse(one.text()), one);
  other.add(sha256("a"));
  EXPECT_NE(one, other) << "a record that came twice";
  Digest sum;
  sum.add(one);
  sum.add(one);
  EXPECT_EQ(sum.count(), 6u);
}

TEST(Digest, TextThatIsNoneIsRefused) {
  const std::string good = Digest().text();
  for (const std::string& text : {std::string(), good + "0", good.substr(1), "x" + good,
                                  good.substr(0, good.size() - 1) + "g", "1" + std::string(65, '0')})
    EXPECT_FALSE(Digest::parse(text)) << text;
}

TEST(ContentHash, EveryPartCountsThatIsKept) {
  const Hash original = content_hash("k", full_record(), Kept());
  const auto changed = [&](auto change) {
    Record record = full_record();
    change(record);
    return content_hash("k", record, Kept());
  };
  EXPECT_NE(content_hash("l", full_record(), Kept()), original);
  EXPECT_NE(changed([](Record& r) { r.value = R"({"a": 1})"; }), original);
  EXPECT_NE(changed([](Record& r) { r.shape = Shape::bytes; }), original);
  EXPECT_NE(changed([](Record& r) { r.fields->content_type = "text/plain"; }), original);
  EXPECT_NE(changed([](Record& r) { r.fields->created_by = "eve"; }), original);
  EXPECT_NE(changed([](Record& r) { r.fields->modified_by = "eve"; }), original);
  EXPECT_NE(changed([](Record& r) { r.fields->tags.pop_back(); }), original);
  EXPECT_NE(changed([](Record& r) { r.fields->indexes.clear(); }), original);
  EXPECT_EQ(changed([](Record& r) { std::swap(r.fields->tags[0], r.fields->tags[1]); }), original);
  EXPECT_EQ(changed([](Record& r) { r.etag = "7"; }), original) << "every store has etags of its own";
}

TEST(ContentHash, WhatIsNotKeptDoesNotCount) {
  Record bare;
  bare.value = R"({ "a": 1 })";
  bare.shape = Shape::json;
  const Kept little{.ttl = false, .fields = false, .created_by = false, .exact_json = false};
  EXPECT_EQ(content_hash("k", full_record(), little), content_hash("k", bare, little));
}

TEST(ContentHash, ARecordWithoutFieldsIsAsOneWithEmptyOnes) {
  Record without;
  Record with;
  with.fields.emplace();
  EXPECT_EQ(content_hash("k", without, Kept()), content_hash("k", with, Kept()));
  EXPECT_FALSE(difference(without, with, Kept(), Milliseconds(0)));
}

TEST(Difference, NamesThePart) {
  const auto told = [](auto change, Kept kept = Kept()) {
    Record record = full_record();
    change(record);
    return difference(full_record(), record, kept, Milliseconds(1)).value_or("");
  };
  EXPECT_EQ(told([](Record&) {}), "");
  EXPECT_EQ(told([](Record& r) { r.value += ' '; }), "value");
  EXPECT_EQ(told([](Record& r) { r.value += ' '; }, {.exact_json = false}), "");
  EXPECT_EQ(told([](Record& r) { r.value = "{}"; }, {.exact_json = false}), "value");
  EXPECT_EQ(told([](Record& r) { r.shape = Shape::bytes; }), "shape");
  EXPECT_EQ(told([](Record& r) { r.fields->content_type = "x"; }), "content type");
  EXPECT_EQ(told([](Record& r) { r.fields->tags.clear(); }), "tags");
  EXPECT_EQ(told([](Record& r) { r.fields->indexes.clear(); }), "indexes");
  EXPECT_EQ(told([](Record& r) { r.fields->modified_by = "x"; }), "modifiedBy");
  EXPECT_EQ(told([](Record& r) { r.fields->created_by = "x"; }), "createdBy");
  EXPECT_EQ(told([](Record& r) { r.fields->created_by = "x"; }, {.created_by = false}), "");
}

TEST(Difference, AnExpiryMayMoveALittleAndNotGo) {
  const auto told = [](auto change) {
    Record record = full_record();
    change(record);
    return difference(full_record(), record, Kept(), Milliseconds(1)).value_or("");
  };
  EXPECT_EQ(told([](Record& r) { r.expires_at->us += 1000 * kExpirySlack.count(); }), "");
  EXPECT_EQ(told([](Record& r) { r.expires_at->us += 1000 * (kExpirySlack.count() + 2); }), "expiry");
  EXPECT_EQ(told([](Record& r) { r.expires_at.reset(); }), "expiry");
}

}  // namespace
}  // namespace holdfast::migration
