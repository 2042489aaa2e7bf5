#include "launch/checkpoint_saver.h"

#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "launch/agree.h"

namespace frond {
namespace {

// Adds the time from its construction to its destruction.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_ = Clock::now();
};

std::vector<TensorShare> GatherShares(Communicator& world, const std::vector<TensorShare>& mine) {
  std::vector<TensorShare> all;
  for (const std::string& bytes : world.AllGatherBytes(
           {reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(TensorShare)})) {
    const size_t before = all.size();
    all.resize(before + bytes.size() / sizeof(TensorShare));
    if (!bytes.empty()) std::memcpy(all.data() + before, bytes.data(), bytes.size());
  }
  return all;
}

}  // namespace

CheckpointSaver::CheckpointSaver(Communicator& world, Communicator& tensor, CheckpointStore* store,
                                 int64_t min_piece_bytes)
    : world_(world), tensor_(tensor), store_(store), min_piece_bytes_(min_piece_bytes) {
  CHECK_EQ(store != nullptr, world.rank() == 0);
}

CheckpointSaver::~CheckpointSaver() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<std::string> CheckpointSaver::MakeFolder(int64_t step) {
  ASSIGN_OR_RETURN(const std::string folder, store_->Begin(step));
  const absl::Status status = CreateTensorFiles(folder, plan_);
  if (status.ok()) return folder;
  store_->Abandon(step);
  return status;
}

absl::Status CheckpointSaver::Start(Context& ctx, const SaveRequest& request) {
  CHECK(!under_way()) << "a save is under way";
  begun_ = Clock::now();
  saving_ = {.step = request.step};
  const Stopwatch stall(saving_.stall_seconds);
  plan_ = PlanCheckpoint(request.weights, request.optimizer_slots, request.weight_options);
  write_texts_ = request.write_texts;
  absl::StatusOr<std::string> folder = "";
  if (store_ != nullptr) folder = MakeFolder(request.step);
  RETURN_IF_ERROR(AgreeOnStatus(world_, folder.status()));
  folder_ = world_.AllGatherBytes(*folder)[0];
  std::vector<NamedTensor> tensors(request.weights.begin(), request.weights.end());
  tensors.insert(tensors.end(), request.optimizer_slots.begin(), request.optimizer_slots.end());
  const auto write = WritingOf(CheckpointSnapshot::Take(ctx, world_, tensor_, tensors,
                                                        min_piece_bytes_, request.asynchronous));
  phase_ = Phase::kWriting;
  thread_done_ = thread_failed_ = stop_ = false;
  if (request.asynchronous) {
    RunInThread(write);
  } else {
    Run(write);
  }
  return absl::OkStatus();
}

std::function<absl::Status()> CheckpointSaver::WritingOf(CheckpointSnapshot snapshot) {
  return
      [this, shared = std::make_shared<CheckpointSnapshot>(std::move(snapshot))]() -> absl::Status {
        ASSIGN_OR_RETURN(
            shares_, WriteTensorShares(
                         folder_, plan_, /*headers=*/store_ != nullptr, shared->rows(),
                         [&](size_t i) { shared->Release(i); }, [this] { return stop_.load(); }));
        if (store_ == nullptr) return absl::OkStatus();
        ASSIGN_OR_RETURN(texts_, write_texts_(folder_, plan_));
        return absl::OkStatus();
      };
}

void CheckpointSaver::Run(const std::function<absl::Status()>& work) {
  thread_status_ = work();
  thread_failed_ = !thread_status_.ok();
  thread_done_ = true;
}

void CheckpointSaver::RunInThread(std::function<absl::Status()> work) {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this, work = std::move(work)] { Run(work); });
}

double CheckpointSaver::Flag() const {
  if (!thread_done_) return 0;
  // More than all ranks can bring together that are done.
  return thread_failed_ ? world_.size() + 1 : 1;
}

absl::StatusOr<std::optional<SavedCheckpoint>> CheckpointSaver::Advance(double sum) {
  if (!under_way() || sum < world_.size()) return std::nullopt;
  // A rank has failed: the others need not go on.
  if (sum > world_.size()) stop_ = true;
  RETURN_IF_ERROR(EndPhase());
  if (under_way()) return std::nullopt;
  return saving_;
}

absl::StatusOr<std::optional<SavedCheckpoint>> CheckpointSaver::Finish() {
  if (!under_way()) return std::nullopt;
  while (under_way()) RETURN_IF_ERROR(EndPhase());
  return saving_;
}

absl::Status CheckpointSaver::EndThreads() {
  if (thread_.joinable()) thread_.join();
  absl::Status status = std::exchange(thread_status_, absl::OkStatus());
  thread_failed_ = false;
  // That it was stopped is the consequence of another rank's error.
  if (absl::IsCancelled(status)) status = absl::OkStatus();
  if (!status.ok() && world_.size() > 1) {
    status = absl::Status(
        status.code(), absl::StrCat("rank ", world_.rank(), ": ", std::string(status.message())));
  }
  return AgreeOnStatus(world_, status);
}

absl::Status CheckpointSaver::EndPhase() {
  const Stopwatch stall(saving_.stall_seconds);
  const Phase ended = std::exchange(phase_, Phase::kIdle);
  const absl::Status status = EndThreads();
  if (!status.ok()) {
    if (store_ != nullptr) store_->Abandon(saving_.step);
    return status;
  }
  if (ended == Phase::kWriting) {
    Commit();
    return absl::OkStatus();
  }
  if (store_ != nullptr) saving_.path = store_->PathOf(saving_.step);
  saving_.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
  return absl::OkStatus();
}

void CheckpointSaver::Commit() {
  phase_ = Phase::kCommitting;
  std::vector<TensorShare> all = GatherShares(world_, shares_);
  shares_.clear();
  thread_done_ = store_ == nullptr;
  if (store_ == nullptr) return;
  RunInThread([this, all = std::move(all)]() -> absl::Status {
    ASSIGN_OR_RETURN(std::vector<FileRecord> records, JoinTensorShares(plan_, all));
    std::move(texts_.begin(), texts_.end(), std::back_inserter(records));
    texts_.clear();
    return store_->Commit(saving_.step, records);
  });
}

}  // namespace frond
