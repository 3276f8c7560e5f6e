// SPDX-License-Identifier: BSD-2-Clause
#include "ipc/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <utility>

#include "ipc/codec.hpp"

namespace mcast::ipc {

Connection::Connection(std::shared_ptr<ConnectionOwner> owner, Socket socket)
    : owner_(std::move(owner)),
      socket_(std::move(socket)),
      stalled_(socket_.get_executor()),
      session_(std::in_place, owner_->handler(), owner_->limits().rows_per_reply) {}

Connection::~Connection() {
  owner_->account(-static_cast<std::ptrdiff_t>(input_.size()));
}

Connection::Clock::time_point Connection::silent_since() const {
  return busy_ || !input_.empty() ? Clock::time_point::max() : last_active_;
}

void Connection::drop(std::string_view why) {
  if (!session_) return;
  owner_->handler().note(fmt::format("control client dropped: {}", why));
  end();
}

void Connection::end() {
  const auto self = shared_from_this();
  close();
  owner_->gone(self);
}

void Connection::close() {
  // Lists belong to the handler: they go before it does.
  session_.reset();
  asio::error_code ignored;
  socket_.close(ignored);
  stalled_.cancel();
}

void Connection::wait_for_request() {
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const asio::error_code& error) {
    if (!self->session_) return;
    error ? self->end() : self->read();
  });
}

void Connection::read() {
  const auto scratch = owner_->scratch();
  asio::error_code error;
  const std::size_t count = socket_.read_some(asio::buffer(scratch.data(), scratch.size()), error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    wait_for_request();
    return;
  }
  if (error && error != asio::error::eof) {
    end();
    return;
  }
  last_active_ = Clock::now();
  end_of_input_ = error == asio::error::eof;
  input_.append(scratch.data(), count);
  if (!owner_->account(static_cast<std::ptrdiff_t>(count))) {
    refuse(
        {{ErrorCode::limit_reached,
          fmt::format("all clients together have sent more than {} bytes of unfinished requests; "
                      "try again later",
                      owner_->limits().total_bytes)},
         {},
         {}});
    return;
  }
  process();
}

void Connection::refuse(const Failure& failure) {
  refused_ = true;
  busy_ = true;
  output_ = encode_failure(failure);
  output_.push_back('\0');
  written_ = 0;
  write();
}

void Connection::process() {
  const std::size_t end = input_.find('\0', std::max(begin_, scanned_));
  if (end != std::string::npos) {
    busy_ = true;
    forget_progress();
    const std::string_view message = std::string_view(input_).substr(begin_, end - begin_);
    session_->call(message);
    begin_ = end + 1;
    send_next();
    return;
  }
  owner_->account(-static_cast<std::ptrdiff_t>(begin_));
  input_.erase(0, std::exchange(begin_, 0));
  scanned_ = input_.size();
  if (input_.empty()) input_.shrink_to_fit();
  if (end_of_input_) {
    this->end();
  } else if (input_.size() > owner_->limits().request_bytes) {
    refuse(
        {{ErrorCode::limit_reached, fmt::format("a request may have at most {} bytes; send it in "
                                                "parts",
                                                owner_->limits().request_bytes)},
         {},
         {}});
  } else {
    input_.empty() ? forget_progress() : watch_progress();
    wait_for_request();
  }
}

void Connection::send_next() {
  auto reply = session_->next_reply();
  if (reply) {
    output_ = std::move(*reply);
    written_ = 0;
    write();
    return;
  }
  output_.clear();
  output_.shrink_to_fit();
  busy_ = false;
  last_active_ = Clock::now();
  if (session_->hopeless()) {
    end();
    return;
  }
  // Others first, however many requests this client sent at once.
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->session_) self->process();
  });
}

void Connection::write() {
  watch_progress();
  socket_.async_write_some(
      asio::buffer(output_.data() + written_, output_.size() - written_),
      [self = shared_from_this()](const asio::error_code& error, std::size_t count) {
        if (!self->session_) return;
        self->written_ += count;
        if (error) {
          self->end();
        } else if (self->written_ < self->output_.size()) {
          self->write();
        } else if (self->refused_) {
          self->end();
        } else {
          self->forget_progress();
          self->send_next();
        }
      });
}

void Connection::watch_progress() {
  stalled_.expires_after(owner_->limits().stalled);
  stalled_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (cancelled || !self->session_) return;
    // A timer that had fired before it was set anew is not this one.
    if (self->stalled_.expiry() > Clock::now()) return;
    self->drop(self->busy_ ? "it does not read its reply" : "it does not finish its request");
  });
}

void Connection::forget_progress() {
  stalled_.cancel();
  stalled_.expires_at(Clock::time_point::max());
}

}  // namespace mcast::ipc
