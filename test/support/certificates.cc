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

// One that its authority has signed, and that is not valid any more; `req` signs none that is of yesterday.
void make_expired_certificate(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name, log = folder + "/openssl.log";
  run_program({"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
               "/CN=" + name, "-keyout", path + ".key", "-out", path + ".csr"},
              log);
  run_program({"openssl", "x509", "-req", "-in", path + ".csr", "-CA", folder + "/authority.crt", "-CAkey",
               folder + "/authority.key", "-set_serial", "1", "-days", "-1", "-out", path + ".crt"},
              log);
}

}  // namespace

Certificates::Certificates(const std::string& folder)
    : server_file(folder + "/server.crt"),
      server_key_file(folder + "/server.key"),
      authority_file(self_signed(folder, "authority")),
      other_file(self_signed(folder, "other")),
      client_file(folder + "/client.crt"),
      client_key_file(folder + "/client.key"),
      expired_file(folder + "/expired.crt"),
      expired_key_file(folder + "/expired.key") {
  authority = read_file(authority_file);
  other = read_file(other_file);
  make_certificate(folder, "server");
  make_certificate(folder, "client");
  make_expired_certificate(folder, "expired");
  client = read_file(client_file);
  client_key = read_file(client_key_file);
}

}  // namespace holdfast::test
