// Our dense index by itself, without storage, as a peer.
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/ann/peer.h"
#include "quipu/base/epoch.h"
#include "quipu/index/dense/dense_index.h"

namespace {

using quipu::Error;
using quipu::ErrorCode;
using quipu::Result;
using quipu::Seq;
using quipu::SlotId;
using quipu::Status;

class DensePeer final : public quipu::bench::AnnPeer {
 public:
  Status build(const quipu::bench::NpyMatrix& base,
               const quipu::bench::BuildParams& params) override {
    QUIPU_TRY(index_,
              quipu::index::DenseIndex::create({.dim = static_cast<std::uint32_t>(base.dim()),
                                                .metric = quipu::Metric::kCosine,
                                                .m = params.m,
                                                .ef_construction = params.ef_construction},
                                               epochs_));
    for (std::size_t row = 0; row < params.rows; ++row) {
      seq_ = Seq(row + 1);
      index_->insert(SlotId(static_cast<std::uint32_t>(row)), base.row(row), seq_);
    }
    std::vector<std::thread> linkers;
    for (std::size_t i = 0; i < params.threads; ++i) {
      linkers.emplace_back([this] {
        while (index_->link(kLinkRows) != 0) {
        }
      });
    }
    for (std::thread& linker : linkers) linker.join();
    const quipu::index::DenseStats stats = index_->stats();
    if (stats.tail_rows != 0 || stats.linked_rows != params.rows) {
      return Error{ErrorCode::kInternal, "linked " + std::to_string(stats.linked_rows) + " of " +
                                             std::to_string(params.rows) + " rows, " +
                                             std::to_string(stats.tail_rows) +
                                             " still in the tail"};
    }
    return quipu::ok_status();
  }

  Status set_effort(std::uint32_t ef) override {
    ef_ = ef;
    return quipu::ok_status();
  }

  Result<std::size_t> search(std::span<const float> query, std::span<std::uint32_t> ids) override {
    hits_.resize(ids.size());
    const quipu::EpochDomain::Guard guard = epochs_.pin();
    QUIPU_TRY(const std::size_t count, index_->search(query, {.as_of = seq_, .ef = ef_}, hits_));
    for (std::size_t i = 0; i < count; ++i) ids[i] = hits_[i].slot.value();
    return count;
  }

 private:
  static constexpr std::size_t kLinkRows = 256;
  quipu::EpochDomain epochs_;
  std::unique_ptr<quipu::index::DenseIndex> index_;
  std::vector<quipu::index::DenseHit> hits_;
  Seq seq_;
  std::uint32_t ef_ = 64;
};

}  // namespace

int main() {
  DensePeer peer;
  return quipu::bench::serve_ann(peer);
}
