// What the tests of this layer call their tenant and collection, where one is enough.
#pragma once

#include <string_view>

namespace quipu {

inline constexpr std::string_view kTenant = "default";
inline constexpr std::string_view kName = "notes";

}  // namespace quipu
