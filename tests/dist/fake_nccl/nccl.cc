#include "nccl.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

using frond::fake_nccl::TheScript;

struct FrondFakeNcclComm {
  std::atomic<int> polls_left = 0;
  std::atomic<bool> broken = false, breaks = false;  // breaks: after the next look at it
  std::atomic<int> users = 0;
  // Of a split that goes on: where its part is to stand at the end.
  FrondFakeNcclComm** part = nullptr;
};

namespace frond::fake_nccl {

Script& TheScript() {
  static Script script;
  return script;
}

}  // namespace frond::fake_nccl

namespace {

constexpr int kForever = 1 << 30;

// A call with a group; two at once would be an error of the caller.
class Use {
 public:
  explicit Use(ncclComm_t comm) : comm_(comm) {
    if (comm_->users++ > 0) {
      std::fprintf(stderr, "two threads in one group\n");
      std::abort();
    }
    std::this_thread::yield();
  }
  ~Use() { --comm_->users; }

 private:
  ncclComm_t comm_;
};

ncclResult_t Begin(ncclComm_t comm, bool forever) {
  comm->polls_left = forever ? kForever : TheScript().polls.load();
  return comm->polls_left > 0 ? ncclInProgress : ncclSuccess;
}

size_t SizeOf(ncclDataType_t type) {
  return type == ncclFloat64 ? 8 : type == ncclBfloat16 ? 2 : 4;
}

ncclResult_t Copy(const void* in, void* out, size_t count, ncclDataType_t type, ncclComm_t comm) {
  const Use use(comm);
  if (TheScript().refuses) return ncclInvalidArgument;
  if (in != out) std::memcpy(out, in, count * SizeOf(type));
  if (TheScript().breaks_later) comm->breaks = true;
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
  const Use use(comm);
  *split = nullptr;
  comm->part = split;
  (void)Begin(comm, false);
  return ncclSuccess;  // as NCCL, which goes on behind it
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const Use use(comm);
  return Begin(comm, false);
}
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
  if (comm == nullptr) return ncclInvalidArgument;
  const Use use(comm);
  const bool in_progress = comm->polls_left > 0;
  if (in_progress) --comm->polls_left;
  if (!in_progress && comm->part != nullptr) {
    *comm->part = new FrondFakeNcclComm;
    ++TheScript().live;
    (void)Begin(*comm->part, false);
    comm->part = nullptr;
  }
  *error = in_progress ? ncclInProgress : comm->broken ? ncclRemoteError : ncclSuccess;
  if (!in_progress && comm->breaks) comm->broken = true;
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
