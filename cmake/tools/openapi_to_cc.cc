// Build step: openapi.yaml in, a C++ source out that defines openapi_json() with the same document as JSON.
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <iostream>
#include <string>

namespace {

void append_string(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

bool is_plain_json(const std::string& text) {
  if (text == "true" || text == "false" || text == "null") return true;
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

void append_json(std::string& out, const YAML::Node& node) {
  if (node.IsMap()) {
    out += '{';
    for (const auto& member : node) {
      if (out.back() != '{') out += ',';
      append_string(out, member.first.Scalar());
      out += ':';
      append_json(out, member.second);
    }
    out += '}';
  } else if (node.IsSequence()) {
    out += '[';
    for (const auto& item : node) {
      if (out.back() != '[') out += ',';
      append_json(out, item);
    }
    out += ']';
  } else if (node.Tag() == "?" && is_plain_json(node.Scalar())) {
    out += node.Scalar();
  } else {
    append_string(out, node.Scalar());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: openapi_to_cc IN.yaml OUT.cc\n";
    return 2;
  }
  std::string json;
  append_json(json, YAML::LoadFile(argv[1]));
  std::ofstream out(argv[2]);
  out << "#include \"api/http/openapi.h\"\n\nnamespace holdfast::api {\n\nstd::string_view openapi_json() {\n"
      << "  return R\"openapi(" << json << "\n)openapi\";\n}\n\n}  // namespace holdfast::api\n";
  return out.good() ? 0 : 1;
}
