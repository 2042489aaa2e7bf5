// MatMul and MatMulPacked.
#include <sstream>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "tests/core/ops/op_cases.h"
#include "tests/core/ops/reference/matmul.h"

namespace frond::testing {
namespace {

struct Product {
  int64_t m, n, k;
  Trans a = Trans::kNo, b = Trans::kNo;
  Write mode = Write::kAssign;
  bool wide = false;  // f32 result of bf16 operands
  bool packed = false;
  bool elsewhere = false;  // what is added is another matrix: MatMulAdd
};

std::string Name(const Product& p) {
  std::ostringstream name;
  name << "matmul/" << (p.a == Trans::kYes ? "T" : "N") << (p.b == Trans::kYes ? "T" : "N")
       << (p.mode == Write::kAccumulate ? "/add" : "") << (p.wide ? "/wide" : "")
       << (p.packed ? "/packed" : "") << (p.elsewhere ? "/elsewhere" : "") << "/" << p.m << "x"
       << p.n << "x" << p.k;
  return name.str();
}

void RunProduct(Context& ctx, const Product& p, const Views& in, View c) {
  if (!p.packed) {
    return p.elsewhere ? MatMulAdd(ctx, in[0], p.a, in[1], p.b, in[2], c)
                       : MatMul(ctx, in[0], p.a, in[1], p.b, p.mode, c);
  }
  PackedWeight packed;
  PackWeight(ctx, in[1], p.b, in[0].dtype, packed);
  if (p.elsewhere) return MatMulPackedAdd(ctx, in[0], packed, p.b, in[2], c);
  MatMulPacked(ctx, in[0], packed, p.b, p.mode, c);
}

// Of the addend: dc. da and db are themselves products: the gradient ties all transpositions to one
// another.
void RunGradient(Context& ctx, const Product& p, const Views& in, View dc, const Views& din) {
  const auto flip = [](Trans t) { return t == Trans::kNo ? Trans::kYes : Trans::kNo; };
  if (p.a == Trans::kNo) {
    MatMul(ctx, dc, Trans::kNo, in[1], flip(p.b), Write::kAssign, din[0]);
  } else {
    MatMul(ctx, in[1], p.b, dc, Trans::kYes, Write::kAssign, din[0]);
  }
  if (p.b == Trans::kNo) {
    MatMul(ctx, in[0], flip(p.a), dc, Trans::kNo, Write::kAccumulate, din[1]);
  } else {
    MatMul(ctx, dc, Trans::kYes, in[0], p.a, Write::kAccumulate, din[1]);
  }
  if (p.elsewhere) Cast(ctx, dc, din[2]);
}

OpCase MakeCase(const Product& p) {
  const Shape a = p.a == Trans::kYes ? Shape{p.k, p.m} : Shape{p.m, p.k};
  const Shape b = p.b == Trans::kYes ? Shape{p.n, p.k} : Shape{p.k, p.n};
  const Role result = p.wide ? Role::kMaster : Role::kCompute;
  OpCase op;
  op.name = Name(p);
  op.inputs = {{.name = "a", .shape = a}, {.name = "b", .shape = b, .accumulated = true}};
  if (p.elsewhere) op.inputs.push_back({.name = "addend", .shape = {p.m, p.n}, .role = result});
  op.outputs = {{.name = "c",
                 .shape = {p.m, p.n},
                 .role = result,
                 .accumulated = p.mode == Write::kAccumulate}};
  op.forward = [p](Context& ctx, const Views& in, const Views& out) {
    RunProduct(ctx, p, in, out[0]);
  };
  op.reference = [p](const Arrays& in, Arrays& out) {
    if (p.elsewhere) out[0] = in[2];
    reference::MatMul({.m = p.m,
                       .n = p.n,
                       .k = p.k,
                       .transpose_a = p.a == Trans::kYes,
                       .transpose_b = p.b == Trans::kYes,
                       .accumulate = p.elsewhere || p.mode == Write::kAccumulate},
                      in[0], in[1], out[0]);
  };
  if (!p.wide) {
    op.backward = [p](Context& ctx, const Views& in, const Views&, const Views& dout,
                      const Views& din) { RunGradient(ctx, p, in, dout[0], din); };
  }
  op.forward_flops = 2.0 * static_cast<double>(p.m * p.n) * static_cast<double>(p.k);
  op.backward_flops = 2 * op.forward_flops;
  return op;
}

// a is the right half of a matrix twice as wide, as in the weight gradients of joined layers.
OpCase MakeColumnsCase(const Product& p) {
  OpCase op = MakeCase(p);
  op.name += "/columns";
  const int64_t columns = op.inputs[0].shape.dim(1);
  op.inputs[0].shape = {op.inputs[0].shape.dim(0), 2 * columns};
  op.forward = [p, columns](Context& ctx, const Views& in, const Views& out) {
    const ConstColumns a = ColumnsOf(ConstView(in[0]), columns, 2 * columns);
    MatMul(ctx, a, p.a, in[1], p.b, p.mode, out[0]);
  };
  op.reference = [reference = op.reference, columns](const Arrays& in, Arrays& out) {
    Arrays dense = {{}, in[1]};
    for (auto row = in[0].begin(); row != in[0].end(); row += 2 * columns) {
      dense[0].insert(dense[0].end(), row + columns, row + 2 * columns);
    }
    reference(dense, out);
  };
  op.backward = nullptr;
  return op;
}

// y = x W^T and its two gradients, one case each so that each is timed by itself.
void AddLinear(int64_t tokens, int64_t in, int64_t out, std::vector<OpCase>& cases) {
  const Product products[] = {
      {tokens, out, in, Trans::kNo, Trans::kYes},
      {.m = tokens, .n = in, .k = out},
      {out, in, tokens, Trans::kYes, Trans::kNo, Write::kAccumulate, /*wide=*/true},
  };
  for (const Product& product : products) {
    cases.push_back(MakeCase(product));
    cases.back().backward = nullptr;
  }
}

}  // namespace

std::vector<OpCase> MatMulCases() {
  std::vector<OpCase> cases;
  const int64_t sizes[][3] = {{7, 5, 3}, {1, 33, 17}, {65, 100, 130}, {40, 1, 64}, {33, 300, 1}};
  for (const Trans a : {Trans::kNo, Trans::kYes}) {
    for (const Trans b : {Trans::kNo, Trans::kYes}) {
      for (const auto& [m, n, k] : sizes) {
        for (const Write mode : {Write::kAssign, Write::kAccumulate}) {
          cases.push_back(MakeCase({m, n, k, a, b, mode}));
        }
      }
      cases.push_back(MakeCase({48, 80, 96, a, b, Write::kAccumulate, /*wide=*/true}));
      cases.push_back(MakeColumnsCase({48, 80, 96, a, b, Write::kAccumulate, /*wide=*/true}));
      cases.push_back(MakeColumnsCase({33, 21, 70, a, b}));
    }
  }
  for (const Trans b : {Trans::kNo, Trans::kYes}) {
    for (const auto& [m, n, k] : sizes) {
      cases.push_back(MakeCase({m, n, k, Trans::kNo, b, Write::kAssign, false, /*packed=*/true}));
    }
    cases.push_back(MakeCase({70, 96, 64, Trans::kNo, b, Write::kAccumulate, true, true}));
  }
  for (const bool packed : {false, true}) {
    for (const bool wide : {false, true}) {
      for (const int64_t k : {64, 0}) {
        Product product = {70, 96, k, Trans::kNo, Trans::kYes, Write::kAssign, wide, packed};
        product.elsewhere = true;
        cases.push_back(MakeCase(product));
      }
    }
  }
  // Taller than the parts in which such a product is made.
  for (const Write mode : {Write::kAssign, Write::kAccumulate}) {
    cases.push_back(MakeCase({16421, 5, 3, Trans::kYes, Trans::kNo, mode, /*wide=*/true}));
  }
  for (const bool packed : {false, true}) {
    for (const Write mode : {Write::kAssign, Write::kAccumulate}) {
      cases.push_back(MakeCase({0, 5, 3, Trans::kNo, Trans::kYes, mode, false, packed}));
      cases.push_back(MakeCase({4, 0, 3, Trans::kNo, Trans::kYes, mode, false, packed}));
      cases.push_back(MakeCase({4, 5, 0, Trans::kNo, Trans::kYes, mode, false, packed}));
    }
  }
  return cases;
}

std::vector<OpCase> MatMulTimings() {
  std::vector<OpCase> cases;
  for (const int64_t tokens : {1024, 4096}) {
    AddLinear(tokens, 512, 384, cases);
    AddLinear(tokens, 384, 512, cases);
    AddLinear(tokens, 512, 1024, cases);
    AddLinear(tokens, 1024, 512, cases);
  }
  return cases;
}

}  // namespace frond::testing
