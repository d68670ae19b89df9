// What a token lets its bearer do. Made when the token file is read, never changed, shared by the loops.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::service {

// What a call does to a store; `admin` is everything beside state that changes or reveals something: secrets, shutdown,
// writing metadata.
enum class Right : std::uint8_t { get, list, write, erase, watch, admin };

// A set of rights.
class Rights {
 public:
  constexpr Rights() = default;
  constexpr Rights(Right right) : bits_(bit_of(right)) {}  // a right is a set of one
  constexpr Rights(std::initializer_list<Right> rights) {
    for (const Right right : rights) bits_ |= bit_of(right);
  }
  static constexpr Rights all() {
    return {Right::get, Right::list, Right::write, Right::erase, Right::watch, Right::admin};
  }
  // What a token that is limited in some other way may do: all but administer.
  static constexpr Rights of_state() { return {Right::get, Right::list, Right::write, Right::erase, Right::watch}; }

  constexpr bool has(Rights wanted) const { return (wanted.bits_ & ~bits_) == 0; }
  constexpr Rights& operator|=(Rights more) {
    bits_ |= more.bits_;
    return *this;
  }
  constexpr bool operator==(const Rights&) const = default;

 private:
  static constexpr std::uint8_t bit_of(Right right) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(right));
  }
  std::uint8_t bits_ = 0;
};

struct Grant {
  std::string name = {};       // who the bearer is: createdBy, modifiedBy; empty: the application
  std::string isolation = {};  // the only isolation key it reaches; empty: any, and plain records
  std::string prefix = {};     // of the user keys it reaches; empty: any
  Rights rights = Rights::all();
  std::vector<std::string> stores = {};  // the only ones it reaches; empty: all

  bool reaches_store(std::string_view store) const {
    return stores.empty() || std::ranges::find(stores, store) != stores.end();
  }
  bool operator==(const Grant&) const = default;
};

// What reading needs. Records without their values are what a listing shows: whoever may list may have them.
inline Right right_to_read(bool values, const Grant* grant) {
  return !values && grant != nullptr && grant->rights.has(Right::list) ? Right::list : Right::get;
}

// Null: the bearer may do everything.
using GrantRef = std::shared_ptr<const Grant>;

}  // namespace holdfast::service
