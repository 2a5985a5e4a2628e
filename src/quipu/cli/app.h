// The command line: what there is, what it says of itself, and where each command goes.
#pragma once

#include <string>
#include <vector>

#include "quipu/cli/output.h"
#include "quipu/embed/embedder.h"

namespace quipu::cli {

// Runs one command line (without the program's name) and returns the process's exit code.
// `embedder` null: the models on this machine.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Streams& streams,
                      embed::Embedder* embedder = nullptr);

}  // namespace quipu::cli
