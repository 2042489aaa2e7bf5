// What a rehearsal predicts against what a run measures, on ranks of any kind.
#pragma once

#include <string>

#include "configs/train.pb.h"
#include "dist/communicator.h"
#include "launch/step_clock.h"

namespace frond {

// The six meshes that are compared.
inline constexpr MeshShape kComparedMeshes[] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}};

// Rows and a tokenizer for runs, in a folder of their own.
class RehearsedRuns {
 public:
  // Drawn afresh; `folder` is removed at the end.
  explicit RehearsedRuns(const std::string& folder);
  ~RehearsedRuns();

  // Trains a few steps on `mesh`, all ranks of `world`, in several memory modes, and EXPECTs what a
  // rehearsal says of them: memory within 5 %, communication exactly. Collective over `world`.
  static void Compare(const std::string& folder, Communicator& world, const MeshShape& mesh);

 private:
  std::string folder_;
};

}  // namespace frond
