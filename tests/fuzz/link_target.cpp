#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>

#include "net/transport/outbox.hpp"
#include "net/wire/assembler.hpp"
#include "net/wire/frame_reader.hpp"
#include "tests/fuzz/target.hpp"

// An outbox joined to a reader and an assembler by bytes that the input cuts and interleaves.
namespace monodon::fuzz::link_target {

namespace {

using namespace net;

constexpr std::uint64_t kBudget = 64ULL << 20;
/// Of a message: what a pair of connections would hold must fit into a short run.
constexpr std::size_t kBodyMax = 150'000;

constexpr std::array kNoticeClasses = {MessageClass::consensus, MessageClass::data};

struct Sent {
    std::uint16_t method = 0;
    Bytes body;
};

class Link {
 public:
    void step(Cursor& cursor) {
        switch (cursor.below(8)) {
            case 0:
                return notice(cursor);
            case 1:
                return request(cursor);
            case 2:
                return reply_part(cursor);
            case 3:
                return control(cursor);
            case 4:
                return remove(cursor);
            case 5:
                time_ += std::chrono::milliseconds(cursor.u8());
                return;
            case 6:
                for (std::size_t frames = cursor.below(8); frames > 0; --frames) (void)cut();
                return;
            default:
                return deliver(std::size_t{cursor.u8()} * 300 + 1);
        }
    }

    /// Everything that is under way arrives, and nothing is left anywhere.
    void drain() {
        for (auto& [id, reply] : replies_) {
            if (reply.finished || reply.refused || reply.removed) continue;
            push_part(id, {}, true);
        }
        while (cut()) {
        }
        deliver(wire_.size());
        MONODON_CHECK(outbox_.empty() && reader_.pending() == 0);
        for (std::size_t at = 0; at < kMessageClasses; ++at)
            MONODON_CHECK(outbox_.queued_bytes(static_cast<MessageClass>(at)) == 0);
        MONODON_CHECK(assembler_.unfinished() == 0 && budget_->used() == 0);
        // What is missing was dropped for what is newer.
        for (std::size_t which = 0; which < kNoticeClasses.size(); ++which)
            MONODON_CHECK(notices_[which].size() == dropped_[which]);
        MONODON_CHECK(requests_.empty());
        for (const auto& [id, reply] : replies_)
            MONODON_CHECK(reply.arrived || reply.refused || reply.removed);
    }

 private:
    struct Reply {
        MessageClass message_class = MessageClass::interactive;
        Bytes body;
        bool compress = false;
        bool finished = false;
        bool refused = false;
        bool removed = false;
        bool arrived = false;
    };

    static OutboxLimits limits() {
        OutboxLimits limits;
        limits.queued = {4096, 300'000, 300'000, 300'000, 500'000};
        return limits;
    }

    static SharedBytes body_of(Cursor& cursor) {
        const Byte fill = cursor.u8();
        std::size_t size = cursor.u16();
        if (fill % 4 == 0) size = size * 3 % kBodyMax;
        Bytes body(size);
        for (std::size_t at = 0; at < size; ++at)
            body[at] = static_cast<Byte>(fill + (fill % 2 == 0 ? at / 64 : at * at));
        return std::make_shared<const Bytes>(std::move(body));
    }

    void notice(Cursor& cursor) {
        const std::size_t which = cursor.below(kNoticeClasses.size());
        OutMessage message;
        message.message_class = kNoticeClasses[which];
        message.method = static_cast<std::uint16_t>(1 + cursor.below(4));
        message.body = body_of(cursor);
        const Sent sent{message.method, *message.body};
        const std::uint64_t before = outbox_.dropped(message.message_class);
        const Push pushed = outbox_.push(std::move(message));
        MONODON_CHECK(pushed != Push::overflow);
        // One that is refused counts as dropped itself.
        const bool queued = pushed == Push::queued;
        dropped_[which] += outbox_.dropped(kNoticeClasses[which]) - before - (queued ? 0 : 1);
        if (queued) notices_[which].push_back(sent);
        check_limits();
    }

    void request(Cursor& cursor) {
        constexpr MessageClass kClasses[] = {MessageClass::interactive, MessageClass::data,
                                             MessageClass::bulk};
        OutMessage message;
        message.type = FrameType::request;
        message.message_class = kClasses[cursor.below(3)];
        message.method = 35;
        message.id = next_request_;
        message.body = body_of(cursor);
        message.head = encode(RequestHead{std::chrono::milliseconds(cursor.u16() % 30'000),
                                          static_cast<std::uint32_t>(message.body->size())});
        const Sent sent{message.method, *message.body};
        const MessageClass message_class = message.message_class;
        if (outbox_.push(std::move(message)) == Push::queued)
            requests_.emplace(next_request_, std::pair{message_class, sent});
        next_request_ += 2;
        check_limits();
    }

    void push_part(std::uint64_t id, SharedBytes body, bool last) {
        Reply& reply = replies_.at(id);
        OutMessage part;
        part.type = FrameType::response;
        part.message_class = reply.message_class;
        part.method = 35;
        part.id = id;
        part.compress = reply.compress;
        part.body = body;
        if (outbox_.push_part(std::move(part), last) != Push::queued) {
            MONODON_CHECK(reply.body.empty());
            reply.refused = true;
            return;
        }
        if (body) reply.body.insert(reply.body.end(), body->begin(), body->end());
        reply.finished = last;
    }

    void reply_part(Cursor& cursor) {
        const std::uint64_t id = 2 + 2 * cursor.below(6);
        const Byte flags = cursor.u8();
        Reply& reply = replies_[id];
        if (reply.finished || reply.refused || reply.removed) return;
        if (reply.body.empty()) {
            reply.message_class = (flags & 2U) != 0 ? MessageClass::bulk : MessageClass::interactive;
            reply.compress = (flags & 4U) != 0;
        }
        const SharedBytes body = body_of(cursor);
        // A session counts the bytes of a reply and stops at its limit.
        if (reply.body.size() + body->size() > kMessageBytesMax / 16) return;
        push_part(id, body, (flags & 1U) != 0);
    }

    void control(Cursor& cursor) {
        OutMessage message;
        message.type = cursor.below(2) == 0 ? FrameType::ping : FrameType::pong;
        message.id = cursor.u8();
        (void)outbox_.push(std::move(message));
    }

    /// The peer is told of what it has begun to receive, as a session does.
    void tell(FrameType type, std::uint64_t id) {
        OutMessage message;
        message.type = type;
        message.id = id;
        if (outbox_.push(std::move(message)) == Push::overflow) overflow_ = true;
    }

    void remove(Cursor& cursor) {
        const bool reply = cursor.below(2) == 0;
        if (overflow_) return;
        if (reply) {
            const std::uint64_t id = 2 + 2 * cursor.below(6);
            const auto found = replies_.find(id);
            if (found == replies_.end() || found->second.removed || found->second.refused) return;
            const auto removed = outbox_.remove(FrameType::response, found->second.message_class, id);
            if (removed == Outbox::Removed::nothing) return;
            found->second.removed = true;
            if (removed == Outbox::Removed::in_the_middle) tell(FrameType::error, id);
            return;
        }
        const std::uint64_t id = 1 + 2 * std::uint64_t{cursor.u8()};
        const auto found = requests_.find(id);
        if (found == requests_.end()) return;
        const auto removed = outbox_.remove(FrameType::request, found->second.first, id);
        if (removed == Outbox::Removed::nothing) return;
        if (removed == Outbox::Removed::in_the_middle) tell(FrameType::cancel, id);
        requests_.erase(found);
    }

    bool cut() {
        const auto slice = outbox_.next(time_);
        if (!slice) return false;
        MONODON_CHECK(slice->length + slice->head.size <= kFramePayloadMax);
        slice->append_to(wire_);
        return true;
    }

    void deliver(std::size_t bytes) {
        while (bytes > 0 && !wire_.empty()) {
            const std::size_t piece = std::min({bytes, wire_.size(), FrameReader::kReadBytes});
            reader_.feed(ByteView(wire_).first(piece));
            wire_.erase(wire_.begin(), wire_.begin() + static_cast<std::ptrdiff_t>(piece));
            bytes -= piece;
            for (;;) {
                auto frame = reader_.next();
                MONODON_CHECK(frame.has_value());
                if (!*frame) break;
                on_frame(**frame);
            }
        }
    }

    void on_frame(const Frame& frame) {
        const FrameHeader& header = frame.header;
        if (header.type == FrameType::error) return assembler_.drop(FrameType::response, header.request_id);
        if (header.type == FrameType::cancel) return assembler_.drop(FrameType::request, header.request_id);
        if (!carries_message(header.type)) return;
        if (header.chunk == 0 && header.type == FrameType::notice) {
            MONODON_CHECK(header.request_id > last_notice_);
            last_notice_ = header.request_id;
        }
        if (header.chunk == 0 && header.type == FrameType::request) {
            std::uint64_t& last = last_request_[header.message_class];
            MONODON_CHECK(header.request_id > last);
            last = header.request_id;
        }
        auto added = assembler_.add(frame, kMessageBytesMax);
        MONODON_CHECK(added.has_value());
        if (added->has_value()) on_message(**added);
    }

    void on_message(const Message& message) {
        if (message.type == FrameType::notice) {
            // In order; those before it that never come were dropped.
            const std::size_t which = message.message_class == kNoticeClasses[0] ? 0 : 1;
            auto& queue = notices_[which];
            auto& dropped = dropped_[which];
            const auto matches = [&] {
                return queue.front().method == message.method && queue.front().body == *message.body;
            };
            while (!queue.empty() && !matches()) {
                MONODON_CHECK(dropped > 0);
                --dropped;
                queue.pop_front();
            }
            MONODON_CHECK(!queue.empty());
            queue.pop_front();
        } else if (message.type == FrameType::request) {
            const auto found = requests_.find(message.id);
            MONODON_CHECK(found != requests_.end() && *message.body == found->second.second.body);
            requests_.erase(found);
        } else {
            Reply& reply = replies_.at(message.id);
            MONODON_CHECK(!reply.arrived && reply.finished && *message.body == reply.body);
            reply.arrived = true;
        }
    }

    void check_limits() const {
        const OutboxLimits most = limits();
        for (const MessageClass each : {MessageClass::consensus, MessageClass::data}) {
            MONODON_CHECK(outbox_.queued_bytes(each) <= most.queued[static_cast<std::size_t>(each)]);
        }
    }

    Outbox outbox_{limits()};
    FrameReader reader_;
    std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>(kBudget);
    MessageAssembler assembler_{budget_};
    Bytes wire_;
    Time time_{std::chrono::seconds(1000)};
    /// Queued and not arrived, and how many of them were dropped for newer ones.
    std::array<std::deque<Sent>, kNoticeClasses.size()> notices_;
    std::array<std::uint64_t, kNoticeClasses.size()> dropped_{};
    std::map<std::uint64_t, std::pair<MessageClass, Sent>> requests_;
    std::map<std::uint64_t, Reply> replies_;
    std::map<MessageClass, std::uint64_t> last_request_;
    std::uint64_t next_request_ = 1;
    std::uint64_t last_notice_ = 0;
    bool overflow_ = false;
};

void link(ByteView input) {
    Cursor cursor(input);
    Link link;
    for (int steps = 0; !cursor.empty() && steps < 200; ++steps) link.step(cursor);
    link.drain();
}

std::vector<Seed> link_seeds() {
    return {{"notices", *from_hex("00"
                                  "00"
                                  "01"
                                  "01"
                                  "3000"
                                  "00"
                                  "01"
                                  "03"
                                  "05"
                                  "0010"
                                  "06"
                                  "07"
                                  "07"
                                  "ff")},
            {"long-notice", *from_hex("00"
                                      "01"
                                      "03"
                                      "04"
                                      "ffff"
                                      "06"
                                      "01"
                                      "00"
                                      "00"
                                      "00"
                                      "07"
                                      "2000"
                                      "06"
                                      "07"
                                      "07"
                                      "ff"
                                      "07"
                                      "ff")},
            {"requests", *from_hex("01"
                                   "00"
                                   "03"
                                   "0004"
                                   "1000"
                                   "01"
                                   "02"
                                   "04"
                                   "ff7f"
                                   "1000"
                                   "06"
                                   "02"
                                   "07"
                                   "10"
                                   "04"
                                   "01"
                                   "03"
                                   "06"
                                   "07")},
            {"reply-in-parts", *from_hex("02"
                                         "00"
                                         "00"
                                         "05"
                                         "0010"
                                         "06"
                                         "01"
                                         "02"
                                         "00"
                                         "04"
                                         "08"
                                         "ffff"
                                         "06"
                                         "07"
                                         "07"
                                         "80"
                                         "02"
                                         "00"
                                         "01"
                                         "07"
                                         "1000"
                                         "02"
                                         "01"
                                         "07"
                                         "09"
                                         "00ff")},
            {"removed", *from_hex("02"
                                  "00"
                                  "01"
                                  "08"
                                  "ffff"
                                  "06"
                                  "01"
                                  "04"
                                  "00"
                                  "00"
                                  "03"
                                  "00"
                                  "05"
                                  "07"
                                  "ff")},
            {"superseded", *from_hex("00"
                                     "00"
                                     "01"
                                     "04"
                                     "ffff"
                                     "00"
                                     "00"
                                     "01"
                                     "04"
                                     "ffef"
                                     "00"
                                     "00"
                                     "02"
                                     "04"
                                     "ffdf"
                                     "00"
                                     "00"
                                     "03"
                                     "04"
                                     "ffcf"
                                     "06"
                                     "03"
                                     "05"
                                     "64"
                                     "07"
                                     "ff")}};
}

const Registration kLink{{
    {"link",
     "whatever is pushed, cut and delivered, every message arrives once, whole, in order; nothing "
     "is left in flight",
     512, link, link_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::link_target
