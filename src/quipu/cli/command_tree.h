// The commands as a plain tree, for shell completion and for guessing what was meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quipu::cli {

struct OptionNode {
  std::vector<std::string> names;  // "--json", "-k"
  std::string description;
  bool takes_value = false;
  std::vector<std::string> values;  // what it takes, when that is a short list
  bool is_path = false;
};
struct CommandNode {
  std::string name;
  std::string description;
  std::vector<OptionNode> options;
  std::vector<CommandNode> commands;
  bool takes_paths = false;  // its positional arguments are files or folders
};

// A completion script of `shell` ("bash", "zsh", "fish") for the tree; "" for other shells.
[[nodiscard]] std::string completion_script(const CommandNode& root, std::string_view shell);

// For a command line that could not be understood: "did you mean ...?" for its first unknown
// command or option; "" when nothing is near.
[[nodiscard]] std::string suggestion(const CommandNode& root,
                                     const std::vector<std::string>& arguments);

}  // namespace quipu::cli
