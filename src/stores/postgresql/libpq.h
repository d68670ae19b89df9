// libpq, PostgreSQL's own client library, opened when a component names it: who does not use PostgreSQL loads nothing
// of it (doc/adr/0015-libpq-on-demand.md). Functions have libpq's names without their PQ.
// Source: postgresql.org/docs/15/libpq.html.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::stores::postgresql {

#define HOLDFAST_LIBPQ(call)                                                                                        \
  call(cancel) call(clear) call(cmdTuples) call(connectPoll) call(connectStartParams) call(consumeInput)            \
      call(enterPipelineMode) call(errorMessage) call(execParams) call(finish) call(flush) call(freeCancel)         \
          call(getCancel) call(getResult) call(getisnull) call(getlength) call(getvalue) call(isBusy) call(nfields) \
              call(ntuples) call(pipelineSync) call(resultErrorField) call(resultStatus) call(sendPrepare)          \
                  call(sendQueryParams) call(sendQueryPrepared) call(serverVersion) call(setNoticeReceiver)         \
                      call(setnonblocking) call(socket) call(status)

struct Libpq {
#define HOLDFAST_LIBPQ_MEMBER(name) decltype(&::PQ##name) name = nullptr;
  HOLDFAST_LIBPQ(HOLDFAST_LIBPQ_MEMBER)
#undef HOLDFAST_LIBPQ_MEMBER

  // Opens the library, once for the process; it stays open. Errc::unsupported when it is not installed; the text says
  // which package has it. Thread-safe.
  static Result<const Libpq*> open();
};

// The one that is open: for whoever was handed something that was made with it.
const Libpq& libpq();

struct LibpqDeleter {
  void operator()(PGconn* connection) const { libpq().finish(connection); }
  void operator()(PGresult* result) const { libpq().clear(result); }
};
using ConnectionHandle = std::unique_ptr<PGconn, LibpqDeleter>;
using ResultHandle = std::unique_ptr<PGresult, LibpqDeleter>;

}  // namespace holdfast::stores::postgresql
