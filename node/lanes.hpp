#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

namespace monodon::node {

/// Work for a pool of threads in two lanes: what is urgent goes before all that waits here, within a lane
/// what came first. So a vote waits for the task that is being done, not for megabytes of batches that are to
/// be hashed. Of the others one has its turn after so many: a member whose votes never end, each a signature
/// to check, does not keep batches from being hashed. Who gives work bounds it. Thread-safe; copies share the
/// lanes.
class Lanes {
 public:
    /// Some milliseconds of signatures.
    static constexpr std::size_t kUrgentInARow = 32;

    explicit Lanes(boost::asio::any_io_executor executor);

    void post(std::function<void()> work) const;
    void post_urgent(std::function<void()> work) const;

 private:
    struct State;
    /// Has one of the threads do whatever is first by then.
    void wake() const;

    boost::asio::any_io_executor executor_;
    std::shared_ptr<State> state_;
};

}  // namespace monodon::node
