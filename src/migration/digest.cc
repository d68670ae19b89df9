#include "migration/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/encoding.h"
#include "base/number.h"
#include "migration/canonical.h"
#include "state/pairs.h"

namespace holdfast::migration {
namespace {

using state::Record;
using state::RecordFields;
using state::Shape;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  void bytes(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  // Behind its length, so that no two lists of parts look alike.
  void part(std::string_view part) {
    std::array<char, 8> length;
    for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(part.size() >> (8 * i));
    bytes({length.data(), length.size()});
    bytes(part);
  }
  Hash finish() {
    Hash hash;
    EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr);
    return hash;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// Stores may keep pairs in an order of their own.
std::string sorted(state::Pairs pairs) {
  std::ranges::sort(pairs);
  return state::encode_pairs(pairs);
}

// A record that another program wrote has no fields, and its copy has empty ones.
const RecordFields& fields_of(const Record& record) {
  static const RecordFields none;
  return record.fields ? *record.fields : none;
}

bool is_same_value(const Record& a, const Record& b, const Kept& kept) {
  if (a.value == b.value) return true;
  if (kept.exact_json || a.shape != Shape::json) return false;
  const auto canonical = canonical_json(a.value);
  return canonical && canonical == canonical_json(b.value);
}

bool is_same_expiry(const Record& a, const Record& b, Milliseconds grain) {
  if (a.expires_at.has_value() != b.expires_at.has_value()) return false;
  if (!a.expires_at) return true;
  const std::int64_t apart_ms = a.expires_at->ms() - b.expires_at->ms();
  return std::abs(apart_ms) <= (kExpirySlack + grain).count();
}

}  // namespace

Hash sha256(std::string_view bytes) {
  Sha256 hash;
  hash.bytes(bytes);
  return hash.finish();
}

Kept Kept::by(const state::Capabilities& can) {
  return {.ttl = can.ttl, .fields = can.record_fields, .created_by = can.record_fields, .exact_json = can.exact_json};
}

Kept Kept::operator&(const Kept& other) const {
  return {.ttl = ttl && other.ttl,
          .fields = fields && other.fields,
          .created_by = created_by && other.created_by,
          .exact_json = exact_json && other.exact_json};
}

Hash content_hash(std::string_view key, const Record& record, const Kept& kept) {
  Sha256 hash;
  hash.part(key);
  std::optional<std::string> canonical;
  if (!kept.exact_json && record.shape == Shape::json) canonical = canonical_json(record.value);
  hash.part(canonical ? *canonical : record.value);
  if (!kept.fields) return hash.finish();
  const RecordFields& fields = fields_of(record);
  hash.part(record.shape == Shape::json ? "json" : "bytes");
  hash.part(fields.content_type);
  hash.part(sorted(fields.tags));
  hash.part(sorted(fields.indexes));
  hash.part(fields.modified_by);
  if (kept.created_by) hash.part(fields.created_by);
  return hash.finish();
}

std::optional<std::string_view> difference(const Record& a, const Record& b, const Kept& kept, Milliseconds grain) {
  if (!is_same_value(a, b, kept)) return "value";
  if (kept.ttl && !is_same_expiry(a, b, grain)) return "expiry";
  if (!kept.fields) return std::nullopt;
  const RecordFields& of_a = fields_of(a);
  const RecordFields& of_b = fields_of(b);
  if (a.shape != b.shape) return "shape";
  if (of_a.content_type != of_b.content_type) return "content type";
  if (sorted(of_a.tags) != sorted(of_b.tags)) return "tags";
  if (sorted(of_a.indexes) != sorted(of_b.indexes)) return "indexes";
  if (of_a.modified_by != of_b.modified_by) return "modifiedBy";
  if (kept.created_by && of_a.created_by != of_b.created_by) return "createdBy";
  return std::nullopt;
}

void Digest::add_sum(const Hash& sum) {
  unsigned carry = 0;
  for (std::size_t i = sum_.size(); i-- > 0;) {
    carry += static_cast<unsigned>(sum_[i]) + sum[i];
    sum_[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

void Digest::add(const Hash& hash) {
  add_sum(hash);
  ++count_;
}

void Digest::add(const Digest& other) {
  add_sum(other.sum_);
  count_ += other.count_;
}

std::string Digest::text() const {
  return std::to_string(count_) + ":" + hex_encode({reinterpret_cast<const char*>(sum_.data()), sum_.size()});
}

std::optional<Digest> Digest::parse(std::string_view text) {
  Digest digest;
  if (!read_number(take_part(text, ':'), digest.count_)) return std::nullopt;
  const auto sum = hex_decode(text);
  if (!sum || sum->size() != digest.sum_.size()) return std::nullopt;
  std::ranges::copy(*sum, digest.sum_.begin());
  return digest;
}

}  // namespace holdfast::migration
