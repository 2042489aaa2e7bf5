// Saving checkpoints by all ranks together, beside the training.
//
// A save first copies what this rank is to write into host memory (CheckpointSnapshot): for that
// long training stands still. Then a thread of every rank writes and syncs its rows while steps go
// on. Ranks tell each other that they are done by a number in the sums that every step makes
// anyway, so that no collective is added to a step. Once all are, rank 0 is told what was written,
// and a thread of it seals the folder with the commit record and renames it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/checkpoint_files.h"
#include "checkpoint/checkpoint_store.h"
#include "checkpoint/named_tensor.h"
#include "checkpoint/row_sharing.h"
#include "dist/communicator.h"
#include "launch/checkpoint_snapshot.h"

namespace frond {

// What is saved. The tensors are this rank's parts, borrowed for the call of Start.
struct SaveRequest {
  int64_t step = 0;
  std::span<const NamedTensor> weights;
  std::span<const NamedTensor> optimizer_slots;
  HfWriteOptions weight_options = {};
  // Writes all other files into the folder; rank 0's thread calls it while training goes on, so it
  // owns what it reads.
  std::function<absl::StatusOr<std::vector<FileRecord>>(const std::string& folder,
                                                        const CheckpointPlan& plan)>
      write_texts;
  // False: Start writes as well, from the tensors themselves as far as a rank holds whole rows.
  bool asynchronous = true;
};

// A checkpoint that was committed.
struct SavedCheckpoint {
  int64_t step = 0;
  std::string path;  // on rank 0
  // For how long this rank's training stood still, and from the begin of the save to its end.
  double stall_seconds = 0;
  double seconds = 0;
};

class CheckpointSaver {
 public:
  // `tensor` is this rank's tensor axis in the world, `store` rank 0's store, null on others. All
  // outlive the saver. `min_piece_bytes`: as in RowSharing, the same on all ranks.
  CheckpointSaver(Communicator& world, Communicator& tensor, CheckpointStore* store,
                  int64_t min_piece_bytes = RowSharing::kMinPieceBytes);
  // A save under way is given up: its folder stays, unfinished.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  // Begins a save; none may be under way (CHECKed). An error is the same on all ranks and leaves no
  // folder. Collective over the world.
  absl::Status Start(Context& ctx, const SaveRequest& request);

  bool under_way() const { return phase_ != Phase::kIdle; }

  // This rank's part of a sum over all ranks, whose value Advance looks at. Never waits.
  double Flag() const;
  // Goes on with a save for which all ranks are ready, or which has failed on one; else it does
  // nothing. `sum`: of the Flags, the same on all ranks. Returns the checkpoint when it has been
  // committed. An error names the rank and is the same on all ranks; rank 0 has removed the folder.
  // Collective over the world.
  absl::StatusOr<std::optional<SavedCheckpoint>> Advance(double sum);
  // Waits for the save under way, if there is one. Results are those of Advance. Collective over
  // the world.
  absl::StatusOr<std::optional<SavedCheckpoint>> Finish();

 private:
  enum class Phase : uint8_t { kIdle, kWriting, kCommitting };
  using Clock = std::chrono::steady_clock;

  absl::StatusOr<std::string> MakeFolder(int64_t step);
  std::function<absl::Status()> WritingOf(CheckpointSnapshot snapshot);
  void RunInThread(std::function<absl::Status()> work);
  void Run(const std::function<absl::Status()>& work);
  // Waits for the threads of all ranks and agrees on how they ended.
  absl::Status EndThreads();
  absl::Status EndPhase();
  void Commit();

  Communicator& world_;
  Communicator& tensor_;
  CheckpointStore* store_;
  int64_t min_piece_bytes_;

  Phase phase_ = Phase::kIdle;
  SavedCheckpoint saving_;
  Clock::time_point begun_;
  std::string folder_;
  CheckpointPlan plan_;
  decltype(SaveRequest::write_texts) write_texts_;

  // The thread writes these; they are read once it has been joined.
  std::vector<TensorShare> shares_;
  std::vector<FileRecord> texts_;
  absl::Status thread_status_;

  std::atomic<bool> thread_done_ = true;
  std::atomic<bool> thread_failed_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace frond
