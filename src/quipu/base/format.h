// quipu::format: std::format's syntax, checked at compile time, by {fmt} (g++ 12 has no <format>).
#pragma once

#include <fmt/core.h>

namespace quipu {
using fmt::format;
}
