#include "node/lanes.hpp"

#include <deque>
#include <mutex>
#include <utility>

#include <boost/asio/post.hpp>

namespace monodon::node {

struct Lanes::State {
    std::mutex mutex;
    std::deque<std::function<void()>> urgent;
    std::deque<std::function<void()>> others;
    /// How many of what is urgent went before the others that wait.
    std::size_t in_a_row = 0;

    /// There is one: nobody wakes a thread without having given it work.
    std::function<void()> take() {
        const std::lock_guard lock(mutex);
        const bool turn = urgent.empty() || (!others.empty() && in_a_row >= kUrgentInARow);
        in_a_row = turn || others.empty() ? 0 : in_a_row + 1;
        auto& lane = turn ? others : urgent;
        std::function<void()> work = std::move(lane.front());
        lane.pop_front();
        return work;
    }
};

Lanes::Lanes(boost::asio::any_io_executor executor)
    : executor_(std::move(executor)), state_(std::make_shared<State>()) {}

void Lanes::post(std::function<void()> work) const {
    {
        const std::lock_guard lock(state_->mutex);
        state_->others.push_back(std::move(work));
    }
    wake();
}

void Lanes::post_urgent(std::function<void()> work) const {
    {
        const std::lock_guard lock(state_->mutex);
        state_->urgent.push_back(std::move(work));
    }
    wake();
}

void Lanes::wake() const {
    boost::asio::post(executor_, [state = state_] { state->take()(); });
}

}  // namespace monodon::node
