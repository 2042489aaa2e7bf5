#include "nccl.h"

#include <cstdio>
#include <cstring>

using frond::fake_nccl::TheScript;

struct FrondFakeNcclComm {
  std::atomic<int> polls_left = 0;
  std::atomic<bool> broken = false;
};

namespace frond::fake_nccl {

Script& TheScript() {
  static Script script;
  return script;
}

}  // namespace frond::fake_nccl

namespace {

constexpr int kForever = 1 << 30;

ncclResult_t Begin(ncclComm_t comm, bool forever) {
  comm->polls_left = forever ? kForever : TheScript().polls.load();
  return comm->polls_left > 0 ? ncclInProgress : ncclSuccess;
}

size_t SizeOf(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : 4;
}

ncclResult_t Copy(const void* in, void* out, size_t count, ncclDataType_t type, ncclComm_t comm) {
  if (TheScript().refuses) return ncclInvalidArgument;
  if (in != out) std::memcpy(out, in, count * SizeOf(type));
  if (TheScript().breaks_later) comm->broken = true;
  return Begin(comm, TheScript().never_runs);
}

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::memset(id->internal, 'x', sizeof(id->internal));
  return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (ranks != 1 || rank != 0 || id.internal[127] != 'x' || config->blocking != 0) {
    return ncclInvalidArgument;
  }
  *comm = new FrondFakeNcclComm;
  ++TheScript().live;
  return Begin(*comm, TheScript().never_starts);
}
ncclResult_t ncclCommSplit(ncclComm_t comm, int, int, ncclComm_t* split, ncclConfig_t* config) {
  if (config->blocking != 0) return ncclInvalidArgument;
  *split = new FrondFakeNcclComm;
  ++TheScript().live;
  (void)Begin(*split, false);
  return Begin(comm, false);
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) { return Begin(comm, false); }
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  --TheScript().live;
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t) {
  std::fprintf(stderr, "aborted\n");
  return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const bool in_progress = comm->polls_left > 0;
  if (in_progress) --comm->polls_left;
  *error = in_progress ? ncclInProgress : comm->broken ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclRemoteError ? "remote process exited" : "invalid argument";
}
const char* ncclGetLastError(ncclComm_t) { return "fake"; }
ncclResult_t ncclAllReduce(const void* in, void* out, size_t count, ncclDataType_t type,
                           ncclRedOp_t, ncclComm_t comm, cudaStream_t) {
  return Copy(in, out, count, type, comm);
}
ncclResult_t ncclReduceScatter(const void* in, void* out, size_t count, ncclDataType_t type,
                               ncclRedOp_t, ncclComm_t comm, cudaStream_t) {
  return Copy(in, out, count, type, comm);
}
ncclResult_t ncclAllGather(const void* in, void* out, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t) {
  return Copy(in, out, count, type, comm);
}
ncclResult_t ncclBroadcast(const void* in, void* out, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t) {
  return root == 0 ? Copy(in, out, count, type, comm) : ncclInvalidArgument;
}
