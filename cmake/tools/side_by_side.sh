#!/usr/bin/env bash
# side_by_side.sh PROGRAM NAME FILTER: the cases of a GoogleTest program that match, shared out among processes that run
# at once, each under a name of its own, which is the name of its result file. For cases that wait more than they work.
set -u
processes=4
code=0 running=()
for ((i = 0; i < processes; i++)); do
  (GTEST_TOTAL_SHARDS=$processes GTEST_SHARD_INDEX=$i exec -a "$2_$i" "$1" --gtest_filter="$3") &
  running+=($!)
done
for one in "${running[@]}"; do wait "$one" || code=1; done
exit $code
