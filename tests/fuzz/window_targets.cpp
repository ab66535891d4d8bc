#include <deque>
#include <map>
#include <set>

#include "net/rpc/request_window.hpp"
#include "net/rpc/served_requests.hpp"
#include "net/wire/request_head.hpp"
#include "tests/fuzz/target.hpp"

// The two ends of requests: one driven by arbitrary frames, and an honest pair of them.
namespace monodon::fuzz::window_targets {

namespace {

using namespace net;

constexpr WindowLimits kLimits{6, 3, 2, 1 << 20};
constexpr Time kStart{std::chrono::seconds(1000)};
const SharedBytes kMegabyte = std::make_shared<const Bytes>(1 << 20);
constexpr MessageClass kClasses[] = {MessageClass::interactive, MessageClass::bulk, MessageClass::data};

std::uint32_t limit_of(MessageClass message_class) {
    if (message_class == MessageClass::interactive) return kLimits.interactive;
    return message_class == MessageClass::bulk ? kLimits.bulk : kLimits.total;
}

// ---- the asking side

class Asking {
 public:
    explicit Asking(bool dialler) : dialler_(dialler), window_(dialler, kLimits) {}

    void step(Cursor& cursor) {
        switch (cursor.below(7)) {
            case 0:
            case 1:
                add(cursor);
                break;
            case 2:
                start();
                break;
            case 3:
                answer(cursor.u8());
                break;
            case 4:
                end(window_.cancel(cursor.u8(), time_));
                break;
            case 5:
                time_ += std::chrono::milliseconds(std::uint64_t{cursor.u8()} * 400);
                for (const auto& ended : window_.expire(time_)) end(ended);
                MONODON_CHECK(window_.next_due() > time_);
                break;
            default:
                forget(cursor.u8());
        }
        check();
    }

    /// Every request that was taken has ended once, or is still known.
    void finish() {
        std::set<std::uint64_t> left;
        for (const std::uint64_t handle : window_.clear()) MONODON_CHECK(left.insert(handle).second);
        MONODON_CHECK(left == alive_);
        MONODON_CHECK(window_.open() == 0 && window_.waiting() == 0 && window_.next_due() == Time::max());
    }

 private:
    void add(Cursor& cursor) {
        WantedRequest request;
        request.handle = next_handle_;
        request.message_class = kClasses[cursor.below(3)];
        request.method = Method::get_batches;
        request.body = cursor.below(4) == 0 ? kMegabyte : nullptr;
        request.deadline = time_ + std::chrono::milliseconds(std::uint64_t{cursor.u8()} * 100 + 1);
        const bool full = window_.waiting() >= kWaitingMax;
        const bool added = window_.add(request);
        MONODON_CHECK(!(full && added));
        if (added) alive_.insert(next_handle_++);
    }

    void start() {
        while (const auto started = window_.next_start(time_)) {
            MONODON_CHECK(started->id > last_id_ && (started->id % 2 == 1) == dialler_);
            last_id_ = started->id;
            MONODON_CHECK(alive_.contains(started->request.handle));
            open_[started->id] = {started->request.handle, started->request.message_class};
        }
    }

    void answer(std::uint64_t id) {
        const auto kind = window_.classify(id);
        const auto open = open_.find(id);
        MONODON_CHECK((kind == RequestWindow::Reply::expected) == (open != open_.end()));
        MONODON_CHECK((kind == RequestWindow::Reply::late) == closed_.contains(id));
        MONODON_CHECK((window_.find(id) != nullptr) == (open != open_.end()));
        const std::uint64_t late = window_.late_replies();
        window_.complete(id);
        MONODON_CHECK(window_.late_replies() == late + (closed_.erase(id) > 0 ? 1 : 0));
        if (open == open_.end()) return;
        MONODON_CHECK(alive_.erase(open->second.first) == 1);
        open_.erase(open);
    }

    void end(const std::optional<RequestWindow::Ended>& ended) {
        if (!ended) return;
        MONODON_CHECK(alive_.erase(ended->handle) == 1);
        if (!ended->id) return;
        MONODON_CHECK(open_.erase(*ended->id) == 1);
        closed_[*ended->id] = time_;
    }

    void forget(std::uint64_t id) {
        window_.forget(id);
        closed_.erase(id);
    }

    void check() {
        std::erase_if(closed_, [&](const auto& each) {
            return time_ - each.second >= kClosedKept &&
                   window_.classify(each.first) == RequestWindow::Reply::unsolicited;
        });
        MONODON_CHECK(closed_.size() <= kClosedMax + kLimits.total);
        MONODON_CHECK(window_.open() == open_.size() && open_.size() <= kLimits.total);
        MONODON_CHECK(window_.waiting() <= kWaitingMax);
        MONODON_CHECK(window_.waiting() + window_.open() == alive_.size());
        std::map<MessageClass, std::uint32_t> by_class;
        for (const auto& [id, open] : open_) {
            MONODON_CHECK(++by_class[open.second] <= limit_of(open.second));
        }
    }

    bool dialler_;
    RequestWindow window_;
    Time time_ = kStart;
    std::uint64_t next_handle_ = 1;
    std::uint64_t last_id_ = 0;
    std::set<std::uint64_t> alive_;
    std::map<std::uint64_t, std::pair<std::uint64_t, MessageClass>> open_;
    std::map<std::uint64_t, Time> closed_;
};

// ---- the answering side

void serve_anything(Cursor& cursor, bool dialler) {
    ServedRequests served(dialler, kLimits);
    std::map<std::uint64_t, MessageClass> open;
    std::map<MessageClass, std::uint64_t> last;
    Time time = kStart;
    while (!cursor.empty()) {
        const std::size_t action = cursor.below(4);
        const std::uint64_t id = cursor.u8();
        if (action <= 1) {
            const MessageClass message_class = kClasses[cursor.below(3)];
            std::uint32_t same_class = 0;
            for (const auto& [other, of] : open) same_class += of == message_class ? 1 : 0;
            const bool allowed = (id % 2 == 1) == dialler && id > last[message_class] && !open.contains(id) &&
                                 open.size() < kLimits.total && same_class < limit_of(message_class);
            MONODON_CHECK(served.begin(id, message_class, time).has_value() == !allowed);
            if (!allowed) continue;
            open[id] = message_class;
            last[message_class] = id;
            MONODON_CHECK(served.begun(id, message_class));
        } else if (action == 2) {
            MONODON_CHECK((served.find(id) != nullptr) == open.contains(id));
            MONODON_CHECK(served.take(id).has_value() == (open.erase(id) == 1));
        } else {
            time += std::chrono::milliseconds(id * 200);
            for (const ServedRequest& expired : served.expire(time))
                MONODON_CHECK(open.erase(expired.id) == 1);
            MONODON_CHECK(served.next_due() > time && served.next_due() <= Time::max());
        }
        MONODON_CHECK(served.open() == open.size());
    }
    MONODON_CHECK(served.clear().size() == open.size() && served.open() == 0);
}

// ---- both, joined

/// A frame between them. Control overtakes the others, as in an outbox.
struct Parcel {
    FrameType type = FrameType::request;
    std::uint64_t id = 0;
    MessageClass message_class = MessageClass::control;
};

class Pair {
 public:
    void step(Cursor& cursor) {
        switch (cursor.below(8)) {
            case 0:
            case 1:
                ask(cursor);
                break;
            case 2:
                give_up(window_.cancel(cursor.u8(), time_));
                break;
            case 3:
                // Less than what is remembered of a closed id, all together.
                if (time_ < kStart + std::chrono::seconds(45))
                    time_ += std::chrono::milliseconds(std::uint64_t{cursor.u8()} * 20);
                pass_time();
                break;
            case 4:
                to_server(cursor.below(kMessageClasses));
                break;
            case 5:
                to_client(cursor.below(kMessageClasses));
                break;
            case 6:
                answer(cursor.below(8));
                break;
            default:
                to_server(0);
                to_client(0);
        }
        start();
    }

    void drain() {
        while (window_.open() + window_.waiting() > 0 || !requests_empty() || served_.open() > 0) {
            for (std::size_t each = 0; each < kMessageClasses; ++each) to_server(each);
            while (served_.open() > 0) answer(0);
            for (std::size_t each = 0; each < kMessageClasses; ++each) to_client(each);
            start();
        }
        MONODON_CHECK(handles_.empty());
    }

 private:
    using Queues = std::array<std::deque<Parcel>, kMessageClasses>;

    bool requests_empty() const {
        return std::all_of(out_.begin(), out_.end(), [](const auto& queue) { return queue.empty(); });
    }

    void ask(Cursor& cursor) {
        WantedRequest request;
        request.handle = next_handle_++;
        request.message_class = kClasses[cursor.below(3)];
        request.method = Method::get_batches;
        request.deadline = time_ + std::chrono::milliseconds(std::uint64_t{cursor.u8()} * 50 + 1);
        if (window_.add(request)) handles_.insert(request.handle);
    }

    void start() {
        while (const auto started = window_.next_start(time_)) {
            const MessageClass message_class = started->request.message_class;
            queue(out_, message_class).push_back({FrameType::request, started->id, message_class});
        }
    }

    static std::deque<Parcel>& queue(Queues& queues, MessageClass message_class) {
        return queues[static_cast<std::size_t>(message_class)];
    }

    void give_up(const std::optional<RequestWindow::Ended>& ended) {
        if (!ended) return;
        MONODON_CHECK(handles_.erase(ended->handle) == 1);
        if (!ended->id) return;
        const bool unsent = std::erase_if(queue(out_, ended->message_class),
                                          [&](const Parcel& parcel) { return parcel.id == *ended->id; }) > 0;
        if (unsent) return window_.forget(*ended->id);
        queue(out_, MessageClass::control).push_back({FrameType::cancel, *ended->id, MessageClass::control});
    }

    void pass_time() {
        for (const auto& ended : window_.expire(time_)) give_up(ended);
        for (const ServedRequest& expired : served_.expire(time_)) refuse(expired.id);
    }

    void refuse(std::uint64_t id) {
        queue(back_, MessageClass::control).push_back({FrameType::error, id, MessageClass::control});
    }

    static std::optional<Parcel> next(Queues& queues, std::size_t first) {
        // Control before all others; of those the input says which.
        for (std::size_t at = 0; at <= queues.size(); ++at) {
            auto& queue = at == 0 ? queues[0] : queues[(first + at - 1) % queues.size()];
            if (queue.empty()) continue;
            const Parcel parcel = queue.front();
            queue.pop_front();
            return parcel;
        }
        return std::nullopt;
    }

    void to_server(std::size_t first) {
        const auto parcel = next(out_, first);
        if (!parcel) return;
        if (parcel->type == FrameType::cancel) {
            if (served_.take(parcel->id)) refuse(parcel->id);
            return;
        }
        // An honest peer never breaks a rule.
        MONODON_CHECK(!served_.begin(parcel->id, parcel->message_class, time_));
        being_served_.push_back(parcel->id);
    }

    void answer(std::size_t which) {
        std::erase_if(being_served_, [&](std::uint64_t id) { return served_.find(id) == nullptr; });
        if (being_served_.empty()) return;
        const std::uint64_t id = being_served_[which % being_served_.size()];
        const auto request = served_.take(id);
        MONODON_CHECK(request.has_value());
        queue(back_, request->message_class).push_back({FrameType::response, id, request->message_class});
    }

    void to_client(std::size_t first) {
        const auto parcel = next(back_, first);
        if (!parcel) return;
        const auto kind = window_.classify(parcel->id);
        MONODON_CHECK(kind != RequestWindow::Reply::unsolicited);
        if (kind == RequestWindow::Reply::expected)
            MONODON_CHECK(handles_.erase(window_.find(parcel->id)->handle) == 1);
        window_.complete(parcel->id);
    }

    RequestWindow window_{true, kLimits};
    ServedRequests served_{true, kLimits};
    Queues out_;
    Queues back_;
    std::vector<std::uint64_t> being_served_;
    std::set<std::uint64_t> handles_;
    std::uint64_t next_handle_ = 1;
    Time time_ = kStart;
};

void request_rules(ByteView input) {
    Cursor cursor(input);
    const Byte mode = cursor.u8();
    if (mode % 2 == 0) return serve_anything(cursor, mode % 4 == 0);
    Asking asking(mode % 4 == 1);
    while (!cursor.empty()) asking.step(cursor);
    asking.finish();
}

void request_pair(ByteView input) {
    Cursor cursor(input);
    Pair pair;
    while (!cursor.empty()) pair.step(cursor);
    pair.drain();
}

std::vector<Seed> rule_seeds() {
    return {{"served", *from_hex("00"
                                 "000100"
                                 "000300"
                                 "010501"
                                 "0201"
                                 "03c8"
                                 "000700")},
            {"served-even", *from_hex("02"
                                      "000200"
                                      "000400"
                                      "000100"
                                      "0202"
                                      "000200")},
            {"asking", *from_hex("01"
                                 "00000110"
                                 "00010220"
                                 "02"
                                 "0301"
                                 "0402"
                                 "0510"
                                 "0303")},
            {"asking-late", *from_hex("03"
                                      "00000101"
                                      "02"
                                      "05ff"
                                      "0302"
                                      "00000101"
                                      "02"
                                      "0604"
                                      "05ff05ff")}};
}

std::vector<Seed> pair_seeds() {
    return {{"answered", *from_hex("000010"
                                   "010120"
                                   "0400"
                                   "0401"
                                   "0600"
                                   "0500"
                                   "07")},
            {"cancelled", *from_hex("0000ff"
                                    "0400"
                                    "0201"
                                    "0400"
                                    "0500"
                                    "0000ff"
                                    "07")},
            {"crowded", *from_hex("0000ff"
                                  "0000ff"
                                  "0000ff"
                                  "0000ff"
                                  "0001ff"
                                  "0001ff"
                                  "0001ff"
                                  "0002ff"
                                  "0002ff"
                                  "0402"
                                  "0402"
                                  "0404"
                                  "0601"
                                  "0505"
                                  "0201"
                                  "0304"
                                  "07"
                                  "07")},
            {"late", *from_hex("000001"
                               "0400"
                               "03ff"
                               "0600"
                               "0500"
                               "0400"
                               "0500")}};
}

const Registration kWindows{{
    {"request_rules", "each end keeps its window, ids, queue and deadlines whatever frames come", 1024,
     request_rules, rule_seeds},
    {"request_pair", "an honest pair never breaks a rule of the other, and every request ends once", 1024,
     request_pair, pair_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::window_targets
