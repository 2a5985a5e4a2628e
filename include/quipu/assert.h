// Assertions: for what only a bug of Quipu itself can cause, never for input.
#pragma once

namespace quipu {

// Prints where and what to the standard error stream and aborts the process.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace quipu

// Stays on in release builds. One condition each.
#define QUIPU_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::quipu::assertion_failed(#condition, __FILE__, __LINE__))

// For hot loops: checked in debug builds only.
#ifdef NDEBUG
#define QUIPU_DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define QUIPU_DCHECK(condition) QUIPU_ASSERT(condition)
#endif
