// What the process tells its caller. Part of the interface: see docs/cli.md.
#pragma once

#include "quipu/result.h"

namespace quipu::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,       // anything that has no code of its own
  kExitUsage = 2,         // the command line, or the input that it names, cannot be
  kExitNotFound = 3,      // a collection, point, record, model or file that is not there
  kExitUnavailable = 4,   // nobody listens, the data folder is locked, a limit or a deadline
  kExitConflict = 5,      // it exists already, or is not in the state that was asked for
  kExitForbidden = 6,     // not permitted
  kExitInterrupted = 130  // by Ctrl-C
};

[[nodiscard]] ExitCode exit_code_of(const Error& error) noexcept;

}  // namespace quipu::cli
