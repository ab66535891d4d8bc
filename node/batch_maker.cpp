#include "node/batch_maker.hpp"

#include <utility>

namespace monodon::node {

BatchMaker::Open* BatchMaker::room_for(std::size_t transaction_bytes) {
    if (open_.empty() || open_.back().closed) return nullptr;
    Open& last = open_.back();
    const std::size_t bytes =
        last.builder.bytes() + dag::BatchBuilder::kTransactionOverhead + transaction_bytes;
    return bytes <= batch_bytes_ ? &last : nullptr;
}

BatchMaker::Open& BatchMaker::open(BatchHandle handle, Time now) {
    if (!open_.empty()) open_.back().closed = true;
    open_.push_back({{}, handle, now, false});
    return open_.back();
}

void BatchMaker::put_first(Open batch) {
    batch.closed = true;
    open_.push_front(std::move(batch));
}

std::size_t BatchMaker::bytes() const {
    std::size_t bytes = 0;
    for (const Open& open : open_) bytes += open.builder.bytes();
    return bytes;
}

bool BatchMaker::due(Time now, bool idle) const {
    const Open& first = open_.front();
    return first.closed || idle || first.builder.bytes() >= batch_bytes_ || now >= due_at();
}

BatchMaker::Open BatchMaker::take_first() {
    Open first = std::move(open_.front());
    open_.pop_front();
    return first;
}

}  // namespace monodon::node
