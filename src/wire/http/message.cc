#include "wire/http/message.h"

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::http {

Method parse_method(std::string_view text) {
  if (text == "GET") return Method::get;
  if (text == "POST") return Method::post;
  if (text == "PUT") return Method::put;
  if (text == "DELETE") return Method::del;
  if (text == "HEAD") return Method::head;
  if (text == "PATCH") return Method::patch;
  if (text == "OPTIONS") return Method::options;
  return Method::other;
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
    case Method::patch:
      return "PATCH";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      break;
  }
  return "UNKNOWN";
}

void HeaderBlock::add(std::string_view name, std::string_view value) {
  const std::size_t at = text_.size();
  append(name, value);
  for (std::size_t i = at; i < at + name.size(); ++i) text_[i] = ascii_lower(text_[i]);
  seen_ |= bit_of(this->name(entries_.size() - 1));
}

void HeaderBlock::add_lower(std::string_view name, std::string_view value) {
  append(name, value);
  seen_ |= bit_of(name);
}

void HeaderBlock::append(std::string_view name, std::string_view value) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  const auto name_bytes = static_cast<std::uint32_t>(name.size());
  // The size that is passed on may be the new capacity, in libstdc++ 12.
  text_.resize_and_overwrite(at + name.size() + value.size(), [at, name, value](char* text, std::size_t) {
    char* const end = std::copy(value.begin(), value.end(), std::copy(name.begin(), name.end(), text + at));
    return static_cast<std::size_t>(end - text);
  });
  entries_.push_back({at, name_bytes, at + name_bytes, static_cast<std::uint32_t>(value.size())});
}

std::string_view HeaderBlock::search(std::string_view wanted) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (name(i) == wanted) return value(i);
  return {};
}

bool HeaderBlock::has(std::string_view wanted) const {
  if ((seen_ & bit_of(wanted)) == 0) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (name(i) == wanted) return true;
  return false;
}

void HeaderLines::lower_names() {
  bool in_name = true;
  for (char& c : lines_) {
    if (c == ':') in_name = false;
    if (in_name) c = ascii_lower(c);
    if (c == '\n') in_name = true;
  }
}

std::string_view HeaderLines::find(std::string_view wanted) const {
  std::string_view found;
  for_each([&](std::string_view name, std::string_view value) {
    if (found.data() == nullptr && iequals(name, wanted)) found = value;
  });
  return found;
}

void Request::clear() {
  method = Method::other;
  unknown_method.clear();
  target.clear();
  headers.clear();
  body.clear();
  body_too_large = false;
  peer = Peer::elsewhere;
  cancel = nullptr;
  caller.reset();
  session = nullptr;
}

void Response::clear() {
  status = 200;
  content_type = {};
  headers.clear();
  body.clear();
  trailers.clear();
  has_trailers = false;
  close = false;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Entity";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace holdfast::http
