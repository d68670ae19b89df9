// Memory for nghttp2 from the loop's own free lists (base/frame_pool.h). A connection makes and frees a dozen small
// objects for every stream; the process's allocator keeps too few of them at hand for a burst of streams.
#pragma once

#include <nghttp2/nghttp2.h>

namespace holdfast::net {

// For nghttp2_session_server_new3. What a session allocated is freed on whichever thread frees it.
nghttp2_mem* http2_memory();

}  // namespace holdfast::net
