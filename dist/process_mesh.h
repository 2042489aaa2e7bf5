// The ranks of a job as a mesh of two axes, data x tensor. Every parallel code asks an axis, never
// the world, and an axis of size 1 makes its collectives free.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dist/communicator.h"

namespace frond {

class ProcessMesh {
 public:
  // data x tensor must be the world's size; data = 0 takes all ranks. `world` outlives the mesh.
  // Errors are the same on every rank. Collective over the world.
  static absl::StatusOr<std::unique_ptr<ProcessMesh>> Create(Communicator& world, int data,
                                                             int tensor);

  // A mesh of groups that are there already: the axes of this rank, whose sizes multiply to the
  // world's. `world` outlives the mesh.
  static ProcessMesh OfAxes(Communicator& world, std::unique_ptr<Communicator> data,
                            std::unique_ptr<Communicator> tensor);

  Communicator& world() { return *world_; }
  // Ranks that hold the same parameters and see different examples.
  Communicator& data() { return *data_; }
  // Ranks that share the parameters of one copy of the model.
  Communicator& tensor() { return *tensor_; }

 private:
  ProcessMesh(Communicator& world, std::unique_ptr<Communicator> data,
              std::unique_ptr<Communicator> tensor)
      : world_(&world), data_(std::move(data)), tensor_(std::move(tensor)) {}

  Communicator* world_;
  std::unique_ptr<Communicator> data_;
  std::unique_ptr<Communicator> tensor_;
};

}  // namespace frond
