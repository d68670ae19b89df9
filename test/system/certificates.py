"""Certificates for tests: an authority and what it signs, by the openssl program."""
import subprocess


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = directory / "ca.pem", directory / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=Test authority",
                 "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, into=None):
        """A certificate for localhost and 127.0.0.1 with that common name; the paths of it and its key."""
        into = into or self.directory
        into.mkdir(parents=True, exist_ok=True)
        certificate, key, request, extensions = (into / f"{name}.{kind}" for kind in ("pem", "key", "csr", "ext"))
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", 2,
                 "-extfile", extensions, "-out", certificate)
        return certificate, key
