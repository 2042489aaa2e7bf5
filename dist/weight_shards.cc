#include "dist/weight_shards.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/ops/elementwise.h"
#include "core/ops/master.h"
#include "core/tensor/repeated_work.h"
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
bool TravelsAlone(const Param& param, int ranks) {
  return param.slice.rows % ranks == 0 && param.value.bytes() >= static_cast<size_t>(kAloneBytes);
}

int64_t ShareElements(std::span<Param* const> params, int ranks) {
  int64_t elements = 0;
  for (const Param* param : params) elements += ShareElements(*param, ranks);
  return elements;
}

// Whether the parameter may join those of a message.
bool MayJoin(const Param& param, std::span<Param* const> params, int ranks) {
  const DType dtype = param.value.dtype();
  const auto width = static_cast<int64_t>(DTypeSize(dtype));
  return params.front()->value.dtype() == dtype &&
         ShareElements(params, ranks) * width < kMessageBytes;
}

}  // namespace

WeightShards::WeightShards(ParamStore& store, Communicator& data)
    : store_(&store), data_(&data), started_(store.num_sections()), landed_(store.num_sections()) {
  if (store.shards().size > 1) CHECK_EQ(store.shards().size, data.size());
  store.SetGate(this);
}

WeightShards::~WeightShards() {
  store_->SetGate(nullptr);
  for (Flight& flight : flights_) {  // of a step that was given up
    for (Message& message : flight) message.gather.Wait();
  }
}

void WeightShards::MarkChanged(Context& ctx) {
  CHECK_EQ(landed_, store_->num_sections()) << "sections are ready; a pass has left out the others";
  for (const auto& param : store_->params()) param->is_ready = false;
  started_ = landed_ = 0;
  // Nothing travels: the forms are made while no activations are there.
  if (store_->shards().size > 1) return;
  RunRepeated(ctx, {.owner = this}, [&] { Complete(ctx); });
}

void WeightShards::Await(Context& ctx, int section) {
  const int ahead = std::min(section + 2, store_->num_sections());
  while (started_ < ahead) Start(ctx, started_++);
  while (landed_ <= section) Land(ctx, landed_++);
}

WeightShards::Flight WeightShards::Cut(int section) const {
  Flight messages;
  size_t open = 0;  // the message that small parameters join; 0: none, else its number plus one
  for (Param* param : store_->section(section)) {
    const bool alone = TravelsAlone(*param, data_->size());
    if (alone || open == 0 || !MayJoin(*param, messages[open - 1].params, data_->size())) {
      messages.emplace_back();
      if (!alone) open = messages.size();
    }
    (alone ? messages.back() : messages[open - 1]).params.push_back(param);
  }
  return messages;
}

template <class Copy>
void WeightShards::ForShares(const Message& message, View shares, int r, const Copy& copy) const {
  int64_t at = 0;
  for (Param* param : message.params) {
    const int64_t n = ShareElements(*param, data_->size());
    copy(RowsOf(*param, param->value, r, data_->size()), Rows(shares, at, at + n));
    at += n;
  }
}

void WeightShards::Start(Context& ctx, int section) {
  Flight& flight = flights_.emplace_back();
  if (store_->shards().size == 1) return;
  for (Param* param : store_->section(section)) RoundOwnRows(ctx, *param);
  flight = Cut(section);
  for (Message& message : flight) Send(ctx, message);
}

void WeightShards::Send(Context& ctx, Message& message) {
  const int ranks = data_->size();
  const DType dtype = message.params.front()->value.dtype();
  const int64_t elements = ShareElements(message.params, ranks);
  message.own = Tensor(ctx, {elements}, dtype);
  const bool lies_ready =
      message.params.size() == 1 && TravelsAlone(*message.params.front(), ranks);
  if (!lies_ready) {
    message.all = Tensor(ctx, {elements * ranks}, dtype);
    // Shares that are short leave a rest that means nothing, but must hold numbers.
    Fill(ctx, 0, message.own);
  }
  ForShares(message, message.own, data_->rank(),
            [&](ConstView rows, View share) { CopyFlat(ctx, rows, share); });
  message.gather =
      data_->AllGather(ctx, message.own, lies_ready ? message.params.front()->value : message.all);
}

void WeightShards::Land(Context& ctx, int section) {
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  for (Message& message : flight) {
    message.gather.Wait();
    message.own.Reset();
    if (message.all.empty()) continue;
    const int64_t elements = message.all.shape().num_elements() / data_->size();
    for (int r = 0; r < data_->size(); ++r) {
      if (r == data_->rank()) continue;
      const View theirs = Rows(message.all.view(), r * elements, (r + 1) * elements);
      ForShares(message, theirs, r, [&](View rows, View share) { CopyFlat(ctx, share, rows); });
    }
    message.all.Reset();
  }
  store_->PrepareCompute(ctx, section, /*for_training=*/true);
  for (Param* param : store_->section(section)) param->is_ready = true;
}

}  // namespace frond
