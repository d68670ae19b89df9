// What a statement takes and gives, in PostgreSQL's binary formats. Pure, but for the memory of a result.
// Source: the receive and send functions of the types,
// postgresql.org/docs/15/protocol-overview.html#PROTOCOL-FORMAT-CODES.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "stores/postgresql/libpq.h"

namespace holdfast::stores::postgresql {

// Parameters of one execution, $1 first. What is text or bytes is referred to, and lives until the statement was sent;
// the statement has to say ::text or ::bytea of it. Numbers and lists are kept.
class Values {
 public:
  Values& null() { return add({}, true); }
  Values& text(std::string_view value) { return add(value, false); }
  Values& text_or_null(std::string_view value) { return add(value, value.empty()); }
  Values& bytes(std::string_view value) { return add(value, false); }
  // Of any type of number, by its text.
  Values& integer(std::int64_t value) { return keep(std::to_string(value)); }
  Values& boolean(bool value) { return keep(value ? "t" : "f"); }
  // Of text[]; no element may have a zero byte in it.
  template <class Range>
  Values& list(const Range& values) {
    std::string array = "{";
    for (const auto& value : values) append_element(array, value);
    array += '}';
    return keep(std::move(array));
  }

  int count() const { return static_cast<int>(parts_.size()); }
  std::size_t bytes_in_all() const;
  // As libpq wants them; valid until this is changed or moved.
  struct Arrays {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  void fill(Arrays& arrays) const;

 private:
  struct Part {
    std::string_view view;
    std::string kept;
    bool is_kept = false;  // goes in text format, the others in binary, which for text is the same bytes
    bool is_null = false;
    std::string_view bytes() const { return is_kept ? std::string_view(kept) : view; }
  };
  static void append_element(std::string& array, std::string_view value);
  Values& add(std::string_view view, bool is_null);
  Values& keep(std::string text);

  std::vector<Part> parts_;
};

// The rows of one result, all of whose columns are in binary format.
class Rows {
 public:
  Rows() = default;
  explicit Rows(ResultHandle result) : result_(std::move(result)) {}

  int size() const { return result_ ? libpq().ntuples(result_.get()) : 0; }
  bool is_null(int row, int column) const { return libpq().getisnull(result_.get(), row, column) != 0; }
  // Valid while this lives.
  std::string_view text(int row, int column) const;
  bool boolean(int row, int column) const;
  std::int64_t integer(int row, int column) const;  // int2, int4, int8
  WallTime time(int row, int column) const;         // timestamptz; infinity as the farthest there is
  std::optional<WallTime> time_if_any(int row, int column) const;
  // How many rows a statement that returns none has touched.
  std::uint64_t touched() const;

 private:
  ResultHandle result_;
};

}  // namespace holdfast::stores::postgresql
