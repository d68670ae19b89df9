#include "support/certificates.h"

#include "support/child_process.h"

namespace holdfast::test {
namespace {

std::string self_signed(const std::string& folder, const std::string& name) {
  const std::string file = folder + "/" + name + ".crt";
  run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
               "2", "-subj", "/CN=Holdfast test " + name, "-keyout", folder + "/" + name + ".key", "-out", file},
              folder + "/openssl.log");
  return file;
}

// Signed by the authority in `folder`.
void make_certificate(const std::string& folder, const std::string& name) {
  run_program({"openssl",
               "req",
               "-x509",
               "-CA",
               folder + "/authority.crt",
               "-CAkey",
               folder + "/authority.key",
               "-newkey",
               "ec",
               "-pkeyopt",
               "ec_paramgen_curve:P-256",
               "-nodes",
               "-days",
               "2",
               "-subj",
               "/CN=" + name,
               "-addext",
               "basicConstraints=critical,CA:FALSE",
               "-addext",
               "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-keyout",
               folder + "/" + name + ".key",
               "-out",
               folder + "/" + name + ".crt"},
              folder + "/openssl.log");
}

}  // namespace

Certificates::Certificates(const std::string& folder)
    : server_file(folder + "/server.crt"),
      server_key_file(folder + "/server.key"),
      authority_file(self_signed(folder, "authority")) {
  authority = read_file(authority_file);
  other = read_file(self_signed(folder, "other"));
  make_certificate(folder, "server");
  make_certificate(folder, "client");
  client = read_file(folder + "/client.crt");
  client_key = read_file(folder + "/client.key");
}

}  // namespace holdfast::test
