#include "launch/step_clock.h"

namespace frond {
namespace {

constexpr double kGiga = 1e9;
constexpr double kTera = 1e12;
constexpr double kMicro = 1e-6;

// A group with `per_node` ranks on each node that it touches.
GroupLinks LinksOf(const config::Cluster& cluster, int ranks, int per_node) {
  const config::Links& links = cluster.links();
  per_node = std::min(ranks, std::max(per_node, 1));
  GroupLinks group;
  group.ranks = ranks;
  group.nodes = (ranks + per_node - 1) / per_node;
  group.bytes_per_second = links.node_gb_per_s() * kGiga;
  if (group.nodes > 1) {
    group.bytes_per_second =
        std::min(group.bytes_per_second, per_node * links.network_gb_per_s() * kGiga);
  }
  group.node_latency = links.node_latency_us() * kMicro;
  group.network_latency = links.network_latency_us() * kMicro;
  return group;
}

}  // namespace

double GroupLinks::Seconds(CollectiveKind kind, double bytes) const {
  if (ranks <= 1) return 0;
  const double share = static_cast<double>(ranks - 1) / ranks;
  const double latency = (ranks - nodes) * node_latency + (nodes - 1) * network_latency;
  const double whole = bytes / bytes_per_second;
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return 2 * (share * whole + latency);
    case CollectiveKind::kBroadcast:
      return whole + latency;
    default:
      return share * whole + latency;
  }
}

StepRates RatesOf(const config::Cluster& cluster, DType products, DType attention,
                  const MeshShape& mesh) {
  const config::Efficiency& efficiency = cluster.efficiency();
  const auto peak = [&](DType dtype) {
    return kTera *
           (dtype == DType::kBF16 ? cluster.gpu().bf16_tflops() : cluster.gpu().f32_tflops());
  };
  StepRates rates;
  rates.products = peak(products) * efficiency.products();
  rates.attention = peak(attention) * efficiency.attention();
  rates.memory = cluster.gpu().memory_gb_per_s() * kGiga * efficiency.memory();
  rates.gaps = efficiency.gaps();
  rates.communicating = efficiency.communicating();
  const int per_node = cluster.gpus_per_node();
  rates.world = LinksOf(cluster, mesh.ranks(), per_node);
  rates.data = LinksOf(cluster, mesh.data, per_node / mesh.tensor);
  rates.tensor = LinksOf(cluster, mesh.tensor, per_node);
  return rates;
}

double WorkSeconds(const Profiler& profiler, const StepRates& rates) {
  double seconds = 0;
  for (const auto& [name, entry] : profiler.entries()) {
    seconds += entry.flops / (name == "attention" ? rates.attention : rates.products);
    seconds += entry.bytes / rates.memory;
  }
  return seconds * (1 + rates.gaps);
}

std::function<void()> StepClock::Group::Start(CollectiveKind kind, size_t bytes) {
  StepClock& clock = *clock_;
  const double seconds = links_->Seconds(kind, static_cast<double>(bytes));
  const double end = std::max(clock.Now(), clock.links_free_) + seconds;
  clock.communication_ += seconds;
  clock.links_free_ = end;
  return [&clock, end] { clock.waited_ += std::max(end - clock.Now(), 0.0); };
}

}  // namespace frond
