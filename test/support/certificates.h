// Certificates for servers that tests start, as files.
#pragma once

#include <string>

namespace holdfast::test {

// Certificates of an authority of its own, as files in a folder; made with the openssl program.
struct Certificates {
  explicit Certificates(const std::string& folder);

  std::string authority;           // PEM; nobody knows it who is not told
  std::string other;               // of an authority that has signed nothing
  std::string client, client_key;  // PEM
  std::string server_file, server_key_file, authority_file, other_file, client_file, client_key_file;
  std::string expired_file, expired_key_file;  // a client's of yesterday
};

}  // namespace holdfast::test
