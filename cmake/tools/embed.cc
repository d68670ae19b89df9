// Build step: files in, a C++ source out that defines a function of holdfast with their names and bytes
// (base/embedded_file.h). A .yaml file becomes JSON.
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
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

std::string bytes_of(const std::filesystem::path& path) {
  if (path.extension() == ".yaml") {
    std::string json;
    append_json(json, YAML::LoadFile(path.string()));
    return json + '\n';
  }
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: embed OUT.cc HEADER FUNCTION FILE...\n";
    return 2;
  }
  std::ofstream out(argv[1]);
  out << "#include \"" << argv[2] << "\"\n\nnamespace holdfast {\n\nstd::span<const EmbeddedFile> " << argv[3]
      << "() {\n  static constexpr EmbeddedFile kFiles[] = {\n";
  for (int i = 4; i < argc; ++i) {
    std::filesystem::path path(argv[i]);
    const std::string bytes = bytes_of(path);
    if (bytes.empty() || bytes.find(")embedded\"") != std::string::npos) {
      std::cerr << "embed: " << argv[i] << " is empty or holds )embedded\"\n";
      return 1;
    }
    if (path.extension() == ".yaml") path.replace_extension(".json");
    out << "      {\"" << path.filename().string() << "\", R\"embedded(" << bytes << ")embedded\"},\n";
  }
  out << "  };\n  return kFiles;\n}\n\n}  // namespace holdfast\n";
  return out.good() ? 0 : 1;
}
