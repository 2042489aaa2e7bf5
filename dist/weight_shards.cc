#include "dist/weight_shards.h"

#include <vector>

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "core/ops/master.h"
#include "dist/row_shares.h"

namespace frond {
namespace {

// Bytes of a message from which on a parameter travels alone.
constexpr int64_t kAloneBytes = int64_t{4} << 20;
// Bytes of every rank's part of a message of several parameters.
constexpr int64_t kMessageBytes = int64_t{1} << 20;

// What its master rounds to, in the rows of the value that this rank owns.
void RoundOwnRows(Context& ctx, Param& param) {
  if (param.exact.empty() || param.owned.rows == 0) return;
  WriteMaster(ctx, param.exact, {param.OwnedRows(param.value)});
}

// Its shares are as large on every rank, so they arrive where they belong.
void ShareAlone(Context& ctx, Param& param, Communicator& data) {
  Tensor own(ctx, param.OwnedRows(param.value).shape, param.value.dtype());
  CopyFlat(ctx, param.OwnedRows(param.value), own);
  data.AllGather(ctx, own, param.value).Wait();
}

// Parameters of one dtype whose shares lie one behind the other in a message.
class Message {
 public:
  explicit Message(Communicator& data) : data_(data) {}

  bool Takes(const Param& param) const {
    return params_.empty() || (params_.front()->value.dtype() == param.value.dtype() &&
                               elements_ * Width() < kMessageBytes);
  }
  void Add(Param& param) {
    params_.push_back(&param);
    elements_ += ShareElements(param, data_.size());
  }
  void Send(Context& ctx) {
    if (params_.empty()) return;
    const DType dtype = params_.front()->value.dtype();
    Tensor own(ctx, {elements_}, dtype), all(ctx, {elements_ * data_.size()}, dtype);
    // Shares that are short leave a rest that means nothing, but must hold numbers.
    Fill(ctx, 0, own);
    ForShares(own, data_.rank(), [&](ConstView rows, View share) { CopyFlat(ctx, rows, share); });
    data_.AllGather(ctx, own, all).Wait();
    for (int r = 0; r < data_.size(); ++r) {
      if (r == data_.rank()) continue;
      const View theirs = Rows(all.view(), r * elements_, (r + 1) * elements_);
      ForShares(theirs, r, [&](View rows, View share) { CopyFlat(ctx, share, rows); });
    }
    params_.clear();
    elements_ = 0;
  }

 private:
  int64_t Width() const { return static_cast<int64_t>(DTypeSize(params_.front()->value.dtype())); }

  // Calls copy(rows of the parameter's value, their place in the message) for rank r's shares.
  template <class Copy>
  void ForShares(View message, int r, const Copy& copy) {
    int64_t at = 0;
    for (Param* param : params_) {
      const int64_t n = ShareElements(*param, data_.size());
      copy(RowsOf(*param, param->value, r, data_.size()), Rows(message, at, at + n));
      at += n;
    }
  }

  Communicator& data_;
  std::vector<Param*> params_;
  int64_t elements_ = 0;
};

}  // namespace

void ShareWeights(Context& ctx, const ParamStore& store, Communicator& data) {
  if (store.shards().size == 1) return;
  CHECK_EQ(store.shards().size, data.size());
  Message message(data);
  for (const auto& param : store.params()) {
    RoundOwnRows(ctx, *param);
    const bool is_even = param->slice.rows % data.size() == 0;
    if (is_even && param->value.bytes() >= static_cast<size_t>(kAloneBytes)) {
      ShareAlone(ctx, *param, data);
      continue;
    }
    if (!message.Takes(*param)) message.Send(ctx);
    message.Add(*param);
  }
  message.Send(ctx);
}

}  // namespace frond
