// Parameters: declared once, with name, global shape, split and initialiser, where a layer is
// built. That list alone drives initialisation, checkpoints, optimizer state and the memory table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/philox.h"
#include "core/nn/param_slice.h"
#include "core/nn/weight_gate.h"
#include "core/ops/master.h"
#include "core/ops/matmul.h"
#include "core/tensor/tensor.h"

namespace frond {

// How a parameter lies on the tensor axis of a mesh.
struct Partition {
  static Partition Replicated() { return {}; }
  static Partition Split(int dim) { return {dim}; }
  int split_dim = -1;  // -1: every rank holds all of it
};

// How a fresh parameter is filled. Element i is a pure function of (seed, name, i).
struct Initializer {
  enum class Kind : uint8_t { kConstant, kNormal };
  static Initializer Constant(double value) { return {Kind::kConstant, value}; }
  static Initializer Normal(double stddev) { return {Kind::kNormal, stddev}; }
  Kind kind = Kind::kConstant;
  double scale = 0;  // the constant, or the standard deviation
};

// A dotted prefix of parameter names: Scope("encoder") / "block" / 0 is "encoder.block.0".
class Scope {
 public:
  Scope() = default;
  explicit Scope(absl::string_view name) : name_(name) {}
  Scope operator/(absl::string_view child) const;
  Scope operator/(int index) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// What the parameter is used for in a product; decides which packed forms a step keeps.
enum class ParamUse : uint8_t {
  kVector,              // norm scales, bias tables: read as they are
  kEmbedding,           // rows are looked up
  kMatrix,              // right operand of products, [out, in]
  kEmbeddingAndMatrix,  // a tied embedding: looked up and used as the output head
};

// Forms of a weight for the products of one step (see ParamStore::PrepareCompute); empty where
// products read the weight itself, or where `forward` serves both.
struct ProductForms {
  PackedWeight forward;   // y = x W^T
  PackedWeight backward;  // dx = dy W
  const PackedWeight* For(Trans trans) const;
};

struct ParamSpec {
  Shape shape;  // of the whole parameter, whatever part of it a rank holds
  Partition partition;
  Initializer init;
  ParamUse use = ParamUse::kMatrix;
};

struct JoinedParams;

struct Param {
  std::string name;
  ParamSpec spec;
  int index = 0;    // position in declaration order
  int section = 0;  // see ParamStore::StartSection
  // This rank's part, as spec.partition lays the parameter on the tensor axis: `shape` has the
  // split dim divided by the axis's size.
  Shape shape;
  ParamSlice slice;
  // The rows of it whose master this rank keeps and updates; all where weights are not sharded.
  ParamSlice owned;
  // What products and look-ups read, in `shape`: the master weight itself (f32, or f64 in tests),
  // or the bf16 that it is or rounds to. Passes get it from Weight.
  Tensor value;
  // False while `value` and the forms of it are older than a master of any rank.
  bool is_ready = true;
  // `value`, for a pass. CHECKs that it is ready.
  ConstView Weight() const;
  // Of the owned rows: the rest of a split weight, and the f32 master of a bf16 `value`.
  Tensor low, exact;
  // The master weights of the owned rows, which steps change.
  MasterView master();
  Shape owned_shape() const {
    return shape.rank() == 2 ? Shape{owned.rows, owned.cols} : Shape{owned.rows};
  }
  // The owned rows of `value`, or of a tensor like it.
  View OwnedRows(View like) const {
    const int64_t begin = owned.first_row - slice.first_row;
    return Rows(like, begin, begin + owned.rows);
  }
  // Keys the stochastic rounding of this parameter in the step of `rng`.
  uint64_t RoundingKey(const RngKey& rng) const { return rng.At(static_cast<uint32_t>(index)); }

  // The form for products with this use of the weight; null: they read Weight(). CHECKs that the
  // parameter is ready.
  const PackedWeight* Pack(Trans trans) const;
  ProductForms forms;  // none where `joined` is not null

  // The parameters that it is multiplied together with; null: none. `value` is then part of theirs.
  JoinedParams* joined = nullptr;
};

// Matrices [out_i, in] of one `in` whose values lie end to end, so that the products of all of them
// with one input are a single product with a matrix [sum of out_i, in].
struct JoinedParams {
  std::vector<Param*> parts;
  Tensor value;
  ProductForms forms;
  // As Param's, of all parts.
  ConstView Weight() const;
  const PackedWeight* Pack(Trans trans) const;
};

class ParamStore {
 public:
  // `compute` is the dtype of the products: f32, bf16 or f64. Whole masters are f32, or f64 where
  // `compute` is; other formats are for bf16 products, and vectors are whole in every format.
  // `tensor` is this rank's place on the tensor axis, `shards` among the ranks that share the rows
  // of every master out among them (ZeRO: Rajbhandari et al., 2020); those ranks make each other's
  // rows of Param::value known by WeightShards (dist/weight_shards.h).
  explicit ParamStore(DType compute, MasterFormat masters = MasterFormat::kWhole,
                      AxisPlace tensor = {}, AxisPlace shards = {});

  DType compute_dtype() const { return compute_; }
  // Of whole masters, gradients and optimizer state.
  DType master_dtype() const { return compute_ == DType::kF64 ? DType::kF64 : DType::kF32; }

  // CHECKs that the name is new and that the split dim is a multiple of the tensor axis's size. The
  // reference stays valid as long as the store. No memory is taken
  // yet.
  Param& Add(const Scope& scope, const ParamSpec& spec);

  // Declares that `parts` are multiplied together, in this order: matrices of one section, as wide
  // as each other and split alike, whose memory is not taken yet. The reference stays valid as long
  // as the store.
  JoinedParams& Join(std::vector<Param*> parts);

  // What is declared from here on forms a section: parameters that a pass begins to read at once,
  // after those of the sections before it. Vectors belong to section 0 wherever they are declared:
  // they are few elements. Returns the section's number.
  int StartSection();
  int num_sections() const { return static_cast<int>(sections_.size()); }
  std::span<Param* const> section(int number) const {
    return sections_[static_cast<size_t>(number)];
  }
  // Training passes await every section before they read it (WeightGate::Await); without a gate
  // weights are always ready. Other passes await nothing, since ranks may differ in them: they
  // CHECK that what they read is ready. `gate` may be null.
  void SetGate(WeightGate* gate) { gate_ = gate; }
  void Await(Context& ctx, int section) {
    if (gate_ != nullptr) gate_->Await(ctx, section);
  }

  // Declaration order.
  std::span<const std::unique_ptr<Param>> params() const { return params_; }
  Param* Find(absl::string_view name) const;  // null if unknown
  int64_t num_elements() const;               // of whole parameters
  const AxisPlace& tensor() const { return tensor_; }
  const AxisPlace& shards() const { return shards_; }

  // Takes memory for every master that has none. Contents are undefined.
  void Allocate(Context& ctx);
  // Allocates every parameter and fills its master by its initialiser.
  void Initialize(Context& ctx, uint64_t seed);
  void Initialize(Context& ctx, Param& param, uint64_t seed);

  // Rebuilds the forms that products use from the values; call it after those changed and before
  // the next forward. `for_training` also builds the forms that only gradients need.
  void PrepareCompute(Context& ctx, bool for_training);
  // Of one section.
  void PrepareCompute(Context& ctx, int section, bool for_training);

 private:
  void Allocate(Context& ctx, Param& param) const;
  DType ValueType(const Param& param) const;
  void Prepare(Context& ctx, ConstView value, bool for_training, ProductForms& forms) const;

  DType compute_;
  MasterFormat masters_;
  AxisPlace tensor_, shards_;
  WeightGate* gate_ = nullptr;
  std::vector<std::unique_ptr<JoinedParams>> joined_;  // outlive their parts
  std::vector<std::unique_ptr<Param>> params_;
  std::vector<std::vector<Param*>> sections_{1};
  std::unordered_map<std::string, Param*> by_name_;
};

}  // namespace frond
