#include "quipu/cli/command_tree.h"

#include <algorithm>
#include <functional>

#include "quipu/base/format.h"
#include "quipu/base/nearest.h"

namespace quipu::cli {
namespace {

// In single quotes for a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// The first line, without what shells give a meaning to inside of descriptions.
std::string short_text(std::string_view text) {
  std::string out(text.substr(0, text.find('\n')));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '[' || c == ']' || c == ':' || c == '`'; },
      ' ');
  return out;
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : std::string(between)) + word;
  return out;
}

using Visit = std::function<void(const CommandNode&, const std::string& path)>;

// Each command with its path: "quipu", "quipu collection", "quipu collection list".
void walk(const CommandNode& node, const std::string& path, const Visit& visit) {
  visit(node, path);
  for (const CommandNode& child : node.commands) walk(child, path + " " + child.name, visit);
}

std::vector<std::string> option_names(const CommandNode& root, const CommandNode& node) {
  std::vector<std::string> names;
  for (const OptionNode& option : node.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  // The global options go everywhere.
  if (&node != &root) {
    for (const OptionNode& option : root.options) {
      for (const std::string& name : option.names) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
  }
  return names;
}

std::vector<const OptionNode*> options_with_values(const CommandNode& root,
                                                   const CommandNode& node) {
  std::vector<const OptionNode*> found;
  for (const OptionNode& option : node.options) {
    if (option.takes_value) found.push_back(&option);
  }
  if (&node != &root) {
    for (const OptionNode& option : root.options) {
      if (option.takes_value) found.push_back(&option);
    }
  }
  return found;
}

std::string bash_script(const CommandNode& root) {
  std::string cases;
  std::string values;
  std::string known;
  walk(root, root.name, [&](const CommandNode& node, const std::string& path) {
    std::vector<std::string> words;
    for (const CommandNode& child : node.commands) words.push_back(child.name);
    const std::string options = joined(option_names(root, node));
    known += quipu::format("    {}) return 0 ;;\n", shell_quoted(path));
    cases +=
        quipu::format("    {}) words={}; options={}; files={} ;;\n", shell_quoted(path),
                      shell_quoted(joined(words)), shell_quoted(options), node.takes_paths ? 1 : 0);
    for (const OptionNode* option : options_with_values(root, node)) {
      for (const std::string& name : option->names) {
        const std::string choice =
            option->is_path ? "COMPREPLY=($(compgen -f -- \"$current\"))"
                            : quipu::format("COMPREPLY=($(compgen -W {} -- \"$current\"))",
                                            shell_quoted(joined(option->values)));
        values += quipu::format("    {}) {}; return ;;\n", shell_quoted(path + " " + name), choice);
      }
    }
  });
  return "# bash completion for quipu. Load it with: source <(quipu completion bash)\n"
         "_quipu_is_command() {\n  case \"$1\" in\n" +
         known +
         "  esac\n  return 1\n}\n"
         "_quipu() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  local path=quipu words='' options='' files=0 i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    if _quipu_is_command \"$path ${COMP_WORDS[i]}\"; then\n"
         "      path=\"$path ${COMP_WORDS[i]}\"\n"
         "    fi\n"
         "  done\n"
         "  case \"$path $previous\" in\n" +
         values +
         "  esac\n"
         "  case \"$path\" in\n" +
         cases +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "  elif [[ -n $words ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  elif ((files)); then\n"
         "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _quipu quipu\n";
}

std::string zsh_options(const CommandNode& root, const CommandNode& node) {
  std::string lines;
  const auto add = [&](const OptionNode& option) {
    for (const std::string& name : option.names) {
      std::string spec = quipu::format("{}[{}]", name, short_text(option.description));
      if (option.takes_value) {
        const std::string values = option.is_path          ? "_files"
                                   : option.values.empty() ? " "
                                                           : "(" + joined(option.values) + ")";
        spec += ":value:" + values;
      }
      lines += " \\\n    " + shell_quoted(spec);
    }
  };
  for (const OptionNode& option : node.options) add(option);
  if (&node != &root) {
    for (const OptionNode& option : root.options) {
      if (option.names[0] != "--help") add(option);
    }
  }
  return lines;
}

std::string zsh_function(std::string path) {
  std::replace(path.begin(), path.end(), ' ', '_');
  return "_" + path;
}

std::string zsh_script(const CommandNode& root) {
  std::string script =
      "#compdef quipu\n# zsh completion for quipu. Save it as _quipu in a folder of $fpath, or "
      "load "
      "it\n# with: source <(quipu completion zsh)\n";
  walk(root, root.name, [&](const CommandNode& node, const std::string& path) {
    script += zsh_function(path) + "() {\n";
    if (node.commands.empty()) {
      script += "  _arguments -s" + zsh_options(root, node);
      script += node.takes_paths ? " \\\n    '*:path:_files'\n" : "\n";
      script += "}\n";
      return;
    }
    script += "  local context state line\n  _arguments -C" + zsh_options(root, node) +
              " \\\n    '1:command:->command' '*::argument:->arguments'\n  case $state in\n"
              "    command)\n      local -a commands=(\n";
    for (const CommandNode& child : node.commands) {
      script += "        " + shell_quoted(child.name + ":" + short_text(child.description)) + "\n";
    }
    script +=
        "      )\n      _describe command commands ;;\n    arguments)\n      case $line[1] in\n";
    for (const CommandNode& child : node.commands) {
      script +=
          quipu::format("        {}) {} ;;\n", child.name, zsh_function(path + " " + child.name));
    }
    script += "      esac ;;\n  esac\n}\n";
  });
  return script + "if [[ $funcstack[1] == _quipu ]]; then _quipu; else compdef _quipu quipu; fi\n";
}

// Lines for one command: `condition` holds when the cursor is in it.
void fish_lines(const CommandNode& node, const std::string& condition, bool anywhere,
                std::string& script) {
  const std::string when = anywhere ? "" : " -n " + shell_quoted(condition);
  for (const OptionNode& option : node.options) {
    std::string line = "complete -c quipu" + when;
    for (const std::string& name : option.names) {
      line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (option.takes_value) line += " -r";
    if (option.takes_value && !option.is_path) {
      line += " -f -a " + shell_quoted(joined(option.values));
    }
    script += line + " -d " + shell_quoted(short_text(option.description)) + "\n";
  }
}

std::string fish_script(const CommandNode& root) {
  std::string script =
      "# fish completion for quipu. Load it with: quipu completion fish | source\n"
      "complete -c quipu -f\n";
  std::vector<std::string> top;
  for (const CommandNode& child : root.commands) top.push_back(child.name);
  fish_lines(root, "", true, script);
  const std::string none = "not __fish_seen_subcommand_from " + joined(top);
  for (const CommandNode& child : root.commands) {
    script += quipu::format("complete -c quipu -n {} -a {} -d {}\n", shell_quoted(none), child.name,
                            shell_quoted(short_text(child.description)));
    const std::string in_child = "__fish_seen_subcommand_from " + child.name;
    fish_lines(child, in_child, false, script);
    if (child.takes_paths) {
      script += quipu::format("complete -c quipu -n {} -F\n", shell_quoted(in_child));
    }
    std::vector<std::string> below;
    for (const CommandNode& grand : child.commands) below.push_back(grand.name);
    for (const CommandNode& grand : child.commands) {
      script += quipu::format(
          "complete -c quipu -n {} -a {} -d {}\n",
          shell_quoted(in_child + "; and not __fish_seen_subcommand_from " + joined(below)),
          grand.name, shell_quoted(short_text(grand.description)));
      const std::string in_grand = in_child + "; and __fish_seen_subcommand_from " + grand.name;
      fish_lines(grand, in_grand, false, script);
      if (grand.takes_paths) {
        script += quipu::format("complete -c quipu -n {} -F\n", shell_quoted(in_grand));
      }
    }
  }
  return script;
}

const OptionNode* option_of(const CommandNode& node, std::string_view name) {
  for (const OptionNode& option : node.options) {
    if (std::find(option.names.begin(), option.names.end(), name) != option.names.end()) {
      return &option;
    }
  }
  return nullptr;
}

}  // namespace

std::string completion_script(const CommandNode& root, std::string_view shell) {
  if (shell == "bash") return bash_script(root);
  if (shell == "zsh") return zsh_script(root);
  if (shell == "fish") return fish_script(root);
  return {};
}

std::string suggestion(const CommandNode& root, const std::vector<std::string>& arguments) {
  const CommandNode* node = &root;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") return {};
    if (argument.size() > 1 && argument[0] == '-') {
      const std::string name = argument.substr(0, argument.find('='));
      const OptionNode* option = option_of(*node, name);
      if (option == nullptr) option = option_of(root, name);
      if (option != nullptr) {
        if (option->takes_value && name == argument) ++i;
        continue;
      }
      if (!name.starts_with("--")) continue;
      const std::vector<std::string> names = option_names(root, *node);
      const std::vector<std::string_view> known(names.begin(), names.end());
      return did_you_mean(name, known);
    }
    if (node->commands.empty()) continue;
    const auto child =
        std::find_if(node->commands.begin(), node->commands.end(),
                     [&](const CommandNode& command) { return command.name == argument; });
    if (child != node->commands.end()) {
      node = &*child;
      continue;
    }
    std::vector<std::string_view> known;
    for (const CommandNode& command : node->commands) known.push_back(command.name);
    return did_you_mean(argument, known);
  }
  return {};
}

}  // namespace quipu::cli
