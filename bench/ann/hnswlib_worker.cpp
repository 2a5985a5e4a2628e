// hnswlib as a peer: the headers of its Python package, compiled as that package compiles them
// (-O3 -march=native), without the interpreter around every query.
#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "bench/ann/peer.h"

namespace {

using quipu::Error;
using quipu::ErrorCode;
using quipu::Result;
using quipu::Status;

class HnswlibPeer final : public quipu::bench::AnnPeer {
 public:
  Status build(const quipu::bench::NpyMatrix& base,
               const quipu::bench::BuildParams& params) override {
    try {
      space_ = std::make_unique<hnswlib::InnerProductSpace>(base.dim());
      index_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), params.rows,
                                                                 params.m, params.ef_construction);
      index_->addPoint(base.row(0).data(), 0);
      std::atomic<std::size_t> next = 1;
      std::vector<std::thread> threads;
      for (std::size_t i = 0; i < params.threads; ++i) {
        threads.emplace_back([&] {
          for (std::size_t row = next++; row < params.rows; row = next++) {
            index_->addPoint(base.row(row).data(), row);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    } catch (const std::exception& failure) {
      return Error{ErrorCode::kInternal, failure.what()};
    }
    return quipu::ok_status();
  }

  Status set_effort(std::uint32_t ef) override {
    index_->setEf(ef);
    return quipu::ok_status();
  }

  Result<std::size_t> search(std::span<const float> query, std::span<std::uint32_t> ids) override {
    try {
      auto found = index_->searchKnn(query.data(), ids.size());
      const std::size_t count = found.size();
      for (std::size_t i = count; i-- > 0; found.pop()) {
        ids[i] = static_cast<std::uint32_t>(found.top().second);
      }
      return count;
    } catch (const std::exception& failure) {
      return Error{ErrorCode::kInternal, failure.what()};
    }
  }

 private:
  std::unique_ptr<hnswlib::InnerProductSpace> space_;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index_;
};

}  // namespace

int main() {
  HnswlibPeer peer;
  return quipu::bench::serve_ann(peer);
}
