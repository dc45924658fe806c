// A guest's cable as QEMU sees it: a Unix stream socket on which every frame follows its length in
// four bytes, highest first (`-netdev stream`). Reads many frames at a time, writes what waits in
// one gather write, and never keeps more than limits::link_queue_bytes for a guest that does not
// read.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "harness/lab/frame.h"

namespace tsih::lab {

class LinkSocket {
 public:
  using OnFrame = std::function<void(Frame)>;
  /// `reason` is empty when the other end closed it.
  using OnClosed = std::function<void(std::string reason)>;

  /// Takes over the connected socket `descriptor`.
  LinkSocket(const boost::asio::any_io_executor& executor, int descriptor, OnFrame on_frame,
             OnClosed on_closed);
  ~LinkSocket();
  LinkSocket(const LinkSocket&) = delete;
  LinkSocket& operator=(const LinkSocket&) = delete;

  /// False when the queue is full; the frame is not sent then.
  bool send(const Frame& frame);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tsih::lab
