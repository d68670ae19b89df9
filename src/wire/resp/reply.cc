#include "wire/resp/reply.h"

#include <limits>
#include <string>

#include "wire/resp/element.h"

namespace holdfast::resp {

namespace {

constexpr Node kNull{.text = nullptr, .text_bytes = 0, .children = 0, .nodes = 1, .kind = Kind::null};

}  // namespace

Reply::Reply() { few_[0] = kNull; }

inline void Reply::append(const Node& node) {
  if (size_ < kFew && many_.empty()) {
    few_[size_++] = node;
    return;
  }
  if (many_.empty()) many_.assign(few_.begin(), few_.end());
  many_.push_back(node);
  ++size_;
}

// Reads one reply into its list of nodes.
class ReplyReader {
 public:
  ReplyReader(std::string_view bytes, Reply& reply) : left_(bytes), reply_(reply) {}

  // The first thing that is wrong; empty when a reply was read.
  std::string_view read() {
    if (!take_usual()) value(0);
    return reason_;
  }
  // What stands behind it.
  std::string_view left() const { return left_; }

 private:
  bool wrong(std::string_view reason) {
    reason_ = reason;
    return false;
  }

  std::nullopt_t nothing(std::string_view reason) {
    reason_ = reason;
    return std::nullopt;
  }

  bool value(std::size_t depth) {
    if (take_short_scalar()) return true;
    std::uint64_t count = 0;
    if (const char* const behind = read_short_array(left_.data(), left_.data() + left_.size(), count)) {
      left_ = left_.substr(static_cast<std::size_t>(behind - left_.data()));
      return aggregate({.kind = Kind::array, .form = Form::aggregate, .count = count}, depth);
    }
    std::optional<Element> element = next();
    while (element && element->form == Form::attribute) {
      if (!skip_attribute(*element, depth)) return false;
      element = next();
    }
    if (!element) return false;
    switch (element->form) {
      case Form::line:
        add(element->kind, element->text);
        return true;
      case Form::bulk:
        return bulk(*element);
      default:
        return aggregate(*element, depth);
    }
  }

  // A string or a number as nearly all are, or an array of a few such. False, and nothing taken, for everything else.
  bool take_usual() {
    const char* at = left_.data();
    const char* const end = at + left_.size();
    std::uint64_t count = 1;
    Node* node = reply_.few_.data();
    if (const char* const behind = read_short_array(at, end, count)) {
      if (count >= Reply::kFew) return false;
      const auto members = static_cast<std::uint32_t>(count);
      *node++ = {.text = nullptr, .text_bytes = 0, .children = members, .nodes = members + 1, .kind = Kind::array};
      at = behind;
    }
    for (ShortScalar scalar; count > 0; --count) {
      at = read_short_scalar(at, end, scalar);
      if (at == nullptr) return false;
      *node++ = node_of(scalar.kind, scalar.text);
    }
    reply_.size_ = static_cast<std::size_t>(node - reply_.few_.data());
    left_ = left_.substr(static_cast<std::size_t>(at - left_.data()));
    return true;
  }

  static Node node_of(Kind kind, std::string_view text) {
    return {.text = text.data(), .text_bytes = text.size(), .children = 0, .nodes = 1, .kind = kind};
  }

  // A string or a number as nearly all are. False for everything else, also for what is wrong.
  bool take_short_scalar() {
    ShortScalar scalar;
    const char* const behind = read_short_scalar(left_.data(), left_.data() + left_.size(), scalar);
    if (behind == nullptr) return false;
    add(scalar.kind, scalar.text);
    left_ = left_.substr(static_cast<std::size_t>(behind - left_.data()));
    return true;
  }

  void add(Kind kind, std::string_view text) { reply_.append(node_of(kind, text)); }

  std::optional<Element> next() {
    const std::size_t end = left_.find('\n');
    if (end == std::string_view::npos) return nothing("a reply that breaks off");
    if (end < 2 || left_[end - 1] != '\r') return nothing("a line ends without a carriage return");
    const auto element = read_element(left_.substr(0, end - 1));
    if (!element) return nothing(element.error());
    left_.remove_prefix(end + 1);
    return *element;
  }

  bool bulk(const Element& element) {
    if (left_.size() < 2 || element.count > left_.size() - 2) return wrong("a reply that breaks off");
    if (left_[element.count] != '\r' || left_[element.count + 1] != '\n')
      return wrong("a string is longer than announced");
    std::string_view text = left_.substr(0, element.count);
    left_.remove_prefix(element.count + 2);
    text.remove_prefix(element.skipped);
    add(element.kind, text);
    return true;
  }

  bool aggregate(const Element& element, std::size_t depth) {
    if (element.kind == Kind::push && depth > 0) return wrong("a push stands inside a reply");
    const std::size_t at = reply_.size_;
    if (element.count > std::numeric_limits<std::uint32_t>::max()) return wrong("too many elements");
    reply_.append({.text = nullptr,
                   .text_bytes = 0,
                   .children = static_cast<std::uint32_t>(element.count),
                   .nodes = 1,
                   .kind = element.kind});
    if (!members(element.count, depth)) return false;
    reply_.node(at).nodes = static_cast<std::uint32_t>(reply_.size_ - at);
    return true;
  }

  bool skip_attribute(const Element& attribute, std::size_t depth) {
    const std::size_t before = reply_.size_;
    if (!members(attribute.count, depth)) return false;
    reply_.truncate(before);
    return true;
  }

  bool members(std::uint64_t count, std::size_t depth) {
    if (count > 0 && depth == kDepthMost) return wrong("aggregates are nested too deep");
    while (count-- > 0)
      if (!take_short_scalar() && !value(depth + 1)) return false;
    return true;
  }

  std::string_view left_;
  Reply& reply_;
  std::string_view reason_;
};

void Reply::truncate(std::size_t size) {
  if (!many_.empty()) many_.resize(size);
  size_ = size;
}

Result<Reply> Reply::parse(std::string_view whole) {
  Result<Reply> reply(std::in_place);
  if (auto read = reply->read(whole); !read) return fail(std::move(read.error()));
  if (!whole.empty()) return fail(Errc::internal, "not RESP: bytes behind the end of the reply");
  return reply;
}

Status Reply::read(std::string_view& bytes) {
  size_ = 0;
  many_.clear();
  ReplyReader reader(bytes, *this);
  const std::string_view reason = reader.read();
  if (!reason.empty()) return fail(Errc::internal, "not RESP: " + std::string(reason));
  bytes = reader.left();
  return {};
}

std::int64_t Value::integer() const { return kind() == Kind::integer ? parse_integer(text()).value_or(0) : 0; }

double Value::real() const { return kind() == Kind::real ? parse_real(text()).value_or(0) : 0; }

Value Value::operator[](std::size_t index) const {
  if (index >= size()) return Value(kNull);
  if (node_->nodes == node_->children + 1) return Value(node_[index + 1]);  // none of them has members
  Iterator at = begin();
  while (index-- > 0) ++at;
  return *at;
}

Value::Iterator Value::begin() const { return Iterator(node_ + 1); }
Value::Iterator Value::end() const { return Iterator(node_ + node_->nodes); }

std::optional<std::int64_t> to_integer(Value value) {
  const Kind kind = value.kind();
  if (kind != Kind::integer && kind != Kind::text && kind != Kind::big_number) return std::nullopt;
  return parse_integer(value.text());
}

namespace {

Kind kind_of(std::string_view whole) {
  if (whole.starts_with('-') || whole.starts_with('!')) return Kind::error;
  if (whole.starts_with('>')) return Kind::push;
  if (!whole.starts_with('|')) return Kind::null;  // neither of the two, which is all that is asked
  const Result<Reply> reply = Reply::parse(whole);
  return reply ? reply->root().kind() : Kind::null;
}

}  // namespace

// Nothing is read of what begins as most do.
bool is_error(std::string_view whole) {
  return !whole.empty() && (whole[0] == '-' || whole[0] == '!' || whole[0] == '|') && kind_of(whole) == Kind::error;
}
bool is_push(std::string_view whole) {
  return !whole.empty() && (whole[0] == '>' || whole[0] == '|') && kind_of(whole) == Kind::push;
}

std::string_view error_word(std::string_view message) { return message.substr(0, message.find(' ')); }

}  // namespace holdfast::resp
