#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "quipu/cli/app.h"

int main(int argc, char** argv) {
  winsize size{};
  const bool sized = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ||
                     ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  std::ios::sync_with_stdio(false);
  const quipu::cli::Streams streams{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
      .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
      .columns = sized && size.ws_col > 0 ? size.ws_col : std::size_t{80}};
  return quipu::cli::run(std::vector<std::string>(argv + 1, argv + argc), streams);
}
