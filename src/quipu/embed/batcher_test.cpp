// Goal: every text gets its own vector, in whatever company; who is in a hurry goes first; what
// fails or is given up touches nobody else. Method: a runtime whose calls wait at a gate, so that
// the queue is as the test wants it.
#include "quipu/embed/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "quipu/base/rng.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed {
namespace {

using testing::ElementsAre;

constexpr std::uint32_t kDim = 8;

// Holds calls back until it is opened, and notes what they held.
class Gate {
 public:
  Status pass(testing_support::FakeRuntime::Texts texts) {
    std::unique_lock lock(mutex_);
    std::vector<std::uint32_t> firsts;
    for (const auto& text : texts) firsts.push_back(text.ids[0]);
    calls_.push_back(firsts);
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return ok_status();
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_for_calls(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_.size() >= count; });
  }
  std::vector<std::vector<std::uint32_t>> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::vector<std::vector<std::uint32_t>> calls_;
};

class BatcherTest : public testing::Test {
 protected:
  Batcher::TextJob job(std::uint32_t id, std::size_t size, bool interactive = true) {
    Batcher::TextJob out;
    out.model = model_.get();
    out.key = {id, id};
    out.ids.assign(size, 7);
    out.ids[0] = id;
    out.token_count = static_cast<std::uint32_t>(size);
    out.interactive = interactive;
    return out;
  }
  static std::vector<float> expected(std::uint32_t id, std::size_t size) {
    std::vector<std::uint32_t> ids(size, 7);
    ids[0] = id;
    return testing_support::FakeRuntime::vector_of(ids, kDim);
  }
  std::unique_ptr<Batcher> make(std::size_t threads, std::size_t queue_tokens = 100'000) {
    return std::make_unique<Batcher>(
        BatcherOptions{.threads = threads, .queue_tokens_max = queue_tokens}, system_clock(),
        null_metrics(), [](const Digest128&, const VectorRef&) {});
  }
  static constexpr Batcher::Deadline kNever = Batcher::Deadline::max();

  testing_support::FakeRuntime runtime_;
  std::unique_ptr<RuntimeModel> model_ = testing_support::make_fake_model(runtime_, kDim);
};

TEST_F(BatcherTest, EveryTextGetsItsOwnVectorUnderLoad) {
  const auto batcher = make(3);
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int round = 0; round < 30; ++round) {
        Batcher::Call call(*batcher);
        std::vector<std::pair<std::uint32_t, std::size_t>> wanted;
        for (int i = 0; i < 10; ++i) {
          const auto id = static_cast<std::uint32_t>(rng.below(500));
          wanted.emplace_back(id, 1 + id % 40);
          ASSERT_TRUE(call.submit(job(id, 1 + id % 40, rng.below(2) == 0)).ok());
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          const Result<VectorRef> result = call.wait(i, kNever);
          ASSERT_TRUE(result.ok());
          ASSERT_EQ(result.value()->values, expected(wanted[i].first, wanted[i].second));
          ASSERT_EQ(result.value()->token_count, wanted[i].second);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(BatcherTest, InteractiveGoesFirstThenEarliestDeadline) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  runtime_.batch_tokens = 1;  // one text a call
  const auto batcher = make(1);
  Batcher::Call call(*batcher);
  ASSERT_TRUE(call.submit(job(1, 100)).ok());
  gate.wait_for_calls(1);
  const auto now = system_clock().steady_now();
  const auto with_deadline = [&](std::uint32_t id, bool interactive, int hours) {
    Batcher::TextJob out = job(id, 70, interactive);
    out.deadline = now + std::chrono::hours(hours);
    return out;
  };
  ASSERT_TRUE(call.submit(with_deadline(2, false, 1)).ok());
  ASSERT_TRUE(call.submit(with_deadline(3, true, 3)).ok());
  ASSERT_TRUE(call.submit(with_deadline(4, true, 2)).ok());
  ASSERT_TRUE(call.submit(with_deadline(5, false, 9)).ok());
  // Joined by somebody in a hurry, so it moves ahead of the other bulk work.
  ASSERT_TRUE(call.join({5, 5}, true, now + std::chrono::hours(9)).has_value());
  gate.open();
  for (std::size_t i = 0; i < 5; ++i) ASSERT_TRUE(call.wait(i, kNever).ok());
  EXPECT_THAT(gate.calls(), ElementsAre(ElementsAre(1), ElementsAre(4), ElementsAre(3),
                                        ElementsAre(5), ElementsAre(2)));
}

TEST_F(BatcherTest, BulkIsNotStarved) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  runtime_.batch_tokens = 1;
  const auto batcher = make(1);
  Batcher::Call call(*batcher);
  ASSERT_TRUE(call.submit(job(1, 100)).ok());
  gate.wait_for_calls(1);
  ASSERT_TRUE(call.submit(job(2, 70, false)).ok());
  for (std::uint32_t id = 10; id < 30; ++id) ASSERT_TRUE(call.submit(job(id, 70)).ok());
  gate.open();
  for (std::size_t i = 0; i < 22; ++i) ASSERT_TRUE(call.wait(i, kNever).ok());
  const auto calls = gate.calls();
  const auto bulk = std::find(calls.begin(), calls.end(), std::vector<std::uint32_t>{2});
  ASSERT_NE(bulk, calls.end());
  EXPECT_LE(bulk - calls.begin(), 8);
}

TEST_F(BatcherTest, EqualKeysAreComputedOnce) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  const auto batcher = make(2);
  Batcher::Call first(*batcher);
  Batcher::Call second(*batcher);
  ASSERT_TRUE(first.submit(job(1, 5)).ok());
  gate.wait_for_calls(1);
  ASSERT_TRUE(second.join({1, 1}, true, kNever).has_value());
  ASSERT_TRUE(second.submit(job(1, 5)).ok());
  EXPECT_FALSE(second.join({2, 2}, true, kNever).has_value());
  gate.open();
  const Result<VectorRef> a = first.wait(0, kNever);
  const Result<VectorRef> b = second.wait(0, kNever);
  ASSERT_TRUE(a.ok());
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(a.value(), b.value());
  EXPECT_EQ(second.wait(1, kNever).value(), a.value());
  EXPECT_EQ(runtime_.texts, 1);
}

TEST_F(BatcherTest, AFailingTextFailsAlone) {
  runtime_.before_embed = [](testing_support::FakeRuntime::Texts texts) -> Status {
    for (const auto& text : texts) {
      if (text.ids[0] == 13) return Error{ErrorCode::kInternal, "13 is bad luck"};
    }
    return ok_status();
  };
  const auto batcher = make(1);
  Batcher::Call call(*batcher);
  for (std::uint32_t id = 10; id < 20; ++id) ASSERT_TRUE(call.submit(job(id, 4)).ok());
  for (std::uint32_t id = 10; id < 20; ++id) {
    const Result<VectorRef> result = call.wait(id - 10, kNever);
    ASSERT_EQ(result.ok(), id != 13);
    if (result.ok()) {
      EXPECT_EQ(result.value()->values, expected(id, 4));
    } else {
      EXPECT_EQ(result.error().message, "13 is bad luck");
    }
  }
}

TEST_F(BatcherTest, AFullQueueRefusesButLetsACallGoOn) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  const auto batcher = make(1, 100);
  Batcher::Call busy(*batcher);
  ASSERT_TRUE(busy.submit(job(1, 10)).ok());
  gate.wait_for_calls(1);
  // The only one waiting is let in whatever its size, the next is not.
  ASSERT_TRUE(busy.submit(job(2, 500)).ok());
  Batcher::Call other(*batcher);
  const Result<std::size_t> refused = other.submit(job(3, 10));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().reason, "embedding_queue_full");
  // A call that has work in it waits for its own texts instead, up to its deadline.
  Batcher::TextJob late = job(4, 10);
  late.deadline = system_clock().steady_now() + std::chrono::milliseconds(20);
  const Result<std::size_t> timed_out = busy.submit(std::move(late));
  ASSERT_FALSE(timed_out.ok());
  EXPECT_EQ(timed_out.error().code, ErrorCode::kDeadlineExceeded);
  std::thread opener([&] { gate.open(); });
  for (std::uint32_t id = 10; id < 60; ++id) ASSERT_TRUE(busy.submit(job(id, 30)).ok());
  for (std::size_t i = 0; i < 52; ++i) EXPECT_TRUE(busy.wait(i, kNever).ok());
  opener.join();
}

TEST_F(BatcherTest, WhatIsGivenUpLeavesTheQueue) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  const auto batcher = make(1);
  Batcher::Call stays(*batcher);
  ASSERT_TRUE(stays.submit(job(1, 70)).ok());
  gate.wait_for_calls(1);
  const auto soon = system_clock().steady_now() + std::chrono::milliseconds(20);
  {
    Batcher::Call leaves(*batcher);
    ASSERT_TRUE(leaves.submit(job(2, 70)).ok());
    ASSERT_TRUE(leaves.submit(job(3, 70)).ok());
    ASSERT_TRUE(stays.join({3, 3}, true, kNever).has_value());
    const Result<VectorRef> late = leaves.wait(0, soon);
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
    ASSERT_TRUE(leaves.submit(job(4, 70)).ok());
  }
  gate.open();
  EXPECT_TRUE(stays.wait(0, kNever).ok());
  EXPECT_TRUE(stays.wait(1, kNever).ok());
  EXPECT_THAT(gate.calls(), ElementsAre(ElementsAre(1), ElementsAre(3)));
}

TEST_F(BatcherTest, ExpiredTextsAreNotComputed) {
  Gate gate;
  runtime_.before_embed = [&](auto texts) { return gate.pass(texts); };
  const auto batcher = make(1);
  Batcher::Call call(*batcher);
  ASSERT_TRUE(call.submit(job(1, 70)).ok());
  gate.wait_for_calls(1);
  Batcher::TextJob expired = job(2, 70);
  expired.deadline = system_clock().steady_now();
  ASSERT_TRUE(call.submit(std::move(expired)).ok());
  gate.open();
  ASSERT_TRUE(call.wait(0, kNever).ok());
  const Result<VectorRef> result = call.wait(1, kNever);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(runtime_.texts, 1);
}

TEST_F(BatcherTest, NumbersThatAreNotFiniteAreAnError) {
  class Broken final : public RuntimeModel {
   public:
    [[nodiscard]] const Info& info() const noexcept override { return info_; }
    [[nodiscard]] std::size_t batch_tokens() const noexcept override { return 64; }
    Status embed(std::span<const ModelInput> texts, std::span<float> vectors) override {
      std::fill(vectors.begin(), vectors.end(), 1.0F);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (texts[i].ids[0] == 5) vectors[i * kDim] = std::numeric_limits<float>::quiet_NaN();
      }
      return ok_status();
    }

   private:
    Info info_{.dim = kDim, .precision = "f32", .device = "test"};
  };
  Broken broken;
  const auto batcher = make(1);
  Batcher::Call call(*batcher);
  for (std::uint32_t id = 4; id < 7; ++id) {
    Batcher::TextJob one = job(id, 3);
    one.model = &broken;
    ASSERT_TRUE(call.submit(std::move(one)).ok());
  }
  EXPECT_TRUE(call.wait(0, kNever).ok());
  EXPECT_FALSE(call.wait(1, kNever).ok());
  EXPECT_TRUE(call.wait(2, kNever).ok());
}

}  // namespace
}  // namespace quipu::embed
