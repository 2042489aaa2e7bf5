#include "launch/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/ops/matmul_peak.h"
#include "core/tensor/transfer.h"
#include "dist/collective_watchdog.h"
#include "launch/agree.h"
#include "launch/trainer.h"

namespace frond {
namespace {

using Clock = std::chrono::steady_clock;

// The steps' examples from `position` on, as other programs read them.
absl::Status DumpBatches(TrainingData& data, int64_t steps, const std::string& path) {
  const StreamPosition position = data.position();
  std::string text;
  for (int64_t s = 0; s < steps; ++s) {
    const StepPlan plan = data.NextStep(0, 1);
    nlohmann::json sources = nlohmann::json::array(), targets = nlohmann::json::array();
    for (const Batch& batch : plan.batches) {
      for (int64_t e = 0; e < batch.num_examples(); ++e) {
        sources.push_back(
            std::vector<int32_t>(batch.source_ids.begin() + batch.source_offsets[e],
                                 batch.source_ids.begin() + batch.source_offsets[e + 1]));
        targets.push_back(
            std::vector<int32_t>(batch.target_ids.begin() + batch.target_offsets[e],
                                 batch.target_ids.begin() + batch.target_offsets[e + 1]));
      }
    }
    absl::StrAppend(&text, nlohmann::json{{"sources", sources}, {"targets", targets}}.dump(), "\n");
  }
  RETURN_IF_ERROR(data.Seek(position));
  return WriteFileAtomically(path, text);
}

struct Timed {
  double seconds = 0;         // all timed steps
  double median_seconds = 0;  // of one step
  double flops = 0;
  double collective_seconds = 0;  // of them, rank 0's
  int64_t examples = 0, source_tokens = 0, target_tokens = 0;
};

absl::StatusOr<Timed> TimeSteps(Trainer& trainer, Communicator& world, int64_t steps) {
  Timed timed;
  std::vector<double> seconds;
  const TrainState before = trainer.state();
  for (int64_t s = 0; s < steps; ++s) {
    world.Barrier();
    const double collectives_before = world.watchdog().SecondsInScopes();
    const Clock::time_point begin = Clock::now();
    RETURN_IF_ERROR(trainer.Step());
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    timed.seconds += seconds.back();
    timed.flops += trainer.last_step_flops();
    timed.collective_seconds += world.watchdog().SecondsInScopes() - collectives_before;
  }
  std::sort(seconds.begin(), seconds.end());
  timed.median_seconds = seconds[seconds.size() / 2];
  timed.examples = trainer.state().examples - before.examples;
  timed.source_tokens = trainer.state().source_tokens - before.source_tokens;
  timed.target_tokens = trainer.state().target_tokens - before.target_tokens;
  return timed;
}

void PrintProfile(const Profiler& profiler, const Timed& timed) {
  std::vector<std::pair<std::string, Profiler::Entry>> entries(profiler.entries().begin(),
                                                               profiler.entries().end());
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  std::printf("%-22s %10s %7s %12s %9s\n", "op (rank 0)", "seconds", "share", "GFLOP/s", "calls");
  double known = 0;
  for (const auto& [name, entry] : entries) {
    known += entry.seconds;
    std::printf("%-22s %10.3f %6.1f%% %12.1f %9lld\n", name.c_str(), entry.seconds,
                100 * entry.seconds / timed.seconds, entry.flops / entry.seconds / 1e9,
                static_cast<long long>(entry.calls));
  }
  std::printf("%-22s %10.3f %6.1f%%\n", "elsewhere", timed.seconds - known,
              100 * (timed.seconds - known) / timed.seconds);
}

// Rates in GFLOP/s of all ranks.
struct Peaks {
  double measured = 0;
  double rated = 0;  // by the device's maker; 0: not known
};

void PrintResult(const Timed& timed, const Peaks& peaks, int64_t peak_bytes, double loss) {
  const double rate = timed.flops / timed.seconds / 1e9;
  const int64_t tokens = timed.source_tokens + timed.target_tokens;
  nlohmann::ordered_json json;
  json["seconds_per_step"] = timed.median_seconds;
  json["examples_per_second"] = static_cast<double>(timed.examples) / timed.seconds;
  json["tokens_per_second"] = static_cast<double>(tokens) / timed.seconds;
  json["examples"] = timed.examples;
  json["source_tokens"] = timed.source_tokens;
  json["target_tokens"] = timed.target_tokens;
  json["tflops_exact"] = timed.flops / 1e12;
  json["gflops_per_second"] = rate;
  json["matmul_peak_gflops"] = peaks.measured;
  json["mfu"] = rate / peaks.measured;
  if (peaks.rated > 0) {
    json["rated_peak_gflops"] = peaks.rated;
    json["mfu_of_rated_peak"] = rate / peaks.rated;
  }
  json["communication"] = timed.collective_seconds / timed.seconds;
  json["peak_memory_bytes"] = peak_bytes;
  json["loss"] = loss;
  std::printf("%s\n", json.dump().c_str());
}

// A profile takes waits around every op where work runs on a device, so such steps come after the
// timed ones; the host's steps carry their profile at no cost. Leaves the profile in the trainer.
absl::StatusOr<Timed> TimeAndProfile(Trainer& trainer, Communicator& world, int64_t steps,
                                     Timed& profiled) {
  trainer.profiler().Reset();
  trainer.memory().ResetPeak();
  ASSIGN_OR_RETURN(const Timed timed, TimeSteps(trainer, world, steps));
  profiled = timed;
  if (trainer.context().device() == Device::kCpu) return timed;
  trainer.profiler().Reset();
  trainer.profiler().WaitForDevice([&trainer] { Synchronize(trainer.context()); });
  ASSIGN_OR_RETURN(profiled, TimeSteps(trainer, world, 1));
  trainer.profiler().WaitForDevice(nullptr);
  return timed;
}

}  // namespace

absl::Status RunBenchmark(config::TrainConfig config, Communicator& world,
                          const BenchmarkOptions& options) {
  const std::string scratch = JoinPath(config.work_dir(), "benchmark");
  config.set_work_dir(scratch);
  config.mutable_checkpoint()->set_resume(false);
  config.mutable_eval()->set_every_steps(0);
  ASSIGN_OR_RETURN(auto trainer, Trainer::Create(config, world, nullptr));
  const DType compute = trainer->model().options().compute;
  const double peak_before = MeasureMatMulPeak(trainer->context(), compute) * world.size();
  for (int warmup = 0; warmup < 2; ++warmup) RETURN_IF_ERROR(trainer->Step());
  absl::Status dumped;
  if (world.rank() == 0 && !options.dump.empty()) {
    dumped = DumpBatches(trainer->data(), options.steps, options.dump);
  }
  RETURN_IF_ERROR(AgreeOnStatus(world, dumped));
  Timed profiled;
  ASSIGN_OR_RETURN(const Timed timed, TimeAndProfile(*trainer, world, options.steps, profiled));
  const MemoryReport memory = trainer->memory().Report();
  const double peak_after = MeasureMatMulPeak(trainer->context(), compute) * world.size();
  absl::Status removed;
  if (world.rank() == 0) {
    std::printf("device: %s\n", trainer->device().description.c_str());
    PrintProfile(trainer->profiler(), profiled);
    const IntervalStats& stats = trainer->interval();
    std::printf("peak memory %s\n", FormatPeaks(memory).c_str());
    Peaks peaks = {.measured = std::max(peak_before, peak_after)};
    if (compute == DType::kBF16) {
      peaks.rated = 1e3 * trainer->device().rated_bf16_tflops * world.size();
    }
    PrintResult(timed, peaks, memory.total.peak_bytes,
                stats.loss / static_cast<double>(stats.steps));
    trainer.reset();
    removed = RemoveRecursively(scratch);
  }
  return AgreeOnStatus(world, removed);
}

}  // namespace frond
