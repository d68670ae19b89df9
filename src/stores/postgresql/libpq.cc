#include "stores/postgresql/libpq.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace holdfast::stores::postgresql {
namespace {

constexpr const char* kLibrary = "libpq.so.5";

template <class Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  return function != nullptr;
}

// Null when it is not there, or older than PostgreSQL 14, which brought pipelines. Stays when the process ends: a store
// may be closed after it.
const Libpq* opened() {
  static const Libpq* const kOpened = []() -> const Libpq* {
    void* const handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    static Libpq functions;
    Libpq* const found = &functions;
#define HOLDFAST_LIBPQ_FIND(name) \
  if (!find(handle, "PQ" #name, found->name)) return nullptr;
    HOLDFAST_LIBPQ(HOLDFAST_LIBPQ_FIND)
#undef HOLDFAST_LIBPQ_FIND
    return found;
  }();
  return kOpened;
}

}  // namespace

Result<const Libpq*> Libpq::open() {
  if (const Libpq* const library = opened(); library != nullptr) return library;
  return fail(Errc::unsupported,
              fmt::format("{} of PostgreSQL 14 or later is not installed; install the package libpq5", kLibrary));
}

const Libpq& libpq() { return *opened(); }

}  // namespace holdfast::stores::postgresql
