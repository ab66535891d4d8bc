#pragma once

#include <optional>

#include "net/wire/frame.hpp"

namespace monodon::net {

/// A whole frame. The payload points into the reader and is valid until its next prepare() or feed().
struct Frame {
    FrameHeader header;
    ByteView payload;
};

/// Cuts a stream of bytes into frames, without doing any I/O. A header is judged as soon as its 24 bytes are
/// there. The buffer grows by what was received, never by what a header declares, and never beyond one frame
/// and one read. Not thread-safe.
class FrameReader {
 public:
    /// The most that is read at once: one TLS record.
    static constexpr std::size_t kReadBytes = 16 * 1024;

    /// Room of kReadBytes for the next read. Every frame must have been taken by next() before.
    [[nodiscard]] std::span<Byte> prepare();
    /// So many bytes of the room were filled.
    void commit(std::size_t bytes);
    /// Copies the bytes in: for those who have no say in where they are read to.
    void feed(ByteView bytes);

    /// The next whole frame, nothing if more bytes are needed, or why the stream is broken for good.
    [[nodiscard]] Expected<std::optional<Frame>, FrameError> next();

    /// Received bytes that belong to no whole frame yet.
    [[nodiscard]] std::size_t pending() const { return end_ - begin_; }

 private:
    void make_room(std::size_t bytes);

    Bytes buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    /// The header at begin_, once judged.
    std::optional<FrameHeader> header_;
};

}  // namespace monodon::net
