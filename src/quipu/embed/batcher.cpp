#include "quipu/embed/batcher.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace quipu::embed {
namespace {

// A batch is not cut below this to give idle workers something: smaller ones use a core badly.
constexpr std::size_t kSharedTokensMin = 64;
constexpr std::uint64_t kBulkEvery = 8;

Error cancelled() { return Error{ErrorCode::kCancelled, "embedding stopped", "cancelled"}; }

Error too_late() {
  return Error{ErrorCode::kDeadlineExceeded, "the deadline passed before the text was embedded"};
}

constexpr double kWaitBounds[] = {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5};
constexpr double kTextBounds[] = {1, 2, 4, 8, 16, 32, 64};
constexpr double kTokenBounds[] = {8, 16, 32, 64, 128, 256, 512, 1024};

}  // namespace

BatcherMetrics::BatcherMetrics(MetricsRegistry& registry)
    : queue_depth(registry.gauge("quipu_embedding_queue_depth", "Texts that wait for a model", {})),
      queue_tokens(
          registry.gauge("quipu_embedding_queue_tokens", "Tokens that wait for a model", {})),
      queue_wait(registry.histogram("quipu_embedding_queue_wait_seconds",
                                    "How long texts waited for a model", {}, kWaitBounds)),
      batch_texts(registry.histogram("quipu_embedding_batch_size", "Texts computed together", {},
                                     kTextBounds)),
      batch_tokens(registry.histogram("quipu_embedding_batch_tokens", "Tokens computed together",
                                      {}, kTokenBounds)) {}

// A job from arrival to result. The job is not changed after it was queued, but for `interactive`;
// the rest is guarded by the batcher's mutex.
class Batcher::Ticket {
 public:
  TextJob job;
  Order order{};
  bool queued = false;
  bool done = false;
  std::optional<Result<VectorRef>> result;
  std::vector<Call*> waiters;
  std::chrono::steady_clock::time_point arrived;
};

Batcher::Batcher(BatcherOptions options, Clock& clock, MetricsRegistry& metrics, OnVector on_vector)
    : options_(options), clock_(clock), metrics_(metrics), on_vector_(std::move(on_vector)) {
  const std::size_t count = std::max<std::size_t>(options_.threads, 1);
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

Batcher::~Batcher() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_waits_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Batcher::enqueue(const std::shared_ptr<Ticket>& ticket) {
  ModelQueue& queue = queues_[ticket->job.model];
  (ticket->job.interactive ? queue.interactive : queue.bulk).emplace(ticket->order, ticket);
  queue.tokens += ticket->job.ids.size();
  queued_tokens_ += ticket->job.ids.size();
  ++queued_;
  ticket->queued = true;
  metrics_.queue_depth.set(static_cast<double>(queued_));
  metrics_.queue_tokens.set(static_cast<double>(queued_tokens_));
}

void Batcher::remove(const std::shared_ptr<Ticket>& ticket) {
  ModelQueue& queue = queues_[ticket->job.model];
  (ticket->job.interactive ? queue.interactive : queue.bulk).erase(ticket->order);
  queue.tokens -= ticket->job.ids.size();
  queued_tokens_ -= ticket->job.ids.size();
  --queued_;
  ticket->queued = false;
  metrics_.queue_depth.set(static_cast<double>(queued_));
  metrics_.queue_tokens.set(static_cast<double>(queued_tokens_));
}

void Batcher::finish_locked(const std::shared_ptr<Ticket>& ticket, Result<VectorRef> result) {
  ticket->result.emplace(std::move(result));
  ticket->done = true;
  in_flight_.erase(ticket->job.key);
  for (Call* call : ticket->waiters) call->changed_.notify_all();
}

void Batcher::finish(const std::shared_ptr<Ticket>& ticket, Result<VectorRef> result) {
  // The cache first: whoever finds no job of this key afterwards finds the vector there.
  if (result.ok()) on_vector_(ticket->job.key, result.value());
  const MutexLock lock(mutex_);
  finish_locked(ticket, std::move(result));
}

std::shared_ptr<Batcher::Ticket> Batcher::find_locked(const Digest128& key, bool interactive,
                                                      Deadline deadline) {
  const auto found = in_flight_.find(key);
  if (found == in_flight_.end()) return nullptr;
  const std::shared_ptr<Ticket>& ticket = found->second;
  // It lives as long as the most patient wants it; each gives up by itself.
  ticket->job.deadline = std::max(ticket->job.deadline, deadline);
  if (interactive && !ticket->job.interactive) {
    // It goes ahead with the one who is in more of a hurry.
    const bool was_queued = ticket->queued;
    if (was_queued) remove(ticket);
    ticket->job.interactive = true;
    if (was_queued) enqueue(ticket);
  }
  return ticket;
}

void Batcher::leave(Call& call, const std::shared_ptr<Ticket>& ticket, Error reason) {
  std::erase(ticket->waiters, &call);
  if (ticket->done || !ticket->waiters.empty() || !ticket->queued) return;
  remove(ticket);
  finish_locked(ticket, std::move(reason));
}

Batcher::ModelQueue* Batcher::next_queue(bool bulk_first) {
  ModelQueue* best = nullptr;
  const Order* best_order = nullptr;
  for (const bool bulk : {bulk_first, !bulk_first}) {
    for (auto& [model, queue] : queues_) {
      const Queue& waiting = bulk ? queue.bulk : queue.interactive;
      if (waiting.empty()) continue;
      const Order& order = waiting.begin()->first;
      if (best_order == nullptr || order < *best_order) {
        best = &queue;
        best_order = &order;
      }
    }
    if (best != nullptr) return best;
  }
  return nullptr;
}

Batcher::Batch Batcher::take() {
  const bool bulk_first = ++batches_ % kBulkEvery == 0;
  ModelQueue* const queue = next_queue(bulk_first);
  Batch batch;
  if (queue == nullptr) return batch;
  const auto now = clock_.steady_now();
  const auto pick = [&]() -> std::shared_ptr<Ticket> {
    Queue& first = bulk_first ? queue->bulk : queue->interactive;
    Queue& second = bulk_first ? queue->interactive : queue->bulk;
    if (!first.empty()) return first.begin()->second;
    if (!second.empty()) return second.begin()->second;
    return nullptr;
  };
  const std::size_t share = queue->tokens / (idle_ + 1) + 1;
  std::size_t budget = 0;
  std::size_t tokens = 0;
  while (const std::shared_ptr<Ticket> ticket = pick()) {
    if (ticket->job.deadline <= now) {
      remove(ticket);
      finish_locked(ticket, too_late());
      continue;
    }
    if (batch.empty()) {
      budget = std::min(ticket->job.model->batch_tokens(), std::max(kSharedTokensMin, share));
    } else if (tokens + ticket->job.ids.size() > budget) {
      break;
    }
    remove(ticket);
    tokens += ticket->job.ids.size();
    metrics_.queue_wait.observe(std::chrono::duration<double>(now - ticket->arrived).count());
    batch.push_back(ticket);
  }
  return batch;
}

void Batcher::work() {
  MutexLock lock(mutex_);
  for (;;) {
    while (queued_ == 0 && !stopping_) {
      ++idle_;
      work_waits_.wait(lock.native());
      --idle_;
    }
    if (stopping_) break;
    const Batch batch = take();
    if (batch.empty()) continue;
    // Others may have been woken for jobs that this batch took; one more is enough for the rest.
    if (queued_ > 0) work_waits_.notify_one();
    lock.unlock();
    run(batch);
    lock.lock();
  }
  for (auto& [model, queue] : queues_) {
    for (Queue* waiting : {&queue.interactive, &queue.bulk}) {
      while (!waiting->empty()) {
        const std::shared_ptr<Ticket> ticket = waiting->begin()->second;
        remove(ticket);
        finish_locked(ticket, cancelled());
      }
    }
  }
}

namespace {

VectorRef make_vector(const Batcher::TextJob& job, std::span<const float> values) {
  auto vector = std::make_shared<CachedVector>();
  vector->values.assign(values.begin(), values.end());
  vector->token_count = job.token_count;
  vector->truncated = job.truncated;
  return vector;
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

Error not_finite() {
  return Error{ErrorCode::kInternal, "the model gave a number that is not finite", "not_finite"};
}

}  // namespace

void Batcher::run_alone(const std::shared_ptr<Ticket>& ticket, std::size_t dim) {
  std::vector<float> vector(dim);
  const ModelInput input{ticket->job.ids, ticket->job.types};
  const Status status = ticket->job.model->embed({&input, 1}, vector);
  if (!status.ok()) {
    finish(ticket, status.error());
  } else if (!all_finite(vector)) {
    finish(ticket, not_finite());
  } else {
    finish(ticket, make_vector(ticket->job, vector));
  }
}

void Batcher::run(const Batch& batch) {
  RuntimeModel& model = *batch.front()->job.model;
  const std::size_t dim = model.info().dim;
  std::vector<ModelInput> texts;
  std::size_t tokens = 0;
  for (const std::shared_ptr<Ticket>& ticket : batch) {
    texts.push_back({ticket->job.ids, ticket->job.types});
    tokens += ticket->job.ids.size();
  }
  metrics_.batch_texts.observe(static_cast<double>(batch.size()));
  metrics_.batch_tokens.observe(static_cast<double>(tokens));
  std::vector<float> vectors(batch.size() * dim);
  const Status status = model.embed(texts, vectors);
  if (status.ok() && all_finite(vectors)) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      finish(batch[i], make_vector(batch[i]->job, std::span(vectors).subspan(i * dim, dim)));
    }
    return;
  }
  // One of them fails: each by itself, so that it fails alone.
  for (const std::shared_ptr<Ticket>& ticket : batch) run_alone(ticket, dim);
}

Batcher::Call::Call(Batcher& batcher) : batcher_(batcher) {}

Batcher::Call::~Call() {
  const MutexLock lock(batcher_.mutex_);
  for (const std::shared_ptr<Ticket>& ticket : tickets_) batcher_.leave(*this, ticket, cancelled());
}

std::optional<std::size_t> Batcher::Call::join(const Digest128& key, bool interactive,
                                               Deadline deadline) {
  const MutexLock lock(batcher_.mutex_);
  std::shared_ptr<Ticket> ticket = batcher_.find_locked(key, interactive, deadline);
  if (ticket == nullptr) return std::nullopt;
  ticket->waiters.push_back(this);
  tickets_.push_back(std::move(ticket));
  return tickets_.size() - 1;
}

Result<std::size_t> Batcher::Call::submit(TextJob job) {
  MutexLock lock(batcher_.mutex_);
  const std::size_t tokens = job.ids.size();
  const Deadline deadline = job.deadline;
  for (;;) {
    if (batcher_.stopping_) return cancelled();
    if (std::shared_ptr<Ticket> ticket = batcher_.find_locked(job.key, job.interactive, deadline)) {
      ticket->waiters.push_back(this);
      tickets_.push_back(std::move(ticket));
      return tickets_.size() - 1;
    }
    const ModelQueue& queue = batcher_.queues_[job.model];
    if (queue.tokens == 0 || queue.tokens + tokens <= batcher_.options_.queue_tokens_max) break;
    const bool own = std::any_of(tickets_.begin(), tickets_.end(),
                                 [](const auto& ticket) { return !ticket->done; });
    if (!own) {
      return Error{ErrorCode::kResourceExhausted,
                   "the model's queue holds " + std::to_string(queue.tokens) +
                       " tokens; the limit is " +
                       std::to_string(batcher_.options_.queue_tokens_max),
                   "embedding_queue_full"};
    }
    if (batcher_.clock_.steady_now() >= deadline) return too_late();
    batcher_.clock_.wait_until(changed_, lock.native(), deadline);
  }
  auto ticket = std::make_shared<Ticket>();
  ticket->job = std::move(job);
  ticket->order = {deadline, batcher_.arrivals_++};
  ticket->arrived = batcher_.clock_.steady_now();
  ticket->waiters.push_back(this);
  batcher_.in_flight_.emplace(ticket->job.key, ticket);
  batcher_.enqueue(ticket);
  tickets_.push_back(std::move(ticket));
  batcher_.work_waits_.notify_one();
  return tickets_.size() - 1;
}

Result<VectorRef> Batcher::Call::wait(std::size_t place, Deadline deadline) {
  MutexLock lock(batcher_.mutex_);
  const std::shared_ptr<Ticket> ticket = tickets_[place];
  while (!ticket->done) {
    if (batcher_.clock_.steady_now() >= deadline) {
      batcher_.leave(*this, ticket, too_late());
      return too_late();
    }
    batcher_.clock_.wait_until(changed_, lock.native(), deadline);
  }
  if (!ticket->result->ok()) return ticket->result->error();
  return ticket->result->value();
}

}  // namespace quipu::embed
