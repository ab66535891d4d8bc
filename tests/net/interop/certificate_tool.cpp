// For tests/net/interop/: shows a node's certificate to another implementation, and judges those of the
// other.
//
//   certificate_tool make         a fresh identity: the certificate in hexadecimal DER, then the peer id
//   certificate_tool check HEX    the peer id that a certificate proves; exit code 1 and the reason if none
#include <cstdio>
#include <string_view>

#include <openssl/x509.h>

#include "net/transport/certificate.hpp"
#include "net/transport/clock.hpp"
#include "net/transport/tls.hpp"

namespace {

using namespace monodon;

int make() {
    const KeyPair identity = KeyPair::generate();
    const net::TlsContext context(identity);
    std::printf("%s\n%s\n", to_hex(context.certificate()).c_str(), identity.peer_id().text().c_str());
    return 0;
}

int refuse(std::string_view why) {
    std::printf("%.*s\n", static_cast<int>(why.size()), why.data());
    return 1;
}

int check(std::string_view hex) {
    const auto der = from_hex(hex);
    if (!der) return refuse("not hexadecimal");
    const Byte* begin = der->data();
    const net::X509Handle certificate(d2i_X509(nullptr, &begin, static_cast<long>(der->size())));
    if (!certificate) return refuse("not a certificate");
    const auto claim = net::check_certificate(*certificate, net::now());
    if (!claim) return refuse(net::name(claim.error()));
    const auto peer = net::check_identity(*claim);
    if (!peer) return refuse(net::name(peer.error()));
    std::printf("%s\n", peer->text().c_str());
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view command = count > 1 ? arguments[1] : "";
    if (command == "make" && count == 2) return make();
    if (command == "check" && count == 3) return check(arguments[2]);
    std::fputs("usage: certificate_tool make | check HEX\n", stderr);
    return 2;
}
