// The body of a request, as Beast's parser fills it: in memory, or in a file when it may be larger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <boost/system/error_code.hpp>

#include "quipu/api/service.h"
#include "quipu/base/bytes.h"
#include "quipu/base/file_system.h"

namespace quipu::server {

// A body that is written to the disk while it comes.
struct BodySpool {
  std::shared_ptr<const api::Upload> upload;  // whose file it is
  std::unique_ptr<WritableFile> file;
  Status status = ok_status();  // of the first write that failed
};

// Threads: one at a time.
struct SpooledBody {
  struct value_type {
    std::string text;
    std::unique_ptr<BodySpool> spool;  // set before the first byte of a body that goes to a file
  };

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(boost::beast::http::header<isRequest, Fields>&, value_type& body) : body_(body) {}
    // The length is the peer's word: no memory is taken for it.
    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) {
      error = {};
    }
    template <class ConstBufferSequence>
    std::size_t put(const ConstBufferSequence& buffers, boost::system::error_code& error) {
      error = {};
      std::size_t size = 0;
      for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
        if (!write({static_cast<const char*>(buffer.data()), buffer.size()})) {
          error = make_error_code(boost::system::errc::io_error);
          return size;
        }
        size += buffer.size();
      }
      return size;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    bool write(std::string_view bytes) {
      if (body_.spool == nullptr) {
        body_.text.append(bytes);
        return true;
      }
      body_.spool->status = body_.spool->file->append(as_byte_span(bytes));
      return body_.spool->status.ok();
    }
    value_type& body_;
  };
};

}  // namespace quipu::server
