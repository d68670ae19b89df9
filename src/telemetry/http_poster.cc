#include "telemetry/http_poster.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "base/encoding.h"

namespace holdfast::telemetry {

namespace {

constexpr const char* kLibrary = "libcurl.so.4";

// The few functions of libcurl that are used here.
struct Library {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
};

template <class Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  return function != nullptr;
}

// Null when it is not there. Stays open until the process ends.
const Library* library() {
  static const std::unique_ptr<Library> opened = []() -> std::unique_ptr<Library> {
    void* const handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    auto found = std::make_unique<Library>();
    const bool whole =
        find(handle, "curl_global_init", found->global_init) && find(handle, "curl_easy_init", found->easy_init) &&
        find(handle, "curl_easy_setopt", found->easy_setopt) &&
        find(handle, "curl_easy_perform", found->easy_perform) &&
        find(handle, "curl_easy_getinfo", found->easy_getinfo) && find(handle, "curl_easy_reset", found->easy_reset) &&
        find(handle, "curl_easy_cleanup", found->easy_cleanup) &&
        find(handle, "curl_easy_strerror", found->easy_strerror) &&
        find(handle, "curl_slist_append", found->slist_append) &&
        find(handle, "curl_slist_free_all", found->slist_free_all);
    if (!whole || found->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return nullptr;
    return found;
  }();
  return opened.get();
}

// libcurl calls this with each line of a head or of trailers.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<PostAnswer*>(to);
  const std::string_view line(data, size * count);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const std::string_view name = line.substr(0, colon);
  if (iequals(name, "grpc-status")) answer.grpc_status = trim(line.substr(colon + 1));
  if (iequals(name, "grpc-message")) answer.grpc_message = trim(line.substr(colon + 1));
  return line.size();
}

std::size_t drop_body(char*, std::size_t size, std::size_t count, void*) { return size * count; }

class CurlPoster final : public HttpPoster {
 public:
  explicit CurlPoster(const Library& curl) : curl_(curl), easy_(curl.easy_init()) {}
  ~CurlPoster() override { curl_.easy_cleanup(easy_); }

  Result<PostAnswer> send(const Post& post) override {
    PostAnswer answer;
    curl_slist* headers = nullptr;
    for (const auto& [name, value] : post.headers) headers = curl_.slist_append(headers, (name + ": " + value).c_str());
    headers = curl_.slist_append(headers, "Expect:");
    prepare(post, headers, answer);
    const CURLcode code = curl_.easy_perform(easy_);
    long status = 0;
    curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    curl_.slist_free_all(headers);
    if (code != CURLE_OK)
      return fail(Errc::unavailable, fmt::format("no answer from {}: {}", post.url, curl_.easy_strerror(code)));
    answer.status = static_cast<int>(status);
    return answer;
  }

 private:
  // The handle keeps its connections between posts.
  void prepare(const Post& post, curl_slist* headers, PostAnswer& answer) {
    curl_.easy_reset(easy_);
    curl_.easy_setopt(easy_, CURLOPT_URL, post.url.c_str());
    curl_.easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_.easy_setopt(easy_, CURLOPT_HTTPHEADER, headers);
    curl_.easy_setopt(easy_, CURLOPT_POSTFIELDS, post.body.data());
    curl_.easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
    curl_.easy_setopt(easy_, CURLOPT_HEADERFUNCTION, take_header);
    curl_.easy_setopt(easy_, CURLOPT_HEADERDATA, &answer);
    curl_.easy_setopt(easy_, CURLOPT_WRITEFUNCTION, drop_body);
    curl_.easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_.easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(post.timeout.count()));
    const long version = !post.http2                        ? CURL_HTTP_VERSION_1_1
                         : post.url.starts_with("https://") ? CURL_HTTP_VERSION_2TLS
                                                            : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_.easy_setopt(easy_, CURLOPT_HTTP_VERSION, version);
  }

  const Library& curl_;
  CURL* easy_;
};

}  // namespace

Result<std::unique_ptr<HttpPoster>> curl_poster() {
  const Library* const curl = library();
  if (curl == nullptr)
    return fail(Errc::unsupported,
                fmt::format("traces cannot be sent: {} is not installed; install the package libcurl4, "
                            "or remove tracing from the Configuration",
                            kLibrary));
  return std::make_unique<CurlPoster>(*curl);
}

}  // namespace holdfast::telemetry
