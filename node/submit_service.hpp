#pragma once

#include "net/rpc/replier.hpp"
#include "node/worker.hpp"

namespace monodon::node {

/// The framed submit: hands the transactions of one request to the worker and answers when the wanted stage
/// is reached, or shortly before the request's deadline with the stages so far. Thread-safe, never blocks.
class SubmitService {
 public:
    /// Keeps a reference to the worker.
    explicit SubmitService(Worker& worker) : worker_(worker) {}
    void answer(const SharedBytes& payload, const net::Replier& replier);

 private:
    Worker& worker_;
};

}  // namespace monodon::node
