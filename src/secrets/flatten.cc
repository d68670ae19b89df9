#include "secrets/flatten.h"

#include <fmt/format.h>

#include <utility>

#include "wire/json/json.h"

namespace holdfast::secrets {
namespace {

using Members = std::map<std::string_view, json::Element>;

// A name that comes twice has its last value, as in Go.
Members members_of(json::Object object) {
  Members members;
  for (const auto member : object) members.insert_or_assign(member.key, member.value);
  return members;
}

bool is_container(json::Element element) { return element.is_object() || element.is_array(); }

std::string text_of(json::Element leaf) {
  std::string_view text;
  if (leaf.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  return leaf.is_null() ? "" : simdjson::minify(leaf);
}

// Collects the leaves below one element, by path. A path is null for what has no parent: an empty name is a name.
class Flattener {
 public:
  Flattener(std::string_view separator, std::size_t& name_bytes) : separator_(separator), name_bytes_(name_bytes) {}

  Status add_members(const std::string* path, json::Element container, std::size_t depth) {
    if (depth > kSecretDepthMax)
      return fail(Errc::invalid_argument, fmt::format("it is nested deeper than {} levels", kSecretDepthMax));
    json::Array array;
    if (container.get_array().get(array) == simdjson::SUCCESS) {
      std::size_t index = 0;
      for (const json::Element item : array)
        if (auto added = add(joined(path, std::to_string(index++)), item, depth); !added) return added;
      return {};
    }
    for (const auto& [name, value] : members_of(container.get_object()))
      if (auto added = add(joined(path, name), value, depth); !added) return added;
    return {};
  }

  Secret take() && { return std::move(leaves_); }

 private:
  Status add(const std::string& path, json::Element element, std::size_t depth) {
    name_bytes_ += path.size();
    if (name_bytes_ > kSecretNameBytesMax)
      return fail(Errc::invalid_argument,
                  fmt::format("the names of its secrets have more than {} bytes together", kSecretNameBytesMax));
    if (is_container(element)) return add_members(&path, element, depth + 1);
    if (leaves_.try_emplace(path, text_of(element)).second) return {};
    return fail(
        Errc::invalid_argument,
        fmt::format("two of its values are called \"{}\"; rename one, or choose another nestedSeparator", path));
  }

  std::string joined(const std::string* path, std::string_view name) const {
    return path == nullptr ? std::string(name) : fmt::format("{}{}{}", *path, separator_, name);
  }

  std::string_view separator_;
  std::size_t& name_bytes_;
  Secret leaves_;
};

Result<Secrets> flatten_single(json::Element root, std::string_view separator) {
  std::size_t name_bytes = 0;
  Flattener flattener(separator, name_bytes);
  if (auto added = flattener.add_members(nullptr, root, 1); !added) return fail(std::move(added.error()));
  Secrets secrets;
  for (auto& [name, value] : std::move(flattener).take()) secrets[name] = {{name, value}};
  return secrets;
}

Result<Secrets> flatten_multi(json::Element root, std::string_view separator) {
  std::size_t name_bytes = 0;
  Secrets secrets;
  for (const auto& [name, value] : members_of(root.get_object())) {
    Secret& secret = secrets[std::string(name)];
    if (!is_container(value)) {
      secret = {{std::string(name), text_of(value)}};
      continue;
    }
    Flattener flattener(separator, name_bytes);
    if (auto added = flattener.add_members(nullptr, value, 1); !added) return fail(std::move(added.error()));
    secret = std::move(flattener).take();
  }
  return secrets;
}

}  // namespace

Result<Secrets> flatten(std::string_view text, const Flattening& how) {
  json::Parser parser;
  const auto root = parser.parse(text, json::Reading::whole_text);
  if (!root) return fail(Errc::invalid_argument, fmt::format("it is not JSON: {}", root.error().message));
  if (root->is_null()) return Secrets();
  if (!root->is_object())
    return fail(Errc::invalid_argument, fmt::format("it holds {} {} where an object of names and values belongs",
                                                    root->is_array() ? "an" : "a", json::go_kind(*root)));
  return how.multi_valued ? flatten_multi(*root, how.separator) : flatten_single(*root, how.separator);
}

}  // namespace holdfast::secrets
