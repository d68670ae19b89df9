// Writes that wait for replicas, on a connection of their own: WAIT is about everything the connection has written and
// holds it until the replicas have answered. So one WAIT is under way at a time, and the writes that come meanwhile
// share the next: a replica that is gone costs all of them its time once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/pipeline.h"
#include "stores/redis/mapping.h"

namespace holdfast::stores::redis {

class SyncedWrites {
 public:
  // `and_files`: WAITAOF in place of WAIT, which also waits for append-only files.
  SyncedWrites(net::Loop& loop, net::Pipeline& pipeline, bool and_files)
      : loop_(loop), pipeline_(pipeline), and_files_(and_files) {}

  struct Answer {
    std::string reply;    // of the write
    std::string waiting;  // of WAIT or WAITAOF
  };
  // Sends one write of one reply, behind an ASKING with a reply of its own if `asks`. `replicas` is how many it waits
  // for. Errors as net::Pipeline::call; an outcome_unknown may mean that the write was answered and the waiting was
  // not.
  Task<Result<Answer>> write(std::string_view request, std::uint32_t replicas, SteadyTime deadline, bool asks);

 private:
  struct Waiting {
    bool asks = false;
    Arrival<Result<Answer>> arrival;
  };
  struct Batch {
    std::uint32_t replicas = 0;
    std::string requests;
    std::uint32_t replies = 0;
    std::vector<Waiting*> waiting;
    SteadyTime deadline{};
  };
  Batch& batch_for(std::uint32_t replicas);
  Task<void> send(Batch batch);
  void flush_soon();
  void flush();

  net::Loop& loop_;
  net::Pipeline& pipeline_;
  const bool and_files_;
  std::vector<Batch> batches_;  // of the next flush, one for each number of replicas
  std::size_t sending_ = 0;
  bool flush_posted_ = false;
};

}  // namespace holdfast::stores::redis
