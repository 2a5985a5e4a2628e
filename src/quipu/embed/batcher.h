// The queue before the models: texts as token ids go in, vectors come out.
//
// A worker takes what fits together as soon as it is free. It does not wait for more: on a CPU a
// batch costs for each text nearly what a text alone costs, so waiting would only add to the
// latency. While workers are idle the queue is shared out among them, so that the few texts of one
// request run on several cores instead of in one batch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/base/clock.h"
#include "quipu/base/metrics.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/embed/runtime.h"
#include "quipu/embed/vector_cache.h"

namespace quipu::embed {

// What the batcher tells about its work, all optional but given together.
struct BatcherMetrics {
  explicit BatcherMetrics(MetricsRegistry& registry);
  Gauge& queue_depth;
  Gauge& queue_tokens;
  Histogram& queue_wait;
  Histogram& batch_texts;
  Histogram& batch_tokens;
};

struct BatcherOptions {
  std::size_t threads = 1;
  // Tokens that may wait for one model; a text that finds the queue empty is always let in.
  std::size_t queue_tokens_max = 256U << 10;
};

// Threads: any. Texts are grouped by model and served interactive first, then by earliest deadline,
// then in order of arrival; every eighth batch takes bulk work first if any waits, so that it is
// never starved.
class Batcher {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  struct TextJob {
    RuntimeModel* model = nullptr;  // outlives the job
    Digest128 key;                  // equal keys have equal vectors: they are computed once
    std::vector<std::uint32_t> ids;
    std::vector<std::uint8_t> types;  // as ModelInput's
    std::uint32_t token_count = 0;    // as they go into the CachedVector
    bool truncated = false;
    bool interactive = true;
    Deadline deadline = Deadline::max();
  };
  class Ticket;
  // The tickets of one caller, who waits for them together. Threads: the caller's only.
  class Call {
   public:
    explicit Call(Batcher& batcher);
    // Leaves what is not finished; jobs that nobody waits for any more leave the queue.
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // Waits with a job of this key, if one is in the queue or running.
    [[nodiscard]] std::optional<std::size_t> join(const Digest128& key, bool interactive,
                                                  Deadline deadline);
    // Puts a job into the queue, or joins one of its key. When the queue is full it waits for jobs
    // of this call to make room. Returns the place of the result.
    // Errors: kResourceExhausted ("embedding_queue_full") when none of the waiting is this call's;
    // kDeadlineExceeded; kCancelled after the batcher stopped.
    [[nodiscard]] Result<std::size_t> submit(TextJob job);
    // Waits for one. Errors: kDeadlineExceeded; what the runtime said.
    [[nodiscard]] Result<VectorRef> wait(std::size_t place, Deadline deadline);

   private:
    friend class Batcher;
    Batcher& batcher_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<Ticket>> tickets_;
  };

  // Called for each vector that was computed, on a worker.
  using OnVector = std::function<void(const Digest128& key, const VectorRef& vector)>;
  Batcher(BatcherOptions options, Clock& clock, MetricsRegistry& metrics, OnVector on_vector);
  // Finishes what runs; what waits ends with kCancelled. No Call may be alive.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

 private:
  struct Order {
    Deadline deadline;
    std::uint64_t number;
    friend auto operator<=>(const Order&, const Order&) = default;
  };
  using Queue = std::map<Order, std::shared_ptr<Ticket>>;
  struct ModelQueue {
    Queue interactive;
    Queue bulk;
    std::size_t tokens = 0;
  };
  struct KeyHash {
    std::size_t operator()(const Digest128& key) const noexcept {
      return static_cast<std::size_t>(key.low);
    }
  };
  using Batch = std::vector<std::shared_ptr<Ticket>>;

  void work();
  void run(const Batch& batch);
  void run_alone(const std::shared_ptr<Ticket>& ticket, std::size_t dim);
  void finish(const std::shared_ptr<Ticket>& ticket, Result<VectorRef> result);
  void finish_locked(const std::shared_ptr<Ticket>& ticket, Result<VectorRef> result)
      REQUIRES(mutex_);
  void enqueue(const std::shared_ptr<Ticket>& ticket) REQUIRES(mutex_);
  void remove(const std::shared_ptr<Ticket>& ticket) REQUIRES(mutex_);
  void leave(Call& call, const std::shared_ptr<Ticket>& ticket, Error reason) REQUIRES(mutex_);
  std::shared_ptr<Ticket> find_locked(const Digest128& key, bool interactive, Deadline deadline)
      REQUIRES(mutex_);
  [[nodiscard]] ModelQueue* next_queue(bool bulk_first) REQUIRES(mutex_);
  [[nodiscard]] Batch take() REQUIRES(mutex_);

  const BatcherOptions options_;
  Clock& clock_;
  BatcherMetrics metrics_;
  const OnVector on_vector_;

  Mutex mutex_;
  std::condition_variable work_waits_;
  std::map<RuntimeModel*, ModelQueue> queues_ GUARDED_BY(mutex_);
  std::unordered_map<Digest128, std::shared_ptr<Ticket>, KeyHash> in_flight_ GUARDED_BY(mutex_);
  std::size_t queued_ GUARDED_BY(mutex_) = 0;
  std::size_t queued_tokens_ GUARDED_BY(mutex_) = 0;
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  std::uint64_t arrivals_ GUARDED_BY(mutex_) = 0;
  std::uint64_t batches_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace quipu::embed
