#include "quipu/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "quipu/assert.h"

namespace quipu {
namespace {

Error full(std::string message) {
  return Error{
      .code = ErrorCode::kResourceExhausted, .message = std::move(message), .reason = "disk_full"};
}

Result<int> half(int number) {
  if (number % 2 != 0) return full("odd");
  return number / 2;
}

Result<int> quarter(int number) {
  QUIPU_TRY(const int once, half(number));
  QUIPU_TRY(const int twice, half(once));
  return twice;
}

Status must_be_even(int number) {
  QUIPU_TRY_OK(half(number));
  return ok_status();
}

TEST(Result, EveryCodeHasItsOwnStableName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.insert(error_code_name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), 12U);
  // On the wire: these may never change.
  EXPECT_EQ(error_code_name(ErrorCode::kInvalidArgument), "invalid_argument");
  EXPECT_EQ(error_code_name(ErrorCode::kNotFound), "not_found");
  EXPECT_EQ(error_code_name(ErrorCode::kAlreadyExists), "already_exists");
  EXPECT_EQ(error_code_name(ErrorCode::kFailedPrecondition), "failed_precondition");
  EXPECT_EQ(error_code_name(ErrorCode::kResourceExhausted), "resource_exhausted");
  EXPECT_EQ(error_code_name(ErrorCode::kDeadlineExceeded), "deadline_exceeded");
  EXPECT_EQ(error_code_name(ErrorCode::kCancelled), "cancelled");
  EXPECT_EQ(error_code_name(ErrorCode::kUnavailable), "unavailable");
  EXPECT_EQ(error_code_name(ErrorCode::kCorruption), "corruption");
  EXPECT_EQ(error_code_name(ErrorCode::kIo), "io");
  EXPECT_EQ(error_code_name(ErrorCode::kUnimplemented), "unimplemented");
  EXPECT_EQ(error_code_name(ErrorCode::kInternal), "internal");
}

TEST(Result, TheReasonFallsBackToTheCode) {
  EXPECT_EQ(full("x").stable_reason(), "disk_full");
  EXPECT_EQ((Error{.code = ErrorCode::kIo, .message = "x"}).stable_reason(), "io");
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(7).error().reason, "disk_full");
  EXPECT_TRUE(must_be_even(2).ok());
  EXPECT_FALSE(must_be_even(3).ok());
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, TheWrongSideIsABug) {
  const Result<int> good(1);
  const Result<int> bad(full("no"));
  EXPECT_DEATH(static_cast<void>(good.error()), "assertion failed: !ok\\(\\) at .*result\\.h:");
  EXPECT_DEATH(static_cast<void>(bad.value()), "assertion failed: ok\\(\\)");
}

TEST(AssertDeathTest, NamesTheConditionAndThePlace) {
  EXPECT_DEATH(QUIPU_ASSERT(1 + 1 == 3), "1 \\+ 1 == 3 at .*result_test\\.cpp:[0-9]+");
}

}  // namespace
}  // namespace quipu
