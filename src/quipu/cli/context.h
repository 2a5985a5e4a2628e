// What every command gets: the global options, the streams, and one way to send a request.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/cli/backend.h"
#include "quipu/cli/exit_codes.h"
#include "quipu/cli/output.h"
#include "quipu/cli/settings.h"
#include "quipu/embed/embedder.h"
#include "quipu/result.h"

namespace quipu::cli {

// An answer with a 2xx status.
struct Answer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // The body, parsed; empty without one.
  std::optional<JsonDocument> document;
  [[nodiscard]] JsonView json() const { return document->root(); }
};

// Threads: one, but for call(), which any may use once backend() has answered.
class Context {
 public:
  // Borrows all of them. `embedder` null: the one for the configured folders of models.
  Context(const GlobalOptions& globals, const Streams& streams, embed::Embedder* embedder)
      : globals_(globals), streams_(streams), embedder_(embedder) {}
  ~Context();

  [[nodiscard]] const GlobalOptions& globals() const noexcept { return globals_; }
  [[nodiscard]] const Streams& streams() const noexcept { return streams_; }
  [[nodiscard]] std::ostream& out() const { return streams_.out; }
  [[nodiscard]] bool json() const noexcept { return globals_.json; }

  // The configuration: defaults, file, environment, options. Read once.
  [[nodiscard]] Result<const Settings*> settings();

  // The models on this machine; made when first asked for, and then they load when first used.
  [[nodiscard]] Result<embed::Embedder*> embedder();

  // A command that only reads need not make a data folder.
  enum class Need { kReading, kWriting };
  // Opened once: the server of --server; or the folder of --data; or else the configured server
  // when it answers, and the configured data folder when not.
  [[nodiscard]] Result<Backend*> backend(Need need);

  // Sends a request and reads the JSON that comes back. Errors: as Backend::call(), and every
  // status that is not 2xx, with the problem's code as reason and its detail as message.
  [[nodiscard]] Result<Answer> call(Need need, std::string_view method, std::string target,
                                    std::string body = {});

  // Tells of the error on the error stream (as problem JSON with --json) and returns its exit code.
  int fail(const Error& error) const;
  // Prints a JSON document as the only output of a command with --json.
  void print_json(std::string_view document) const;
  // A remark for people, on the error stream; nothing when --quiet.
  void note(std::string_view text) const;
  // Closes the backend; errors become the command's. Returns the exit code to leave with.
  int finish(int exit_code);

 private:
  const GlobalOptions& globals_;
  const Streams& streams_;
  std::optional<Settings> settings_;
  embed::Embedder* embedder_;
  std::unique_ptr<embed::Embedder> owned_embedder_;
  std::unique_ptr<Backend> backend_;
};

// An answer's error, from its status and its problem document.
[[nodiscard]] Error error_of(const api::Response& response);

// `text` as one path segment, percent-encoded.
[[nodiscard]] std::string path_segment(std::string_view text);
[[nodiscard]] std::string collection_path(std::string_view collection);

// A point's or record's id as requests carry it: a number bare, a UUID as a string.
// Errors: kInvalidArgument.
[[nodiscard]] Result<std::string> id_json(std::string_view text);
// The reverse, for people: the number or the UUID.
[[nodiscard]] std::string id_text(std::optional<JsonView> id);

// Members of an answer for printing; "" or 0 when absent.
[[nodiscard]] std::string text_of(const JsonView& object, std::string_view key);
[[nodiscard]] std::uint64_t count_of(const JsonView& object, std::string_view key);
[[nodiscard]] double real_of(const JsonView& object, std::string_view key);
[[nodiscard]] bool flag_of(const JsonView& object, std::string_view key);

}  // namespace quipu::cli
