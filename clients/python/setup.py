"""Generates the protobuf code while the package is built; everything else is in pyproject.toml.

In a checkout the service's description is the repository's own, two folders up. A source distribution carries a copy.
"""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = "holdfast/v2/state.proto"
OURS = "holdfast/wire/messages.proto"


def service_root() -> pathlib.Path:
    for root in (HERE.parents[1] / "proto", HERE / "proto"):
        if (root / SERVICE).exists():
            return root
    raise SystemExit(f"{SERVICE} is neither in the repository around {HERE} nor in {HERE / 'proto'}")


def generate(target: pathlib.Path) -> None:
    import grpc_tools
    from grpc_tools import protoc

    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    for root, name in ((service_root(), SERVICE), (HERE / "proto", OURS)):
        arguments = [f"-I{root}", f"-I{well_known}", f"--python_out={target}", f"--pyi_out={target}", name]
        if protoc.main(["protoc", *arguments]) != 0:
            raise SystemExit(f"protoc refused {name}")


class BuildWithProtos(build_py):
    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # or what an earlier version had would be in the package, too
        super().run()
        generate(HERE / "src" if self.editable_mode else pathlib.Path(self.build_lib))


class SdistWithProtos(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        copy = pathlib.Path(base_dir) / "proto" / SERVICE
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(service_root() / SERVICE, copy)


setup(cmdclass={"build_py": BuildWithProtos, "sdist": SdistWithProtos})
