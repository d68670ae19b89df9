// What a statement takes and gives, in PostgreSQL's binary formats. Pure, but for the memory of a result.
// Source: the receive and send functions of the types,
// postgresql.org/docs/15/protocol-overview.html#PROTOCOL-FORMAT-CODES.
#pragma once

#include <cstdint>
#include <memory>
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
  void reserve(std::size_t count) { parts_.reserve(count); }
  Values& null() { return add({.is_null = true}); }
  Values& text(std::string_view value) { return add({.view = value}); }
  Values& text_or_null(std::string_view value) { return add({.view = value, .is_null = value.empty()}); }
  Values& bytes(std::string_view value) { return add({.view = value, .is_bytes = true}); }
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

  // Of the values of several executions, the first of each as an array of text or bytes, then the second, and so on.
  // A number is its text.
  template <class Range>
  static Values together(const Range& all) {
    Values arrays;
    arrays.reserve(all.front().parts_.size());
    for (std::size_t at = 0; at < all.front().parts_.size(); ++at) {
      std::size_t bytes = 0;
      for (const Values& each : all) bytes += each.parts_[at].bytes().size();
      std::string array = begin_array(all.size(), bytes);
      for (const Values& each : all) append_binary(array, each.parts_[at]);
      arrays.add({.kept = std::move(array), .is_kept = true});
    }
    return arrays;
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
    std::string_view view = {};
    std::string kept = {};
    bool is_kept = false;
    bool is_null = false;
    bool is_bytes = false;
    bool is_in_text_format = false;  // else in binary, which for text is the same bytes
    std::string_view bytes() const { return is_kept ? std::string_view(kept) : view; }
  };
  static void append_element(std::string& array, std::string_view value);
  static std::string begin_array(std::size_t size, std::size_t bytes);
  // The first one says what the array is of.
  static void append_binary(std::string& array, const Part& part);
  Values& add(Part part);
  Values& keep(std::string text) { return add({.kept = std::move(text), .is_kept = true, .is_in_text_format = true}); }

  std::vector<Part> parts_;
};

// The rows of one result, all of whose columns are in binary format, or one of them.
class Rows {
 public:
  Rows() = default;
  explicit Rows(ResultHandle result)
      : result_(std::move(result)), size_(result_ ? libpq().ntuples(result_.get()) : 0) {}
  // One row of `all`, without the columns ahead of `first_column`.
  static Rows one_of(const Rows& all, int row, int first_column) {
    Rows one = all;
    one.first_row_ += row;
    one.first_column_ += first_column;
    one.size_ = 1;
    return one;
  }

  int size() const { return size_; }
  bool is_null(int row, int column) const {
    return libpq().getisnull(result_.get(), first_row_ + row, first_column_ + column) != 0;
  }
  // Valid while this lives.
  std::string_view text(int row, int column) const;
  bool boolean(int row, int column) const;
  std::int64_t integer(int row, int column) const;  // int2, int4, int8
  WallTime time(int row, int column) const;         // timestamptz; infinity as the farthest there is
  std::optional<WallTime> time_if_any(int row, int column) const;
  // How many rows a statement that returns none has touched.
  std::uint64_t touched() const;

 private:
  std::shared_ptr<PGresult> result_;
  int size_ = 0;
  int first_row_ = 0;
  int first_column_ = 0;
};

}  // namespace holdfast::stores::postgresql
