#include "dist/process_mesh.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace frond {

absl::StatusOr<std::unique_ptr<ProcessMesh>> ProcessMesh::Create(Communicator& world, int data,
                                                                 int tensor) {
  if (data < 0 || tensor < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("mesh data=", data, " x tensor=", tensor,
                     ": data must be at least 1 (or 0 for all ranks), tensor at least 1"));
  }
  if (data == 0) data = std::max(world.size() / tensor, 1);
  const int64_t needed = int64_t{data} * tensor;
  if (needed != world.size()) {
    const absl::string_view were = world.size() == 1 ? " was launched" : " were launched";
    return absl::InvalidArgumentError(
        absl::StrCat("mesh data=", data, " x tensor=", tensor, " needs ", needed,
                     needed == 1 ? " rank" : " ranks", ", but ", world.size(), were));
  }
  // Ranks of one tensor group are neighbours: they talk most.
  const int data_index = world.rank() / tensor;
  const int tensor_index = world.rank() % tensor;
  std::unique_ptr<Communicator> data_axis = world.Split(tensor_index, data_index);
  std::unique_ptr<Communicator> tensor_axis = world.Split(data_index, tensor_index);
  return std::unique_ptr<ProcessMesh>(
      new ProcessMesh(world, std::move(data_axis), std::move(tensor_axis)));
}

ProcessMesh ProcessMesh::OfAxes(Communicator& world, std::unique_ptr<Communicator> data,
                                std::unique_ptr<Communicator> tensor) {
  CHECK_EQ(data->size() * tensor->size(), world.size());
  return ProcessMesh(world, std::move(data), std::move(tensor));
}

}  // namespace frond
