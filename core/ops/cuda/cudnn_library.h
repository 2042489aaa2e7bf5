// The functions of cuDNN 9 that Frond calls, found when they are first asked for: programs start,
// and compute all else, where there is no cuDNN. Only its headers are needed to build.
#pragma once

#include <cudnn.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace frond::cuda {

struct CudnnLibrary {
  // Loads libcudnn.so.9 by the dynamic linker's rules (LD_LIBRARY_PATH, the program's run path, the
  // system's folders). It then stays until the process ends, and copies of this table stay valid.
  // Errors: it is not there, a function is missing, or it is older than kCudnnOldest.
  // `name` is another in tests.
  static absl::StatusOr<CudnnLibrary> Load(const std::string& name = "libcudnn.so.9");

  // As in "9.10.2".
  std::string version_text() const;
  // OK, or the error of a call in cuDNN's own words.
  absl::Status Check(cudnnStatus_t status, const char* what) const;

  decltype(&cudnnGetVersion) version = nullptr;
  decltype(&cudnnGetErrorString) error_string = nullptr;
  decltype(&cudnnGetLastErrorString) last_error_string = nullptr;
  decltype(&cudnnCreate) create = nullptr;
  decltype(&cudnnDestroy) destroy = nullptr;
  decltype(&cudnnSetStream) set_stream = nullptr;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor = nullptr;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor = nullptr;
  decltype(&cudnnBackendSetAttribute) set_attribute = nullptr;
  decltype(&cudnnBackendGetAttribute) get_attribute = nullptr;
  decltype(&cudnnBackendFinalize) finalize = nullptr;
  decltype(&cudnnBackendExecute) execute = nullptr;
};

// 9.10.2: older ones mask scores with another number, and the first of 9.10 are known to be wrong.
constexpr size_t kCudnnOldest = 91002;

}  // namespace frond::cuda
