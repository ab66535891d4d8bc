#include "net/wire/frame_reader.hpp"

#include <algorithm>
#include <cstring>

namespace monodon::net {

void FrameReader::make_room(std::size_t bytes) {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, pending());
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < bytes) buffer_.resize(end_ + bytes);
}

std::span<Byte> FrameReader::prepare() {
    make_room(kReadBytes);
    return std::span(buffer_).subspan(end_, kReadBytes);
}

void FrameReader::commit(std::size_t bytes) {
    MONODON_CHECK(bytes <= buffer_.size() - end_);
    end_ += bytes;
}

void FrameReader::feed(ByteView bytes) {
    make_room(bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(end_));
    end_ += bytes.size();
}

Expected<std::optional<Frame>, FrameError> FrameReader::next() {
    if (!header_) {
        if (pending() < kFrameHeaderBytes) return std::optional<Frame>{};
        const auto decoded = decode_frame_header(
            std::span<const Byte, kFrameHeaderBytes>(&buffer_[begin_], kFrameHeaderBytes));
        if (!decoded) return Unexpected{decoded.error()};
        header_ = *decoded;
    }
    const std::size_t whole = kFrameHeaderBytes + header_->length;
    if (pending() < whole) return std::optional<Frame>{};
    const Frame frame{*header_, ByteView(buffer_).subspan(begin_ + kFrameHeaderBytes, header_->length)};
    begin_ += whole;
    header_.reset();
    return std::optional<Frame>(frame);
}

}  // namespace monodon::net
