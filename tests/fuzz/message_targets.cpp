#include <map>
#include <optional>

#include "net/wire/assembler.hpp"
#include "net/wire/compression.hpp"
#include "net/wire/pack.hpp"
#include "net/wire/request_head.hpp"
#include "tests/fuzz/target.hpp"

// How frames become messages, and the form of their payloads.
namespace monodon::fuzz::message_targets {

namespace {

using namespace net;

// ---- chunks to messages

constexpr std::uint64_t kBudget = 200'000;

/// By method: a session takes it from the table of methods.
std::size_t most_of(std::uint16_t method) {
    constexpr std::size_t kMost[] = {0, 64, 1000, 70'000, 300'000};
    return kMost[method % std::size(kMost)];
}

/// What the chunks of a message amount to, without limits and budgets.
struct Chunks {
    std::uint16_t method = 0;
    MessageClass message_class = MessageClass::control;
    std::uint32_t next_chunk = 0;
    Bytes body;
};

class Assembly {
 public:
    /// False if the stream is over.
    bool step(Cursor& cursor) {
        FrameHeader header;
        header.type = kTypes[cursor.below(3)];
        header.flags = static_cast<std::uint8_t>(cursor.u8() & 3U);
        header.message_class = static_cast<MessageClass>(1 + cursor.below(4));
        header.method = static_cast<std::uint16_t>(1 + cursor.below(4));
        header.request_id = 1 + cursor.below(200);
        header.chunk = cursor.u8();
        const Bytes payload = payload_of(cursor);
        header.length = static_cast<std::uint32_t>(payload.size());
        // Only what a reader lets through comes here.
        if (!decode_frame_header(encode(header))) return true;
        return add({header, payload});
    }

    ~Assembly() {
        std::uint64_t held = 0;
        for (const Message& message : kept_) held += message.memory.bytes();
        if (assembler_->unfinished() == 0) MONODON_CHECK(budget_->used() == held);
        assembler_.reset();
        MONODON_CHECK(budget_->used() == held);
        kept_.clear();
        MONODON_CHECK(budget_->used() == 0);
    }
    Assembly() = default;
    Assembly(const Assembly&) = delete;
    Assembly& operator=(const Assembly&) = delete;

 private:
    static constexpr FrameType kTypes[] = {FrameType::notice, FrameType::response, FrameType::request};

    /// Bytes of the input, or a long run of one of them.
    static Bytes payload_of(Cursor& cursor) {
        const std::uint8_t size = cursor.u8();
        if (size < 128) return copy_of(cursor.take(size));
        const Bytes run(std::size_t{cursor.u16()} + 1, size);
        if (size % 2 == 0) return run;
        return compress_chunk(run).value_or(run);
    }

    bool add(const Frame& frame) {
        const FrameHeader& header = frame.header;
        const std::pair key{header.type, header.request_id};
        const auto found = model_.find(key);
        const bool continues = found == model_.end()
                                   ? header.chunk == 0
                                   : header.chunk == found->second.next_chunk &&
                                         header.method == found->second.method &&
                                         header.message_class == found->second.message_class;
        auto added = assembler_->add(frame, most_of(header.method));
        MONODON_CHECK(budget_->used() <= kBudget);
        MONODON_CHECK(assembler_->unfinished() <= MessageAssembler::kUnfinishedMax);
        if (!added) {
            MONODON_CHECK(!name(added.error()).empty());
            if (!continues) MONODON_CHECK(added.error() == AssemblyError::out_of_order);
            return false;
        }
        MONODON_CHECK(continues);
        Chunks& expected = model_[key];
        expected.method = header.method;
        expected.message_class = header.message_class;
        ++expected.next_chunk;
        append(frame, expected);
        MONODON_CHECK(added->has_value() == header.last());
        MONODON_CHECK(assembler_->unfinished(header.type, header.request_id) == !header.last());
        if (!added->has_value()) return true;
        finish(**added, header, expected);
        model_.erase(key);
        return true;
    }

    static void append(const Frame& frame, Chunks& expected) {
        ByteView payload = frame.payload;
        if (frame.header.type == FrameType::request && frame.header.chunk == 0) {
            std::size_t size = 0;
            MONODON_CHECK(decode_request_head(payload, size));
            payload = payload.subspan(size);
        }
        if (frame.header.compressed()) {
            MONODON_CHECK(decompress_chunk(payload, kFramePayloadMax, expected.body));
        } else {
            expected.body.insert(expected.body.end(), payload.begin(), payload.end());
        }
    }

    void finish(Message& message, const FrameHeader& header, const Chunks& expected) {
        MONODON_CHECK(message.type == header.type && message.id == header.request_id);
        MONODON_CHECK(message.method == header.method && message.message_class == header.message_class);
        MONODON_CHECK(*message.body == expected.body);
        MONODON_CHECK(message.body->size() <= most_of(header.method));
        MONODON_CHECK(message.memory.bytes() >= message.body->size());
        MONODON_CHECK(message.deadline <= kRequestDeadlineMax);
        if (kept_.size() < 8) kept_.push_back(std::move(message));
    }

    std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>(kBudget);
    std::optional<MessageAssembler> assembler_{budget_};
    std::map<std::pair<FrameType, std::uint64_t>, Chunks> model_;
    std::vector<Message> kept_;
};

void chunks(ByteView input) {
    Cursor cursor(input);
    Assembly assembly;
    while (!cursor.empty() && assembly.step(cursor)) {
    }
}

std::vector<Seed> chunk_seeds() {
    // type, flags, class, method, id, chunk, size, bytes: see step().
    return {{"one-notice", *from_hex("00"
                                     "01"
                                     "00"
                                     "00"
                                     "00"
                                     "00"
                                     "04"
                                     "01020304")},
            {"two-chunks", *from_hex("01"
                                     "00"
                                     "01"
                                     "01"
                                     "05"
                                     "00"
                                     "03"
                                     "aabbcc"
                                     "01"
                                     "01"
                                     "01"
                                     "01"
                                     "05"
                                     "01"
                                     "02"
                                     "ddee")},
            {"interleaved", *from_hex("01"
                                      "00"
                                      "03"
                                      "02"
                                      "05"
                                      "00"
                                      "80"
                                      "0010"
                                      "00"
                                      "00"
                                      "00"
                                      "02"
                                      "06"
                                      "00"
                                      "82"
                                      "0020"
                                      "01"
                                      "01"
                                      "03"
                                      "02"
                                      "05"
                                      "01"
                                      "00"
                                      "00"
                                      "01"
                                      "00"
                                      "02"
                                      "06"
                                      "01"
                                      "01"
                                      "ff")},
            {"compressed", *from_hex("01"
                                     "03"
                                     "03"
                                     "02"
                                     "07"
                                     "00"
                                     "81"
                                     "e803")},
            {"request", *from_hex("02"
                                  "01"
                                  "01"
                                  "01"
                                  "02"
                                  "00"
                                  "08"
                                  "9232c403616263"
                                  "00")},
            {"too-large", *from_hex("00"
                                    "01"
                                    "00"
                                    "00"
                                    "00"
                                    "00"
                                    "80"
                                    "ff00")}};
}

// ---- msgpack

/// One value of a payload, arrays before their items.
struct Token {
    enum class Kind : std::uint8_t { array, u64, i64, boolean, nil, text, bin } kind = Kind::nil;
    std::uint64_t number = 0;
    ByteView bytes;
};

/// The form that payloads may have, written down a second time.
class Reference {
 public:
    Reference(ByteView payload, std::uint32_t items) : rest_(payload), items_(items) {}
    /// False unless the payload is one value.
    bool read(std::vector<Token>& out) { return value(out, 0) && rest_.empty(); }

 private:
    bool number(std::size_t bytes, std::uint64_t& value) {
        if (rest_.size() < bytes) return false;
        value = 0;
        for (std::size_t at = 0; at < bytes; ++at) value = value << 8U | rest_[at];
        rest_ = rest_.subspan(bytes);
        return true;
    }
    bool piece(std::vector<Token>& out, Token::Kind kind, std::uint64_t size) {
        if (rest_.size() < size) return false;
        out.push_back({kind, 0, rest_.first(size)});
        rest_ = rest_.subspan(size);
        return true;
    }
    bool array(std::vector<Token>& out, std::uint64_t items, unsigned depth) {
        if (depth >= kPackDepthMax || items > items_) return false;
        items_ -= static_cast<std::uint32_t>(items);
        out.push_back({Token::Kind::array, items, {}});
        for (std::uint64_t left = items; left > 0; --left) {
            if (!value(out, depth + 1)) return false;
        }
        return true;
    }
    bool value(std::vector<Token>& out, unsigned depth) {
        std::uint64_t read = 0;
        if (!number(1, read)) return false;
        const auto tag = static_cast<Byte>(read);
        const auto unsigned_of = [&](std::size_t bytes) {
            if (!number(bytes, read)) return false;
            out.push_back({Token::Kind::u64, read, {}});
            return true;
        };
        if (tag < 0x80) return out.push_back({Token::Kind::u64, tag, {}}), true;
        if (tag >= 0xE0) {
            const auto small = static_cast<std::int64_t>(static_cast<std::int8_t>(tag));
            return out.push_back({Token::Kind::i64, static_cast<std::uint64_t>(small), {}}), true;
        }
        if ((tag & 0xF0U) == 0x90) return array(out, tag & 0x0FU, depth);
        if ((tag & 0xE0U) == 0xA0) return piece(out, Token::Kind::text, tag & 0x1FU);
        if (tag == 0xC0) return out.push_back({Token::Kind::nil, 0, {}}), true;
        if (tag == 0xC2 || tag == 0xC3) return out.push_back({Token::Kind::boolean, tag & 1U, {}}), true;
        if (tag >= 0xC4 && tag <= 0xC6)
            return number(std::size_t{1} << (tag - 0xC4U), read) && piece(out, Token::Kind::bin, read);
        if (tag >= 0xCC && tag <= 0xCF) return unsigned_of(std::size_t{1} << (tag - 0xCCU));
        if (tag >= 0xD0 && tag <= 0xD3) return signed_of(out, std::size_t{1} << (tag - 0xD0U));
        if (tag >= 0xD9 && tag <= 0xDB)
            return number(std::size_t{1} << (tag - 0xD9U), read) && piece(out, Token::Kind::text, read);
        if (tag == 0xDC || tag == 0xDD) return number(tag == 0xDC ? 2 : 4, read) && array(out, read, depth);
        return false;  // a map, an extension, a float, or no msgpack
    }
    bool signed_of(std::vector<Token>& out, std::size_t bytes) {
        std::uint64_t read = 0;
        if (!number(bytes, read)) return false;
        const auto unused = 64 - 8 * bytes;
        const auto wide = static_cast<std::int64_t>(read << unused) >> unused;
        out.push_back({Token::Kind::i64, static_cast<std::uint64_t>(wide), {}});
        return true;
    }

    ByteView rest_;
    std::uint32_t items_;
};

Bytes write(const std::vector<Token>& tokens) {
    PackWriter writer;
    for (const Token& token : tokens) {
        switch (token.kind) {
            case Token::Kind::array:
                writer.array(token.number);
                break;
            case Token::Kind::u64:
                writer.u64(token.number);
                break;
            case Token::Kind::i64:
                writer.i64(static_cast<std::int64_t>(token.number));
                break;
            case Token::Kind::boolean:
                writer.boolean(token.number != 0);
                break;
            case Token::Kind::nil:
                writer.nil();
                break;
            case Token::Kind::text:
                writer.text(as_text(token.bytes));
                break;
            case Token::Kind::bin:
                writer.bin(token.bytes);
                break;
        }
    }
    return writer.take();
}

/// Reads the tokens by their types; each must be there.
void read_typed(ByteView payload, const std::vector<Token>& tokens) {
    auto reader = PackReader::open(payload);
    MONODON_CHECK(reader);
    for (const Token& token : tokens) {
        switch (token.kind) {
            case Token::Kind::array:
                reader->array(static_cast<std::uint32_t>(token.number));
                break;
            case Token::Kind::u64:
                MONODON_CHECK(reader->u64() == token.number);
                break;
            case Token::Kind::i64:
                MONODON_CHECK(reader->i64() == static_cast<std::int64_t>(token.number));
                break;
            case Token::Kind::boolean:
                MONODON_CHECK(reader->boolean() == (token.number != 0));
                break;
            case Token::Kind::nil:
                MONODON_CHECK(reader->nil());
                break;
            case Token::Kind::text:
                MONODON_CHECK(same(as_bytes(reader->text(token.bytes.size())), token.bytes));
                break;
            case Token::Kind::bin:
                MONODON_CHECK(same(reader->bin(token.bytes.size()), token.bytes));
                break;
        }
        MONODON_CHECK(reader->ok());
    }
    MONODON_CHECK(reader->finished());
}

void pack(ByteView input) {
    constexpr std::uint32_t kItems = 300;
    std::vector<Token> tokens;
    const bool expected = Reference(input, kItems).read(tokens);
    auto opened = PackReader::open(input, kItems);
    MONODON_CHECK(opened.has_value() == expected);
    if (!expected) {
        MONODON_CHECK(!name(opened.error()).empty());
        return;
    }
    opened->skip_rest();
    MONODON_CHECK(opened->finished());
    MONODON_CHECK(!PackReader::open(with_trailing(input), kItems));
    read_typed(input, tokens);
    const Bytes written = write(tokens);
    MONODON_CHECK(written.size() <= input.size());
    read_typed(written, tokens);
}

std::vector<Seed> pack_seeds() {
    PackWriter all;
    all.array(9).u64(5).u64(300).u64(70'000).u64(1ULL << 40U).i64(-5).i64(-200).boolean(true).nil();
    all.array(3).text("narwhal").bin(Bytes(300, 1)).digest(sha256(as_bytes("x")));
    PackWriter deep;
    for (unsigned level = 0; level < kPackDepthMax; ++level) deep.array(1);
    deep.u64(1);
    PackWriter wide;
    wide.array(200);
    for (int item = 0; item < 200; ++item) wide.nil();
    return {{"all-types", all.take()},
            {"deep", deep.take()},
            {"wide", wide.take()},
            {"long-forms", *from_hex("dd00000002"
                                     "cf0000000000000001"
                                     "db0000000161")},
            {"forbidden", *from_hex("9481a16101"
                                    "ca00000000")},
            {"bomb", *from_hex("ddffffffff90")}};
}

const Registration kMessages{{
    {"chunks", "a message is its chunks, in order, within its limit; the budget is kept and given back", 4096,
     chunks, chunk_seeds},
    {"pack", "accepts what a second reading of the rules accepts, and reads the same values", 2048, pack,
     pack_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::message_targets
