#include "core/ops/cuda/cudnn_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace frond::cuda {
namespace {

template <class Function>
absl::Status Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the cuDNN library that is found has no ", name));
}

// 91002 as "9.10.2".
std::string VersionText(size_t version) {
  return absl::StrCat(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

}  // namespace

absl::StatusOr<CudnnLibrary> CudnnLibrary::Load(const std::string& name) {
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return absl::FailedPreconditionError(
        absl::StrCat("cuDNN cannot be loaded: ", why == nullptr ? name : why,
                     "; name its folder in LD_LIBRARY_PATH"));
  }
  CudnnLibrary cudnn;
  RETURN_IF_ERROR(Find(library, "cudnnGetVersion", cudnn.version));
  RETURN_IF_ERROR(Find(library, "cudnnGetErrorString", cudnn.error_string));
  RETURN_IF_ERROR(Find(library, "cudnnGetLastErrorString", cudnn.last_error_string));
  RETURN_IF_ERROR(Find(library, "cudnnCreate", cudnn.create));
  RETURN_IF_ERROR(Find(library, "cudnnDestroy", cudnn.destroy));
  RETURN_IF_ERROR(Find(library, "cudnnSetStream", cudnn.set_stream));
  RETURN_IF_ERROR(Find(library, "cudnnBackendCreateDescriptor", cudnn.create_descriptor));
  RETURN_IF_ERROR(Find(library, "cudnnBackendDestroyDescriptor", cudnn.destroy_descriptor));
  RETURN_IF_ERROR(Find(library, "cudnnBackendSetAttribute", cudnn.set_attribute));
  RETURN_IF_ERROR(Find(library, "cudnnBackendGetAttribute", cudnn.get_attribute));
  RETURN_IF_ERROR(Find(library, "cudnnBackendFinalize", cudnn.finalize));
  RETURN_IF_ERROR(Find(library, "cudnnBackendExecute", cudnn.execute));
  if (cudnn.version() < kCudnnOldest) {
    return absl::FailedPreconditionError(absl::StrCat("cuDNN is ", cudnn.version_text(),
                                                      ", older than ", VersionText(kCudnnOldest)));
  }
  return cudnn;
}

std::string CudnnLibrary::version_text() const { return VersionText(version()); }

absl::Status CudnnLibrary::Check(cudnnStatus_t status, const char* what) const {
  if (status == CUDNN_STATUS_SUCCESS) return absl::OkStatus();
  char reason[1024] = "";
  last_error_string(reason, sizeof(reason));
  std::replace(std::begin(reason), std::end(reason), '\n', ' ');
  return absl::FailedPreconditionError(absl::StrCat("cuDNN ", version_text(), ": ", what, ": ",
                                                    error_string(status),
                                                    reason[0] == '\0' ? "" : ": ", reason));
}

}  // namespace frond::cuda
