// A fixed number of OpenVINO infer requests, handed out one for each caller at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>
#include <openvino/runtime/compiled_model.hpp>
#include <openvino/runtime/infer_request.hpp>

#include "quipu/base/thread_annotations.h"

namespace quipu::embed {

// Threads: any.
class RequestPool {
 public:
  RequestPool(ov::CompiledModel& model, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      requests_.push_back(std::make_unique<ov::InferRequest>(model.create_infer_request()));
      free_.push_back(requests_.back().get());
    }
  }

  // Returns its request by destructor.
  class Lease {
   public:
    explicit Lease(RequestPool& pool) : pool_(pool), request_(pool.take()) {}
    ~Lease() { pool_.give_back(request_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ov::InferRequest& operator*() const { return *request_; }
    ov::InferRequest* operator->() const { return request_; }

   private:
    RequestPool& pool_;
    ov::InferRequest* request_;
  };

 private:
  ov::InferRequest* take() {
    MutexLock lock(mutex_);
    while (free_.empty()) returned_.wait(lock.native());
    ov::InferRequest* const request = free_.back();
    free_.pop_back();
    return request;
  }
  void give_back(ov::InferRequest* request) {
    {
      const MutexLock lock(mutex_);
      free_.push_back(request);
    }
    returned_.notify_one();
  }

  std::vector<std::unique_ptr<ov::InferRequest>> requests_;
  Mutex mutex_;
  std::condition_variable returned_;
  std::vector<ov::InferRequest*> free_ GUARDED_BY(mutex_);
};

}  // namespace quipu::embed
