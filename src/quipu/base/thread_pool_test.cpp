#include "quipu/base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace quipu {
namespace {

TEST(ThreadPool, RunsEveryAcceptedTaskOnce) {
  constexpr std::size_t kTasks = 2000;
  std::vector<std::atomic<int>> runs(kTasks);
  {
    ThreadPool pool({.name = "test", .thread_count = 3, .queue_tasks_max = kTasks});
    EXPECT_EQ(pool.thread_count(), 3U);
    for (std::size_t task = 0; task < kTasks; ++task) {
      ASSERT_TRUE(pool.submit([&runs, task] { ++runs[task]; }).ok());
    }
  }
  for (const std::atomic<int>& count : runs) ASSERT_EQ(count.load(), 1);
}

TEST(ThreadPool, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    ThreadPool pool({.name = "test"});
    for (int task = 0; task < 100; ++task) {
      ASSERT_TRUE(pool.submit([&order, task] { order.push_back(task); }).ok());
    }
  }
  ASSERT_EQ(order.size(), 100U);
  for (int task = 0; task < 100; ++task) EXPECT_EQ(order[static_cast<std::size_t>(task)], task);
}

TEST(ThreadPool, RefusesWhatDoesNotFit) {
  ThreadPool pool({.name = "busy", .thread_count = 1, .queue_tasks_max = 2});
  std::latch started(1);
  std::promise<void> go;
  ASSERT_TRUE(pool.submit([&] {
                    started.count_down();
                    go.get_future().wait();
                  })
                  .ok());
  started.wait();
  EXPECT_TRUE(pool.submit([] {}).ok());
  EXPECT_TRUE(pool.submit([] {}).ok());
  EXPECT_EQ(pool.queue_depth(), 2U);
  const Status refused = pool.submit([] {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().reason, "queue_full");
  EXPECT_NE(refused.error().message.find("busy"), std::string::npos);
  go.set_value();
  pool.stop();
  EXPECT_EQ(pool.queue_depth(), 0U);
}

TEST(ThreadPool, StopRunsWhatWasAcceptedAndRefusesTheRest) {
  std::atomic<int> runs = 0;
  ThreadPool pool({.name = "test", .thread_count = 2});
  for (int task = 0; task < 50; ++task) ASSERT_TRUE(pool.submit([&runs] { ++runs; }).ok());
  pool.stop();
  EXPECT_EQ(runs.load(), 50);
  const Status refused = pool.submit([&runs] { ++runs; });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kCancelled);
  pool.stop();
  EXPECT_EQ(runs.load(), 50);
}

TEST(ThreadPool, TasksMaySubmit) {
  std::promise<int> done;
  ThreadPool pool({.name = "test"});
  ASSERT_TRUE(
      pool.submit([&] { ASSERT_TRUE(pool.submit([&done] { done.set_value(5); }).ok()); }).ok());
  EXPECT_EQ(done.get_future().get(), 5);
}

TEST(ThreadPool, StopFromManyThreadsAndSubmitsBesideIt) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> accepted = 0;
    std::atomic<int> ran = 0;
    {
      ThreadPool pool({.name = "test", .thread_count = 2, .queue_tasks_max = 100'000});
      std::vector<std::thread> others;
      for (int index = 0; index < 3; ++index) {
        others.emplace_back([&] {
          for (int task = 0; task < 100; ++task) {
            if (pool.submit([&ran] { ++ran; }).ok()) ++accepted;
          }
          pool.stop();
        });
      }
      for (std::thread& other : others) other.join();
    }
    EXPECT_EQ(ran.load(), accepted.load());
  }
}

TEST(ThreadPool, NamesAndPrioritiesReachTheSystem) {
  std::promise<std::pair<std::string, int>> seen;
  ThreadPool pool({.name = "fifteen-letters", .thread_count = 1, .low_priority = true});
  ASSERT_TRUE(pool.submit([&seen] {
                    char name[16] = {};
                    ::pthread_getname_np(::pthread_self(), name, sizeof(name));
                    seen.set_value({name, ::getpriority(PRIO_PROCESS, 0)});
                  })
                  .ok());
  const auto [name, nice] = seen.get_future().get();
  EXPECT_EQ(name, "fifteen-letters");
  EXPECT_GE(nice, 10);
}

TEST(ThreadPoolDeathTest, MisuseIsABug) {
  EXPECT_DEATH(ThreadPool({.name = "test", .thread_count = 0}), "thread_count > 0");
  EXPECT_DEATH(ThreadPool({.name = "sixteen-letters!"}), "name.size");
  EXPECT_DEATH(
      {
        ThreadPool pool({.name = "test"});
        static_cast<void>(pool.submit([&pool] { pool.stop(); }));
        pool.stop();
      },
      "working_for");
}

}  // namespace
}  // namespace quipu
