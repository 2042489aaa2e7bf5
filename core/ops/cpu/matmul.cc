// Matrix products through oneDNN's matmul primitive (its blocked-GEMM kernels beat its inner
// product and plain GEMM for all three products of a linear layer, transposed operands included).
//
// Making a primitive costs far more than running a small one, so each context keeps those it used
// last. Where a machine has no bf16 kernels, bf16 products run in f32 on converted operands.
#include "core/ops/cpu/matmul.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <utility>

#include "core/base/hash.h"
#include "core/ops/cpu/elementwise.h"
#include "core/ops/cpu/master.h"
#include "core/ops/cpu/matmul_f64.h"
#include "core/ops/lru_cache.h"

namespace frond::cpu {
namespace {

// All that decides which code a product runs. Compared and hashed as bytes, so it has no padding.
struct ProductKey {
  int64_t m, n, k;
  int64_t left_stride;    // elements from one row of the stored left operand to the next
  uint64_t right_layout;  // hash of a packed layout, or 0
  int32_t threads;        // primitives are planned for a number of threads
  DType operand, result;
  Trans trans_a, trans_b;
  Write mode;
  uint8_t unused[7] = {};

  absl::string_view bytes() const { return {reinterpret_cast<const char*>(this), sizeof(*this)}; }
  bool operator==(const ProductKey& other) const { return bytes() == other.bytes(); }
};
static_assert(sizeof(ProductKey) == 56);

struct ProductKeyHash {
  size_t operator()(const ProductKey& key) const { return Hash64(key.bytes()); }
};

struct Product {
  dnnl::memory::desc a, b, c, scratch;
  bool has_kernel = false;                // on this machine
  std::optional<dnnl::matmul> primitive;  // where there is a kernel, and something to compute
};

dnnl::memory::data_type OneDnnType(DType dtype) {
  return dtype == DType::kBF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

// A [rows, columns] operand that is stored row-major, or as its transpose.
dnnl::memory::desc PlainDesc(int64_t rows, int64_t columns, DType dtype, Trans trans) {
  const dnnl::memory::dims strides =
      trans == Trans::kYes ? dnnl::memory::dims{1, rows} : dnnl::memory::dims{columns, 1};
  return {{rows, columns}, OneDnnType(dtype), strides};
}

// The left operand of a product, which may be some columns of a stored transpose.
dnnl::memory::desc LeftDesc(const ProductKey& key) {
  const dnnl::memory::dims strides = key.trans_a == Trans::kYes
                                         ? dnnl::memory::dims{1, key.left_stride}
                                         : dnnl::memory::dims{key.left_stride, 1};
  return {{key.m, key.k}, OneDnnType(key.operand), strides};
}

class OneDnnState : public BackendState {
 public:
  OneDnnState() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

  const dnnl::engine& engine() const { return engine_; }
  dnnl::stream& stream() { return stream_; }

  // `right` replaces the plain layout of the right operand where it is not null.
  const Product& Find(Context& ctx, const ProductKey& key, const dnnl::memory::desc* right) {
    return products_.FindOrMake(
        key, [&] { return Make(key, right, /*to_run=*/ctx.device() != Device::kMeta); });
  }

  // Valid until the next call.
  void* Scratch(Context& ctx, size_t bytes) {
    if (scratch_.bytes() < bytes || scratch_.empty()) {
      scratch_.Reset();
      const auto floats = static_cast<int64_t>((bytes + sizeof(float) - 1) / sizeof(float));
      scratch_ = Tensor(ctx, {floats}, DType::kF32, MemoryKind::kWorkspace);
    }
    return scratch_.view().data;
  }

  dnnl::matmul::primitive_desc Plan(const ProductKey& key, const dnnl::memory::desc& right) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (key.mode == Write::kAccumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const dnnl::matmul::desc description(LeftDesc(key), right,
                                         PlainDesc(key.m, key.n, key.result, Trans::kNo));
    return dnnl::matmul::primitive_desc(description, attributes, engine_, /*allow_empty=*/true);
  }

 private:
  static constexpr size_t kMaxProducts = 1024;

  // Compiling a kernel costs far more than knowing its scratch memory.
  Product Make(const ProductKey& key, const dnnl::memory::desc* right, bool to_run) const {
    Product product;
    product.a = LeftDesc(key);
    product.b = right != nullptr ? *right : PlainDesc(key.k, key.n, key.operand, key.trans_b);
    product.c = PlainDesc(key.m, key.n, key.result, Trans::kNo);
    const dnnl::matmul::primitive_desc plan = Plan(key, product.b);
    if (plan.get(/*allow_empty=*/true) == nullptr) return product;
    product.scratch = plan.scratchpad_desc();
    product.has_kernel = true;
    if (to_run) product.primitive.emplace(plan);
    return product;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  LruCache<ProductKey, Product, ProductKeyHash> products_{kMaxProducts};
  Tensor scratch_;
};

ProductKey MakeKey(ConstColumns a, Trans trans_a, Trans trans_b, Write mode, View c) {
  ProductKey key = {};
  key.m = c.dim(0);
  key.n = c.dim(1);
  key.k = trans_a == Trans::kYes ? a.rows : a.columns;
  key.left_stride = a.pitch;
  key.threads = omp_get_max_threads();
  key.operand = a.dtype;
  key.result = c.dtype;
  key.trans_a = trans_a;
  key.trans_b = trans_b;
  key.mode = mode;
  return key;
}

// Products without elements or without terms; false where there is work to do.
bool HandleEmpty(Context& ctx, const ProductKey& key, View c) {
  if (key.m > 0 && key.n > 0 && key.k > 0) return false;
  if (key.mode == Write::kAssign && ctx.device() != Device::kMeta) Fill(ctx, 0.0, c);
  return true;
}

// Runs the product; false where the machine has no kernel for it.
bool Execute(Context& ctx, const Product& product, const void* a, const void* b, void* c) {
  if (!product.has_kernel) return false;
  auto& state = ctx.Backend<OneDnnState>();
  const dnnl::engine& engine = state.engine();
  const size_t scratch_bytes = product.scratch.get_size();
  void* scratch = scratch_bytes > 0 ? state.Scratch(ctx, scratch_bytes) : nullptr;
  if (!product.primitive.has_value()) return true;
  product.primitive->execute(state.stream(),
                             {{DNNL_ARG_SRC, {product.a, engine, const_cast<void*>(a)}},
                              {DNNL_ARG_WEIGHTS, {product.b, engine, const_cast<void*>(b)}},
                              {DNNL_ARG_DST, {product.c, engine, c}},
                              {DNNL_ARG_SCRATCHPAD, {product.scratch, engine, scratch}}});
  state.stream().wait();
  return true;
}

// A weight gradient, whose left operand is stored transposed, is made in parts: oneDNN goes over
// operands and result several times, and these parts stay in cache (5 to 15 % on wide models' and
// long batches' products). Terms are only parted where the sums can be kept in c.
constexpr int64_t kPartRows = 2048;
constexpr int64_t kPartTerms = 1024;

// As Execute, in parts; the left operand is stored transposed.
bool ExecuteParts(Context& ctx, const ProductKey& whole, ConstColumns a, ConstView b, View c) {
  const int64_t terms = c.dtype == DType::kF32 ? kPartTerms : whole.k;
  const bool rows_of_b = whole.trans_b == Trans::kNo;
  for (int64_t row = 0; row < whole.m; row += kPartRows) {
    for (int64_t term = 0; term < whole.k; term += terms) {
      ProductKey part = whole;
      part.m = std::min(kPartRows, whole.m - row);
      part.k = rows_of_b ? std::min(terms, whole.k - term) : whole.k;
      if (term > 0) part.mode = Write::kAccumulate;
      const Product& product = ctx.Backend<OneDnnState>().Find(ctx, part, nullptr);
      const auto left = static_cast<size_t>(term * whole.left_stride + row) * DTypeSize(a.dtype);
      const auto right = static_cast<size_t>(term * whole.n) * DTypeSize(b.dtype);
      const View rows = Rows(c, row, row + part.m);
      if (!Execute(ctx, product, static_cast<const char*>(a.data) + left,
                   static_cast<const char*>(b.data) + right, rows.data)) {
        CHECK_EQ(row + term, 0) << "a product without a kernel for its last part";
        return false;
      }
      if (part.k == whole.k) break;
    }
  }
  return true;
}

// Dense.
Tensor ToF32(Context& ctx, ConstColumns x) {
  Tensor wide(ctx, x.shape(), DType::kF32, MemoryKind::kWorkspace);
  if (ctx.device() == Device::kMeta) return wide;
  const auto cast = [&](int64_t row, Shape shape) {
    const auto* from = static_cast<const char*>(x.data) + row * x.pitch * DTypeSize(x.dtype);
    Cast(ctx, {from, shape, x.dtype}, {wide.As<float>() + row * x.columns, shape, DType::kF32});
  };
  if (x.is_dense()) {
    cast(0, x.shape());
  } else {
    for (int64_t row = 0; row < x.rows; ++row) cast(row, {x.columns});
  }
  return wide;
}

// A bf16 product on a machine without bf16 kernels.
void MultiplyInF32(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b,
                   const std::pair<Write, View>& result) {
  CHECK(a.dtype == DType::kBF16) << "oneDNN has no product for " << DTypeName(a.dtype);
  const auto& [mode, c] = result;
  const Tensor wide_a = ToF32(ctx, a);
  const Tensor wide_b = ToF32(ctx, b);
  if (c.dtype == DType::kF32) return cpu::MatMul(ctx, wide_a, trans_a, wide_b, trans_b, mode, c);
  Tensor wide_c = ToF32(ctx, c);
  cpu::MatMul(ctx, wide_a, trans_a, wide_b, trans_b, mode, wide_c);
  if (ctx.device() != Device::kMeta) Cast(ctx, wide_c, c);
}

// A pack is its oneDNN layout, padded to kPackHeader bytes, and then the weight in that layout.
constexpr size_t kPackHeader = 1024;
static_assert(sizeof(dnnl_memory_desc_t) <= kPackHeader);
// The number of rows whose preferred layout is taken. It serves all others: the layout depends on
// the weight's own shape unless a product has very few rows.
constexpr int64_t kPackRows = 1024;

char* PackBytes(const PackedWeight& packed) {
  return const_cast<char*>(static_cast<const char*>(packed.storage_.view().data));
}

void ReservePack(Context& ctx, size_t bytes, PackedWeight& packed) {
  const auto words = static_cast<int64_t>((kPackHeader + bytes + 3) / 4);
  if (packed.storage_.empty() || packed.storage_.shape() != Shape{words}) {
    packed.storage_.Reset();
    packed.storage_ = Tensor(ctx, {words}, DType::kI32, MemoryKind::kComputeWeights);
  }
}

// The layout that products prefer for a weight [out, in] in the use `trans`.
dnnl::memory::desc ChooseLayout(Context& ctx, const Shape& weight, Trans trans, DType dtype) {
  const bool forward = trans == Trans::kYes;
  ProductKey key = {};
  key.m = kPackRows;
  key.n = weight.dim(forward ? 0 : 1);
  key.k = weight.dim(forward ? 1 : 0);
  key.left_stride = key.k;
  key.operand = dtype;
  key.result = dtype;
  const dnnl::memory::desc any({key.k, key.n}, OneDnnType(dtype), dnnl::memory::format_tag::any);
  const dnnl::matmul::primitive_desc plan = ctx.Backend<OneDnnState>().Plan(key, any);
  return plan.get(/*allow_empty=*/true) != nullptr ? plan.weights_desc()
                                                   : PlainDesc(key.k, key.n, dtype, trans);
}

dnnl::memory::desc PackLayout(Context& ctx, const PackedWeight& packed) {
  if (ctx.device() == Device::kMeta) {
    return ChooseLayout(ctx, packed.weight_shape_, packed.trans_, packed.dtype_);
  }
  dnnl_memory_desc_t layout;
  std::memcpy(&layout, PackBytes(packed), sizeof(layout));
  return dnnl::memory::desc(layout);
}

// The pack as a plain weight again.
Tensor Unpack(Context& ctx, const PackedWeight& packed) {
  auto& state = ctx.Backend<OneDnnState>();
  const int64_t out = packed.weight_shape_.dim(0), in = packed.weight_shape_.dim(1);
  const bool forward = packed.trans_ == Trans::kYes;
  Tensor plain(ctx, packed.weight_shape_, packed.dtype_, MemoryKind::kWorkspace);
  if (ctx.device() == Device::kMeta) return plain;
  dnnl::memory source(PackLayout(ctx, packed), state.engine(), PackBytes(packed) + kPackHeader);
  dnnl::memory target(
      PlainDesc(forward ? in : out, forward ? out : in, packed.dtype_, packed.trans_),
      state.engine(), plain.view().data);
  dnnl::reorder(source, target).execute(state.stream(), source, target);
  state.stream().wait();
  return plain;
}

}  // namespace

void MatMul(Context& ctx, ConstColumns a, Trans trans_a, ConstView b, Trans trans_b, Write mode,
            View c) {
  const ProductKey key = MakeKey(a, trans_a, trans_b, mode, c);
  if (HandleEmpty(ctx, key, c)) return;
  if (a.dtype == DType::kF64) {
    if (ctx.device() == Device::kMeta) return;
    const bool across_a = trans_a == Trans::kYes, across_b = trans_b == Trans::kYes;
    const StridedMatrix left = {a.As<double>(), across_a ? 1 : a.pitch, across_a ? a.pitch : 1};
    const StridedMatrix right = {b.As<double>(), across_b ? 1 : key.n, across_b ? key.k : 1};
    return MatMulF64(left, right, mode, {key.m, key.n, key.k}, c.As<double>());
  }
  if (trans_a == Trans::kYes) {
    if (ExecuteParts(ctx, key, a, b, c)) return;
  } else {
    const Product& product = ctx.Backend<OneDnnState>().Find(ctx, key, nullptr);
    if (Execute(ctx, product, a.data, b.data, c.data)) return;
  }
  MultiplyInF32(ctx, a, trans_a, b, trans_b, {mode, c});
}

void PackWeight(Context& ctx, ConstView weight, Trans trans, DType dtype, PackedWeight& packed) {
  if (weight.dtype != dtype) {
    Tensor rounded(ctx, weight.shape, dtype, MemoryKind::kWorkspace);
    if (ctx.device() != Device::kMeta) cpu::WriteMaster(ctx, weight, {rounded});
    return cpu::PackWeight(ctx, rounded, trans, dtype, packed);
  }
  auto& state = ctx.Backend<OneDnnState>();
  packed.weight_shape_ = weight.shape;
  packed.dtype_ = dtype;
  packed.trans_ = trans;
  packed.is_plain_ = false;
  if (dtype == DType::kF64 || weight.num_elements() == 0) {
    ReservePack(ctx, weight.bytes(), packed);
    if (weight.bytes() > 0 && ctx.device() != Device::kMeta) {
      std::memcpy(PackBytes(packed) + kPackHeader, weight.data, weight.bytes());
    }
    return;
  }
  const dnnl::memory::desc layout = ChooseLayout(ctx, weight.shape, trans, dtype);
  ReservePack(ctx, layout.get_size(), packed);
  if (ctx.device() == Device::kMeta) return;
  std::memset(PackBytes(packed), 0, kPackHeader);
  std::memcpy(PackBytes(packed), &layout.data, sizeof(layout.data));
  const bool forward = trans == Trans::kYes;
  const int64_t k = weight.dim(forward ? 1 : 0), n = weight.dim(forward ? 0 : 1);
  dnnl::memory source(PlainDesc(k, n, weight.dtype, trans), state.engine(),
                      const_cast<void*>(weight.data));
  dnnl::memory target(layout, state.engine(), PackBytes(packed) + kPackHeader);
  dnnl::reorder(source, target).execute(state.stream(), source, target);
  state.stream().wait();
}

void MatMulPacked(Context& ctx, ConstView a, const PackedWeight& weight, Trans trans, Write mode,
                  View c) {
  ProductKey key = MakeKey(a, Trans::kNo, trans, mode, c);
  if (HandleEmpty(ctx, key, c)) return;
  if (a.dtype == DType::kF64) {
    const ConstView plain = {PackBytes(weight) + kPackHeader, weight.weight_shape_, DType::kF64};
    return cpu::MatMul(ctx, a, Trans::kNo, plain, trans, mode, c);
  }
  const dnnl::memory::desc layout = PackLayout(ctx, weight);
  key.right_layout =
      Hash64({reinterpret_cast<const char*>(&layout.data), sizeof(dnnl_memory_desc_t)});
  const Product& product = ctx.Backend<OneDnnState>().Find(ctx, key, &layout);
  if (Execute(ctx, product, a.data, PackBytes(weight) + kPackHeader, c.data)) return;
  const Tensor plain = Unpack(ctx, weight);
  cpu::MatMul(ctx, a, Trans::kNo, plain, trans, mode, c);
}

}  // namespace frond::cpu
